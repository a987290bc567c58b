using System.Text.Json;
using System.Text.Unicode;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// Reads the JSON header of a safetensors file, which is not to be trusted
/// (https://github.com/huggingface/safetensors#format): every number is checked before it is used.
/// </summary>
internal sealed class SafeTensorsHeader
{
    /// <summary>The format's own limit.</summary>
    public const int MaxLength = 100_000_000;

    private const int MaxTensors = 200_000;
    private const int MaxRank = 64;

    private readonly string _path;

    private SafeTensorsHeader(string path) => _path = path;

    public record struct Entry(string Name, TensorType Type, long[] Shape, long Begin, long End);

    public List<Entry> Entries { get; } = [];

    public Dictionary<string, string> Metadata { get; } = [];

    /// <param name="path">The file, for messages.</param>
    /// <param name="json">The header, padding included.</param>
    /// <param name="dataLength">Bytes of the file behind the header.</param>
    /// <exception cref="CheckpointException">It is not a valid header for that many bytes.</exception>
    public static SafeTensorsHeader Parse(string path, ReadOnlySpan<byte> json, long dataLength)
    {
        var header = new SafeTensorsHeader(path);
        if (json.Length == 0 || json[0] != '{')
            throw header.Error("the header does not start with '{': not a safetensors file");
        if (!Utf8.IsValid(json))
            throw header.Error("the header is not UTF-8");
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 4 });
            header.ReadAll(ref reader);
        }
        catch (JsonException e)
        {
            throw new CheckpointException(path, null, $"the header is not valid JSON: {e.Message}", e);
        }
        header.CheckLayout(dataLength);
        return header;
    }

    private void ReadAll(ref Utf8JsonReader reader)
    {
        var names = new HashSet<string>();
        reader.Read();
        for (reader.Read(); reader.TokenType == JsonTokenType.PropertyName; reader.Read())
        {
            string name = Text(ref reader, null);
            if (!names.Add(name))
                throw Error("is in the header twice", name);
            if (names.Count > MaxTensors)
                throw Error($"more than {MaxTensors} tensors");
            reader.Read();
            if (name == "__metadata__")
                ReadMetadata(ref reader);
            else
                Entries.Add(ReadEntry(ref reader, name));
        }
        while (reader.Read())
        {
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Error($"__metadata__ must be an object, found {reader.TokenType}");
        for (reader.Read(); reader.TokenType == JsonTokenType.PropertyName; reader.Read())
        {
            string key = Text(ref reader, null);
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Error($"__metadata__ '{key}' must be a string, found {reader.TokenType}");
            if (!Metadata.TryAdd(key, Text(ref reader, null)))
                throw Error($"__metadata__ has '{key}' twice");
        }
    }

    private Entry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Error($"must be described by an object, found {reader.TokenType}", name);
        TensorType? type = null;
        long[]? shape = null, offsets = null;
        for (reader.Read(); reader.TokenType == JsonTokenType.PropertyName; reader.Read())
        {
            string key = Text(ref reader, name);
            reader.Read();
            bool again = key switch
            {
                "dtype" => type is not null,
                "shape" => shape is not null,
                "data_offsets" => offsets is not null,
                _ => throw Error($"has the unknown field '{key}'", name),
            };
            if (again)
                throw Error($"has '{key}' twice", name);
            if (key == "dtype")
                type = ReadType(ref reader, name);
            else if (key == "shape")
                shape = ReadNumbers(ref reader, name, key, MaxRank);
            else
                offsets = ReadNumbers(ref reader, name, key, 2);
        }
        if (type is null || shape is null || offsets is not { Length: 2 })
            throw Error("must have a dtype, a shape and two data_offsets", name);
        return new Entry(name, type.Value, shape, offsets[0], offsets[1]);
    }

    private TensorType ReadType(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.String)
            throw Error($"dtype must be a string, found {reader.TokenType}", name);
        string text = Text(ref reader, name);
        return SafeTensorsFile.Types.TryGetValue(text, out TensorType type)
            ? type
            : throw Error($"dtype {text} is not supported (supported: {string.Join(", ", SafeTensorsFile.Types.Keys)})", name);
    }

    private long[] ReadNumbers(ref Utf8JsonReader reader, string name, string key, int most)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Error($"{key} must be an array, found {reader.TokenType}", name);
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (numbers.Count == most)
                throw Error($"{key} has more than {most} numbers", name);
            if (reader.TokenType != JsonTokenType.Number || reader.ValueSpan[0] == '-' || !reader.TryGetInt64(out long number))
                throw Error($"{key} must have whole numbers of 0 or more, below 2^63", name);
            numbers.Add(number);
        }
        return [.. numbers];
    }

    // Sizes fit shapes, and the tensors lie in the data without holes, overlaps or a rest, as the format demands.
    private void CheckLayout(long dataLength)
    {
        Entries.Sort(static (a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
        long end = 0;
        foreach (Entry entry in Entries)
        {
            if (entry.End < entry.Begin || entry.End > dataLength)
                throw Error($"data_offsets [{entry.Begin}, {entry.End}] are outside the {dataLength} bytes of data", entry.Name);
            if (ByteLength(entry) is var size && size != entry.End - entry.Begin)
                throw Error($"{entry.Type} [{string.Join(", ", entry.Shape)}] needs {size} bytes, data_offsets hold {entry.End - entry.Begin}", entry.Name);
            if (entry.Begin != end)
                throw Error(entry.Begin < end ? "overlaps another tensor" : $"follows a hole of {entry.Begin - end} bytes", entry.Name);
            end = entry.End;
        }
        if (end != dataLength)
            throw Error($"{dataLength - end} bytes of data belong to no tensor (the file is damaged, or its header is)");
    }

    private long ByteLength(Entry entry)
    {
        try
        {
            long size = CheckpointTensor.SizeOf(entry.Type);
            foreach (long d in entry.Shape)
                size = checked(size * d);
            return size;
        }
        catch (OverflowException)
        {
            throw Error($"shape [{string.Join(", ", entry.Shape)}] is too large", entry.Name);
        }
    }

    private string Text(ref Utf8JsonReader reader, string? tensor)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new CheckpointException(_path, tensor, "the header has text that is not Unicode", e);
        }
    }

    private CheckpointException Error(string problem, string? tensor = null) => new(_path, tensor, problem);
}
