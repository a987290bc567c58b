using System.Text.Json;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// A checkpoint split over files of one folder by an index such as model.safetensors.index.json, whose <c>weight_map</c> says which file
/// holds which tensor. Tensors that a shard holds beyond the index are tensors too. <see cref="Metadata"/> is the index's.
/// </summary>
public sealed class ShardedCheckpoint : Checkpoint
{
    private const int MaxIndexLength = 100_000_000;
    private const int MaxShards = 10_000;

    private readonly Dictionary<string, Checkpoint> _shards = [];
    private readonly Dictionary<string, CheckpointTensor> _tensors = [];
    private readonly Dictionary<string, string> _metadata = [];

    /// <summary>Opens an index and all its shards.</summary>
    /// <exception cref="CheckpointException">The index or a shard cannot be read, breaks its format, or they contradict each other.</exception>
    public ShardedCheckpoint(string path)
    {
        Path = path;
        try
        {
            Dictionary<string, string> map = ReadIndex();
            foreach (string shard in map.Values.Distinct())
                OpenShard(shard);
            foreach ((string tensor, string shard) in map)
                if (!_shards[shard].Tensors.ContainsKey(tensor))
                    throw new CheckpointException(path, tensor, $"should be in {shard}, which has no such tensor");
        }
        catch
        {
            Dispose(true);
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => _metadata;

    private string Folder => System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path)) ?? "";

    private void OpenShard(string name)
    {
        if (_shards.Count == MaxShards)
            throw new CheckpointException(Path, null, $"names more than {MaxShards} shards");
        string file = System.IO.Path.Combine(Folder, name);
        if (!File.Exists(file))
            throw new CheckpointException(Path, null, $"the shard {name} is missing in {Folder}");
        Checkpoint shard = OpenFile(file);
        _shards.Add(name, shard);
        foreach ((string tensor, CheckpointTensor value) in shard.Tensors)
            if (!_tensors.TryAdd(tensor, value))
                throw new CheckpointException(Path, tensor, $"is in two shards: {System.IO.Path.GetFileName(_tensors[tensor].File)} and {name}");
    }

    // Tensor -> shard.
    private Dictionary<string, string> ReadIndex()
    {
        using MappedFile file = MappedFile.Open(Path);
        if (file.Length > MaxIndexLength)
            throw new CheckpointException(Path, null, $"has {file.Length} bytes: too long for an index");
        try
        {
            using JsonDocument document = JsonDocument.Parse(file.Bytes(0, (int)file.Length).ToArray(), new JsonDocumentOptions { MaxDepth = 16 });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new CheckpointException(Path, null, $"must be a JSON object, found {document.RootElement.ValueKind}");
            if (document.RootElement.TryGetProperty("metadata", out JsonElement metadata) && metadata.ValueKind == JsonValueKind.Object)
                foreach (JsonProperty item in metadata.EnumerateObject())
                    _metadata[item.Name] = item.Value.ToString();
            if (!document.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
                throw new CheckpointException(Path, null, "has no weight_map object");
            return ReadMap(map);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointException(Path, null, $"is not valid JSON: {e.Message}", e);
        }
    }

    private Dictionary<string, string> ReadMap(JsonElement map)
    {
        var shards = new Dictionary<string, string>();
        foreach (JsonProperty item in map.EnumerateObject())
        {
            if (item.Value.ValueKind != JsonValueKind.String)
                throw new CheckpointException(Path, item.Name, $"weight_map must name a file, found {item.Value.ValueKind}");
            string shard = item.Value.GetString()!;
            if (!IsFileName(shard))
                throw new CheckpointException(Path, item.Name, $"weight_map names '{shard}', which is not a file of the index's own folder");
            if (!shards.TryAdd(item.Name, shard))
                throw new CheckpointException(Path, item.Name, "is in weight_map twice");
        }
        return shards;
    }

    // On every system the same: a name with a separator, a drive or a stream of Windows is refused on Linux too.
    private static bool IsFileName(string name) =>
        name.Length is > 0 and <= 255 && name is not ("." or "..") && name.AsSpan().IndexOfAny("/\\:") < 0 && !name.Any(char.IsControl);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (Checkpoint shard in _shards.Values)
            shard.Dispose();
    }
}
