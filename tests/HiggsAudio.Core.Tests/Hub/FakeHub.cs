using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace HiggsAudio.Core.Tests.Hub;

/// <summary>A Hub of one repository: the API and small files at one address, large files at another, as the real one has them.</summary>
internal sealed class FakeHub : IDisposable
{
    public const string Repository = "someone/a-model", Commit = "0123456789abcdef0123456789abcdef01234567", Token = "hf_secret";

    private readonly string _folder = Directory.CreateTempSubdirectory("higgs-audio-hub-").FullName;

    public FakeHub()
    {
        Storage = new LoopbackServer(AnswerStorage);
        Hub = new LoopbackServer(AnswerHub);
        Options = new HubOptions
        {
            Endpoint = Hub.Address,
            CacheFolder = Path.Combine(_folder, "hub"),
            Token = Token,
            Pause = (pause, cancellation) =>
            {
                Pauses.Add(pause);
                cancellation.ThrowIfCancellationRequested();
                return Task.CompletedTask;
            },
        };
    }

    public LoopbackServer Hub { get; }

    public LoopbackServer Storage { get; }

    public HubOptions Options { get; set; }

    public List<TimeSpan> Pauses { get; } = [];

    /// <summary>Its files, the large ones in the storage.</summary>
    public Dictionary<string, byte[]> Files { get; } = new()
    {
        ["config.json"] = "{\"model_type\":\"other\"}"u8.ToArray(),
        ["README.md"] = "read me"u8.ToArray(),
        ["model.safetensors"] = RandomNumberGenerator.GetBytes(3_000_000),
        ["training/optimizer.safetensors"] = new byte[10],
    };

    /// <summary>The names as they are listed, if not those of the files.</summary>
    public Dictionary<string, string> ListedAs { get; } = [];

    /// <summary>The hashes as they are listed, if not the truth.</summary>
    public Dictionary<string, string> ListedHashes { get; } = [];

    /// <summary>Whether the listing has lengths and hashes.</summary>
    public bool ListsHashes { get; set; } = true;

    /// <summary>What a test answers in place of the Hub or the storage; null for the truth.</summary>
    public Func<Request, Reply?> InsteadOfHub { get; set; } = _ => null;

    public Func<Request, Reply?> InsteadOfStorage { get; set; } = _ => null;

    /// <summary>The repository in the cache.</summary>
    public string Cache => Path.Combine(_folder, "hub", "models--someone--a-model");

    public string Snapshot => Path.Combine(Cache, "snapshots", Commit);

    public string At(string name) => Path.Combine(_folder, name);

    public static bool IsLarge(string name) => name.EndsWith(".safetensors", StringComparison.Ordinal) || name.EndsWith(".pth", StringComparison.Ordinal);

    public string HashOf(string name) => IsLarge(name)
        ? Convert.ToHexStringLower(SHA256.HashData(Files[name]))
#pragma warning disable CA5350 // git's
        : Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {Files[name].Length}\0"), .. Files[name]]));
#pragma warning restore CA5350

    public string BlobOf(string name) => Path.Combine(Cache, "blobs", HashOf(name));

    public Task<string> DownloadAsync(string? revision = null, string? folder = null, IProgress<HubProgress>? progress = null, CancellationToken cancellation = default) =>
        HuggingFaceHub.DownloadAsync(Repository, Options, revision, folder, progress, cancellation);

    /// <summary>The bytes of a large file from where they are asked for.</summary>
    public Reply Part(Request request)
    {
        byte[] file = Files[Uri.UnescapeDataString(request.Path[1..])];
        return request.From == 0
            ? new Reply(200, file)
            : new Reply(206, file[(int)request.From..]).With("Content-Range", $"bytes {request.From}-{file.Length - 1}/{file.Length}");
    }

    private Reply AnswerStorage(Request request) => InsteadOfStorage(request) ?? Part(request);

    private Reply AnswerHub(Request request)
    {
        if (InsteadOfHub(request) is { } other)
            return other;
        if (request.Path.StartsWith("/api/models/", StringComparison.Ordinal))
            return Listing();
        string name = Uri.UnescapeDataString(request.Path[(request.Path.LastIndexOf('/') + 1)..]);
        if (!Files.TryGetValue(name, out byte[]? file))
            return Reply.Text(404, "no").With("X-Error-Code", "EntryNotFound");
        return IsLarge(name)
            ? Reply.Text(302, "").With("Location", $"{Storage.Address}{name}").With("X-Linked-ETag", $"\"{HashOf(name)}\"").With("X-Linked-Size", $"{file.Length}")
            : new Reply(200, file).With("ETag", $"\"{HashOf(name)}\"");
    }

    private Reply Listing()
    {
        var files = Files.Keys.Select(name => new Dictionary<string, object?>
        {
            ["rfilename"] = ListedAs.GetValueOrDefault(name, name),
            ["size"] = ListsHashes ? Files[name].Length : null,
            ["blobId"] = ListsHashes ? IsLarge(name) ? new string('0', 40) : ListedHashes.GetValueOrDefault(name, HashOf(name)) : null,
            ["lfs"] = ListsHashes && IsLarge(name) ? new Dictionary<string, object> { ["sha256"] = ListedHashes.GetValueOrDefault(name, HashOf(name)), ["size"] = Files[name].Length } : null,
        });
        return Reply.Text(200, JsonSerializer.Serialize(new Dictionary<string, object> { ["sha"] = Commit, ["siblings"] = files.ToArray() }));
    }

    public void Dispose()
    {
        Hub.Dispose();
        Storage.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
