using System.Text.Json;

namespace HiggsAudio.Hub;

/// <summary>
/// A repository in the cache of Hugging Face's own tools: <c>models--org--name/blobs/{hash}</c>, <c>refs/{revision}</c> with a commit in it, and
/// <c>snapshots/{commit}/{file}</c>, links to blobs, or files where there are no links.
/// </summary>
internal sealed class HubCache(string cacheFolder, string repository, bool canLink)
{
    private readonly string _folder = Path.Combine(Path.GetFullPath(cacheFolder), "models--" + repository.Replace("/", "--", StringComparison.Ordinal));
    private readonly string _locks = Path.Combine(Path.GetFullPath(cacheFolder), ".locks", "models--" + repository.Replace("/", "--", StringComparison.Ordinal));

    /// <summary>The folder of a commit.</summary>
    public string Snapshot(string commit) => Path.Combine(_folder, "snapshots", commit);

    /// <summary>Where a blob is.</summary>
    public string Blob(string hash) => Path.Combine(_folder, "blobs", hash);

    /// <summary>Where the part of a blob is that was transferred so far.</summary>
    public string Partial(string hash) => Blob(hash) + ".incomplete";

    /// <summary>The lock of a blob.</summary>
    public string LockOf(string hash) => Path.Combine(_locks, hash + ".lock");

    /// <summary>The folder of a revision, if all of it is there.</summary>
    public string? Find(string revision)
    {
        string commit = revision, reference = Reference(revision);
        if (!HubReference.IsCommitHash(revision))
        {
            if (!File.Exists(reference) || new FileInfo(reference).Length > 64)
                return null;
            commit = File.ReadAllText(reference).Trim();
        }
        return HubReference.IsCommitHash(commit) && IsComplete(Snapshot(commit)) ? Snapshot(commit) : null;
    }

    /// <summary>Whether a folder has a configuration, all weights and, for a language model, the tokenizer.</summary>
    public static bool IsComplete(string folder)
    {
        if (File.Exists(Path.Combine(folder, "adapter_config.json")))
            return File.Exists(Path.Combine(folder, "adapter_model.safetensors"));
        string config = Path.Combine(folder, "config.json"), index = Path.Combine(folder, "model.safetensors.index.json");
        try
        {
            if (!File.Exists(config))
                return false;
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(config));
            string type = document.RootElement.TryGetProperty("model_type", out JsonElement value) ? value.ToString() : "";
            if (type is "higgs_audio" or "higgs_audio_v2" && !File.Exists(Path.Combine(folder, "tokenizer.json")))
                return false;
            return File.Exists(index) ? HasShards(folder, index) : ((string[])["model.safetensors", "model.pth", "pytorch_model.bin"]).Any(name => File.Exists(Path.Combine(folder, name)));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static bool HasShards(string folder, string index)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(index));
        return document.RootElement.TryGetProperty("weight_map", out JsonElement map) && map.ValueKind == JsonValueKind.Object
            && map.EnumerateObject().All(item => item.Value.GetString() is { } shard && HubFileChoice.IsSafe(shard) && File.Exists(Path.Combine(folder, shard)));
    }

    /// <summary>Whether a file of a commit is there. A link that leads nowhere is not.</summary>
    public bool Has(string commit, HubFile file) => HasLength(Path.Combine(Snapshot(commit), file.Name), file.Length);

    /// <summary>Whether a file of this length exists, seen through links.</summary>
    public static bool HasLength(string path, long length)
    {
        var info = new FileInfo(path);
        return info.Exists && ((info.LinkTarget is null ? info : info.ResolveLinkTarget(returnFinalTarget: true)) is FileInfo { Exists: true } target) && target.Length == length;
    }

    /// <summary>Shows a blob in the folder of a commit: by a link, or, where there are none, by moving it there.</summary>
    public void Place(string commit, HubFile file)
    {
        string path = Path.Combine(Snapshot(commit), file.Name);
        Directory.CreateDirectory(Snapshot(commit));
        if (new FileInfo(path) is { } old && (old.Exists || old.LinkTarget is not null))
            old.Delete();
        if (canLink)
        {
            try
            {
                File.CreateSymbolicLink(path, Path.Combine("..", "..", "blobs", file.Hash!));
                return;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
            {
                // Windows without developer mode, or a file system without links.
            }
        }
        File.Move(Blob(file.Hash!), path, overwrite: true);
    }

    /// <summary>Writes down which commit a branch or a tag is.</summary>
    public void Remember(string revision, string commit)
    {
        if (HubReference.IsCommitHash(revision))
            return;
        string path = Reference(revision), temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(temporary, commit);
        File.Move(temporary, path, overwrite: true);
    }

    private string Reference(string revision) => Path.Combine([_folder, "refs", .. revision.Split('/')]);
}
