using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio;

/// <summary>A configuration file's object, or a section of it: typed and bounded values, errors that name the key.</summary>
internal sealed class JsonConfig
{
    private const int MostSamplesPerFrame = 1 << 20;

    private readonly JsonElement _json;
    private readonly string _prefix;

    public JsonConfig(JsonElement json, string path, string prefix)
    {
        (_json, Path, _prefix) = (json, path, prefix);
        if (json.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(path, null, prefix.Length == 0 ? "is not a JSON object" : $"\"{prefix.TrimEnd('.')}\" is not an object");
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    public CheckpointException Error(string problem) => new(Path, null, problem);

    public bool HasAny(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
            if (_json.TryGetProperty(key, out _))
                return true;
        return false;
    }

    public bool IsArray(string key) => Value(key) is { ValueKind: JsonValueKind.Array };

    public JsonConfig? Section(string key) => Value(key) is { } value ? new JsonConfig(value, Path, $"{_prefix}{key}.") : null;

    public string? Text(string key) => Value(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        _ => throw Wrong(key, "a string"),
    };

    public bool? Flag(string key) => Value(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Wrong(key, "true or false"),
    };

    public int? Number(string key, int least, int most) => Value(key) is { } value ? Number(key, value, least, most) : null;

    public double? Real(string key, double least, double most) => Value(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out double number) && number >= least && number <= most => number,
        _ => throw Wrong(key, $"a number from {least} to {most}"),
    };

    public int[]? Numbers(string key, int least, int most, int mostItems)
    {
        if (Value(key) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() is 0 || value.GetArrayLength() > mostItems)
            throw Wrong(key, $"a list of 1 to {mostItems} numbers");
        return [.. value.EnumerateArray().Select(item => Number(key, item, least, most))];
    }

    /// <summary>A size to be compared with the tensors.</summary>
    public StatedSize? Size(string key) => Number(key, 1, int.MaxValue) is { } value ? new StatedSize(_prefix + key, value) : null;

    /// <summary>Ratios whose product is a sensible number of samples.</summary>
    public int[] CheckedProduct(int[] ratios)
    {
        long product = 1;
        foreach (int ratio in ratios)
            if ((product *= ratio) > MostSamplesPerFrame)
                throw Error($"the ratios {string.Join(", ", ratios)} make frames of more than {MostSamplesPerFrame} samples");
        return ratios;
    }

    private int Number(string key, JsonElement value, int least, int most) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= least && number <= most
            ? number
            : throw Wrong(key, $"a whole number from {least} to {most}");

    private JsonElement? Value(string key) =>
        _json.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private CheckpointException Wrong(string key, string expected)
    {
        string found = _json.GetProperty(key).GetRawText();
        return Error($"\"{_prefix}{key}\" is {(found.Length > 100 ? found[..100] + "…" : found)}, expected {expected}");
    }
}
