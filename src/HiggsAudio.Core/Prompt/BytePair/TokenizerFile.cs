using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>
/// A Hugging Face tokenizer.json: byte-level byte-pair encodings and nothing else. What changes ids and is not known here is refused by name.
/// </summary>
internal sealed class TokenizerFile
{
    private const long LongestFile = 1 << 28;
    private readonly string _path;

    private TokenizerFile(string path) => _path = path;

    /// <summary>The encoding of pieces.</summary>
    public BytePairEncoder Encoder { get; private set; } = null!;

    /// <summary>How text is split into pieces: one after the other, each on the pieces of the one before.</summary>
    public TextSplitter[] Splitters { get; private set; } = [];

    /// <summary>The added tokens in the file's order.</summary>
    public List<AddedToken> AddedTokens { get; } = [];

    /// <summary>Ids that the post-processor puts before a text.</summary>
    public int[] Prefix { get; private set; } = [];

    /// <summary>Ids that the post-processor puts after a text.</summary>
    public int[] Suffix { get; private set; } = [];

    /// <summary>Reads a file.</summary>
    /// <exception cref="CheckpointException">It cannot be read, or is not such a tokenizer.</exception>
    public static TokenizerFile Load(string path)
    {
        byte[] json;
        try
        {
            long length = new FileInfo(path).Length;
            if (length > LongestFile)
                throw new CheckpointException(path, null, $"has {length} bytes, expected at most {LongestFile}");
            json = File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new CheckpointException(path, null, "cannot be read: " + exception.Message, exception);
        }
        var file = new TokenizerFile(path);
        try
        {
            file.Read(json);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)   // the latter: an escaped half of a surrogate pair
        {
            throw new CheckpointException(path, null, "is not valid JSON: " + exception.Message, exception);
        }
        return file;
    }

    private void Read(ReadOnlySpan<byte> json)
    {
        if (json.StartsWith(Encoding.UTF8.Preamble))
            json = json[Encoding.UTF8.Preamble.Length..];
        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Problem("$", $"expected an object, found {reader.TokenType}");
        var parts = new Dictionary<string, JsonElement>();
        BytePairModel? model = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (name == "model")
                model = BytePairModel.Read(ref reader, Problem);
            else
            {
                using JsonDocument document = JsonDocument.ParseValue(ref reader);
                parts[name] = document.RootElement.Clone();
            }
        }
        while (reader.Read())   // nothing may follow
        {
        }
        if (model is null)
            throw Problem("model", "is missing");
        RequireNone(parts, "normalizer");
        ReadAddedTokens(parts.GetValueOrDefault("added_tokens"), model);
        Encoder = model.ToEncoder(Problem);
        Splitters = ReadSplitters(parts.GetValueOrDefault("pre_tokenizer"), "pre_tokenizer");
        ReadPostProcessor(parts.GetValueOrDefault("post_processor"), "post_processor");
        ReadDecoder(parts.GetValueOrDefault("decoder"), "decoder");
    }

    private void ReadAddedTokens(JsonElement tokens, BytePairModel model)
    {
        if (tokens.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            return;
        foreach ((string path, JsonElement token) in Items(tokens, "added_tokens"))
        {
            string content = Text(token, path, "content");
            if (!Member(token, path, "id").TryGetInt32(out int id))
                throw Problem(path + ".id", "expected a whole number");
            if (content.Length == 0)
                throw Problem(path + ".content", "is empty");
            bool known = model.TryFindToken(content, out int stored);
            if (known && stored != id)
                throw Problem(path + ".id", $"is {id}, but '{content}' has the id {stored} already");
            if (!known)
                model.AddToken(content, id);
            AddedTokens.Add(new AddedToken(id, content, Flag(token, path, "special"), Flag(token, path, "single_word"),
                Flag(token, path, "lstrip"), Flag(token, path, "rstrip"), Flag(token, path, "normalized", !Flag(token, path, "special"))));
        }
    }

    private TextSplitter[] ReadSplitters(JsonElement part, string path)
    {
        switch (Type(part, path))
        {
            case "Sequence":
                return [.. Items(Member(part, path, "pretokenizers"), path + ".pretokenizers").SelectMany(item => ReadSplitters(item.Element, item.Path))];
            case "Split" when Text(part, path, "behavior") is var behavior && behavior != "Isolated":
                throw Problem(path + ".behavior", $"is '{behavior}'; only Isolated is supported");
            case "Split":
                JsonElement pattern = Member(part, path, "pattern");
                return pattern.ValueKind == JsonValueKind.Object && pattern.TryGetProperty("String", out _)
                    ? [Splitter(RegularExpressionOf(Text(pattern, path + ".pattern", "String")), path)]
                    : [Splitter(Text(pattern, path + ".pattern", "Regex"), path + ".pattern.Regex")];
            case "ByteLevel" when Flag(part, path, "add_prefix_space", true):
                throw Problem(path + ".add_prefix_space", "is true, which is not supported");
            case "ByteLevel":
                return Flag(part, path, "use_regex", true) ? [new Gpt2Splitter()] : [];
            case var other:
                throw Problem(path + ".type", $"is '{other}'; only Sequence, Split and ByteLevel are supported");
        }
    }

    private static string RegularExpressionOf(string text) => Regex.Escape(text);

    private TextSplitter Splitter(string pattern, string path)
    {
        try
        {
            return pattern switch
            {
                Llama3Splitter.Pattern => new Llama3Splitter(),
                Gpt2Splitter.Pattern => new Gpt2Splitter(),
                _ => new RegexSplitter(pattern),
            };
        }
        catch (ArgumentException exception)
        {
            throw Problem(path, "is not a pattern that .NET can read: " + exception.Message);
        }
    }

    private void ReadPostProcessor(JsonElement part, string path)
    {
        if (part.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            return;
        switch (Type(part, path))
        {
            case "Sequence":
                foreach ((string itemPath, JsonElement item) in Items(Member(part, path, "processors"), path + ".processors"))
                    ReadPostProcessor(item, itemPath);
                break;
            case "ByteLevel":   // moves offsets only
                break;
            case "TemplateProcessing":
                ReadTemplate(part, path);
                break;
            case var other:
                throw Problem(path + ".type", $"is '{other}'; only Sequence, ByteLevel and TemplateProcessing are supported");
        }
    }

    private void ReadTemplate(JsonElement part, string path)
    {
        List<int> prefix = [], suffix = [];
        bool textSeen = false;
        foreach ((string itemPath, JsonElement item) in Items(Member(part, path, "single"), path + ".single"))
        {
            if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("SpecialToken", out JsonElement special))
            {
                string name = Text(special, itemPath + ".SpecialToken", "id"), tokenPath = $"{path}.special_tokens['{name}']";
                JsonElement token = Member(Member(part, path, "special_tokens"), path + ".special_tokens", name);
                foreach ((string idPath, JsonElement id) in Items(Member(token, tokenPath, "ids"), tokenPath + ".ids"))
                    (textSeen ? suffix : prefix).Add(id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int value) && Encoder.Vocabulary.Contains(value)
                        ? value : throw Problem(idPath, "is not the id of a token"));
            }
            else if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("Sequence", out _) && !textSeen)
                textSeen = true;
            else
                throw Problem(itemPath, "expected special tokens and one sequence");
        }
        (Prefix, Suffix) = ([.. prefix, .. Prefix], [.. Suffix, .. suffix]);
    }

    private void ReadDecoder(JsonElement part, string path)
    {
        if (Type(part, path) is var type && type != "ByteLevel")
            throw Problem(path + ".type", $"is '{type}'; only ByteLevel is supported");
    }

    private void RequireNone(Dictionary<string, JsonElement> parts, string name)
    {
        if (parts.TryGetValue(name, out JsonElement part) && part.ValueKind != JsonValueKind.Null)
            throw Problem(name, $"is '{Type(part, name)}'; none is supported");
    }

    private string Type(JsonElement part, string path) =>
        part.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? throw Problem(path, "is missing") : Text(part, path, "type");

    private JsonElement Member(JsonElement part, string path, string name) =>
        part.ValueKind == JsonValueKind.Object && part.TryGetProperty(name, out JsonElement member) ? member : throw Problem($"{path}.{name}", "is missing");

    private string Text(JsonElement part, string path, string name) =>
        Member(part, path, name) is { ValueKind: JsonValueKind.String } text ? text.GetString()! : throw Problem($"{path}.{name}", "expected a string");

    private bool Flag(JsonElement part, string path, string name, bool otherwise = false) =>
        part.ValueKind != JsonValueKind.Object || !part.TryGetProperty(name, out JsonElement flag) ? otherwise
        : flag.ValueKind is JsonValueKind.True or JsonValueKind.False ? flag.GetBoolean()
        : throw Problem($"{path}.{name}", "expected true or false");

    private IEnumerable<(string Path, JsonElement Element)> Items(JsonElement part, string path) =>
        part.ValueKind == JsonValueKind.Array ? part.EnumerateArray().Select((item, i) => ($"{path}[{i}]", item)) : throw Problem(path, "expected an array");

    private CheckpointException Problem(string path, string problem) => new(_path, null, $"{path}: {problem}");
}
