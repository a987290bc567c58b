using System.Buffers;

namespace HiggsAudio.Hub;

/// <summary>A file of a repository.</summary>
/// <param name="Name">Its path in the repository.</param>
/// <param name="Length">Its bytes; negative if the listing does not say.</param>
/// <param name="Hash">In lower-case hex: SHA-256 of the content for large files, git's SHA-1 of a blob for others; null if the listing does not say.</param>
internal sealed record HubFile(string Name, long Length, string? Hash);

/// <summary>Which files of a repository are needed, and whether their names can be trusted.</summary>
internal static class HubFileChoice
{
    private const string Index = "model.safetensors.index.json";

    private static readonly SearchValues<char> Forbidden = SearchValues.Create("\\:*?\"<>|");

    // Devices of Windows, whatever the extension.
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
        "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
    };

    /// <summary>
    /// The files to load a model, a codec or an adapter from: configurations and tokenizer, and the weights that a checkpoint is opened from
    /// (shards, else safetensors, else torch's). Only those at the top; weights come last, so that a folder that has them has all.
    /// </summary>
    /// <exception cref="HubException">A name leads out of the folder.</exception>
    public static List<HubFile> Needed(IReadOnlyList<HubFile> files)
    {
        foreach (HubFile file in files)
            if (!IsSafe(file.Name))
                throw new HubException(HubProblem.NotGenuine, $"The repository lists a file of the name '{Shown(file.Name)}', which could lead out of its folder.");
        HubFile[] top = [.. files.Where(file => !file.Name.Contains('/', StringComparison.Ordinal)).OrderBy(file => file.Name, StringComparer.Ordinal)];
        HubFile[] weights = [.. top.Where(file => file.Name.EndsWith(".safetensors", StringComparison.Ordinal))];
        if (top.Any(file => file.Name == Index))
            weights = [.. weights.Where(file => file.Name != "model.safetensors")];
        if (weights.Length == 0)
            weights = [.. top.Where(file => file.Name.EndsWith(".pth", StringComparison.Ordinal))];
        if (weights.Length == 0)
            weights = [.. top.Where(file => file.Name == "pytorch_model.bin")];
        return [.. top.Where(file => file.Name.EndsWith(".json", StringComparison.Ordinal)), .. weights];
    }

    /// <summary>Whether a relative path stays below its folder on every system.</summary>
    public static bool IsSafe(string path)
    {
        if (path.Length is 0 or > 1024)
            return false;
        foreach (Range range in path.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> part = path.AsSpan(range);
            if (part.Length is 0 or > 255 || part is "." or ".." || part[^1] is '.' or ' ' || part[0] == ' ' || part.ContainsAny(Forbidden))
                return false;
            foreach (char c in part)
                if (char.IsControl(c) || char.IsSurrogate(c))
                    return false;
            int dot = part.IndexOf('.');
            if (Reserved.Contains((dot < 0 ? part : part[..dot]).TrimEnd(' ').ToString()))
                return false;
        }
        return true;
    }

    /// <summary>A text of the Hub as a message can show it.</summary>
    public static string Shown(string text) =>
        string.Concat(text.Take(200).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)) + (text.Length > 200 ? "…" : "");
}
