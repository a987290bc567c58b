using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>A JSON object of a configuration file, read key by key with checks. A key whose value is null counts as missing.</summary>
internal readonly struct ConfigObject(JsonElement element, string file, string path = "")
{
    /// <summary>The object of a file's top level.</summary>
    public static ConfigObject Of(JsonElement root, string file) =>
        root.ValueKind == JsonValueKind.Object ? new(root, file) : throw new CheckpointException(file, null, "is not a JSON object");

    public bool Has(string key) => TryGet(key, out _);

    /// <summary>An object below this one; null if the key is missing.</summary>
    public ConfigObject? Object(string key)
    {
        if (!TryGet(key, out JsonElement value))
            return null;
        return value.ValueKind == JsonValueKind.Object ? new(value, file, Name(key) + ".") : throw Wrong(key, "an object", value);
    }

    public int Int(string key, int missing, int lowest, int highest)
    {
        if (!TryGet(key, out JsonElement value))
            return missing;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= lowest && number <= highest
            ? number
            : throw Wrong(key, $"an integer from {lowest} to {highest}", value);
    }

    public float Float(string key, float? missing, float lowest, float highest)
    {
        if (!TryGet(key, out JsonElement value))
            return missing ?? throw Wrong(key, "a number", default);
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= lowest && number <= highest
            ? (float)number
            : throw Wrong(key, $"a number from {lowest} to {highest}", value);
    }

    /// <summary>A truth value; the published files also write 0 and 1.</summary>
    public bool Bool(string key, bool missing)
    {
        if (!TryGet(key, out JsonElement value))
            return missing;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number when value.TryGetInt32(out int number) => number != 0,
            _ => throw Wrong(key, "true or false", value),
        };
    }

    public string? Text(string key)
    {
        if (!TryGet(key, out JsonElement value))
            return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(key, "a string", value);
    }

    /// <summary>A list of integers, or one integer; null if the key is missing.</summary>
    public int[]? Ints(string key, int lowest, int highest, int mostItems)
    {
        if (!TryGet(key, out JsonElement value))
            return null;
        if (value.ValueKind == JsonValueKind.Number)
            return [Int(key, 0, lowest, highest)];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > mostItems)
            throw Wrong(key, $"a list of at most {mostItems} integers", value);
        var numbers = new int[value.GetArrayLength()];
        for (int i = 0; i < numbers.Length; i++)
            if (value[i].ValueKind != JsonValueKind.Number || !value[i].TryGetInt32(out numbers[i]) || numbers[i] < lowest || numbers[i] > highest)
                throw Wrong($"{key}[{i}]", $"an integer from {lowest} to {highest}", value[i]);
        return numbers;
    }

    /// <summary>An exception about a key, to be thrown.</summary>
    public CheckpointException Error(string key, string problem) => new(file, null, $"'{Name(key)}' {problem}");

    private string Name(string key) => path + key;

    private bool TryGet(string key, out JsonElement value) => element.TryGetProperty(key, out value) && value.ValueKind != JsonValueKind.Null;

    private CheckpointException Wrong(string key, string expected, JsonElement found)
    {
        string text = found.ValueKind == JsonValueKind.Undefined ? "nothing" : found.GetRawText();
        return Error(key, $"must be {expected}, found {(text.Length > 60 ? text[..60] + "…" : text)}");
    }
}
