using System.Text.Json;

namespace HiggsAudio.Prompts;

/// <summary>Reads the JSON of the reference's ChatML types (data_types.py).</summary>
internal static class ChatMLReader
{
    public static ChatMLSample Read(JsonElement json)
    {
        JsonElement messages = Member(json, "$", "messages");
        if (messages.ValueKind != JsonValueKind.Array)
            throw Problem("$.messages", "expected an array");
        int? startIndex = Member(json, "$", "start_index") switch
        {
            { ValueKind: JsonValueKind.Undefined } => null,
            { ValueKind: JsonValueKind.Number } number when number.TryGetInt32(out int value) => value,
            _ => throw Problem("$.start_index", "expected a whole number"),
        };
        JsonElement misc = Member(json, "$", "misc");
        string? speaker = Text(json, "$", "speaker") ?? (misc.ValueKind == JsonValueKind.Object ? Text(misc, "$.misc", "speaker") : null);
        Message[] read = [.. messages.EnumerateArray().Select((message, i) => ReadMessage(message, $"$.messages[{i}]"))];
        return Checked("$.messages", () => new ChatMLSample(read) { StartIndex = startIndex, Speaker = speaker });
    }

    private static Message ReadMessage(JsonElement json, string path)
    {
        string role = Text(json, path, "role") ?? throw Problem(path + ".role", "is missing");
        string? recipient = Text(json, path, "recipient");
        JsonElement content = Member(json, path, "content");
        MessageContent[] pieces = content.ValueKind == JsonValueKind.Array
            ? [.. content.EnumerateArray().Select((piece, i) => ReadContent(piece, $"{path}.content[{i}]"))]
            : [ReadContent(content, path + ".content")];
        return Checked(path, () => new Message(role, pieces) { Recipient = recipient });
    }

    private static MessageContent ReadContent(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.String)
            return new TextContent(GetString(json, path));
        if (json.ValueKind != JsonValueKind.Object)
            throw Problem(path, "expected a string, an object, or a list of those");
        string type = Text(json, path, "type") ?? (json.TryGetProperty("text", out _) ? "text" : "audio");
        return type switch
        {
            "text" => new TextContent(Text(json, path, "text") ?? throw Problem(path + ".text", "is missing")),
            "audio" => ReadAudio(json, path),
            _ => throw Problem(path + ".type", $"is '{type}', expected text or audio"),
        };
    }

    // The reference takes the file unless audio_url is empty or "placeholder", else raw_audio (serve_engine.py).
    private static AudioContent ReadAudio(JsonElement json, string path)
    {
        string? url = Text(json, path, "audio_url"), raw = Text(json, path, "raw_audio");
        TimeSpan? offset = Seconds(json, path, "offset"), duration = Seconds(json, path, "duration");
        return Checked(path, () =>
            url is not (null or "" or "placeholder") ? AudioContent.FromFile(url, offset, duration)
            : raw is not null ? AudioContent.FromBase64(raw, offset, duration)
            : AudioContent.Placeholder);
    }

    private static TimeSpan? Seconds(JsonElement json, string path, string name) => Member(json, path, name) switch
    {
        { ValueKind: JsonValueKind.Undefined } => null,
        { ValueKind: JsonValueKind.Number } number when number.GetDouble() is >= 0 and < 1e9 and var seconds => TimeSpan.FromSeconds(seconds),
        _ => throw Problem($"{path}.{name}", "expected a number of seconds"),
    };

    private static string? Text(JsonElement json, string path, string name) => Member(json, path, name) switch
    {
        { ValueKind: JsonValueKind.Undefined } => null,
        { ValueKind: JsonValueKind.String } text => GetString(text, $"{path}.{name}"),
        _ => throw Problem($"{path}.{name}", "expected a string"),
    };

    private static string GetString(JsonElement json, string path)
    {
        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException exception)   // an escaped half of a surrogate pair
        {
            throw Problem(path, exception.Message, exception);
        }
    }

    // Undefined for what is missing or null.
    private static JsonElement Member(JsonElement json, string path, string name) =>
        json.ValueKind != JsonValueKind.Object ? throw Problem(path, "expected an object")
        : json.TryGetProperty(name, out JsonElement member) && member.ValueKind != JsonValueKind.Null ? member
        : default;

    private static T Checked<T>(string path, Func<T> make)
    {
        try
        {
            return make();
        }
        catch (ArgumentException exception)
        {
            throw Problem(path, exception.Message, exception);
        }
    }

    private static JsonException Problem(string path, string problem, Exception? inner = null) => new($"{path}: {problem}", path, null, null, inner);
}
