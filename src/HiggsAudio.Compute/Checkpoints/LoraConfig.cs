using System.Text.Json;
using System.Text.RegularExpressions;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>The part of PEFT's <c>adapter_config.json</c> that decides what an adapter adds.</summary>
internal sealed class LoraConfig
{
    private const int MaxLength = 16 << 20, MaxRank = 1 << 16, MaxPatterns = 4096;

    private readonly string _path;
    private readonly int _rank;
    private readonly double _alpha;
    private readonly bool _rankStabilised;
    private readonly List<(Regex Pattern, double Value)> _ranks, _alphas;

    private LoraConfig(string path, JsonElement root)
    {
        _path = path;
        Refuse(root);
        _rank = CheckedRank(Number(root, "r") ?? throw Error("'r', the rank, is missing"));
        _alpha = Number(root, "lora_alpha") ?? throw Error("'lora_alpha' is missing");
        _rankStabilised = IsTrue(root, "use_rslora");
        _ranks = Patterns(root, "rank_pattern");
        _alphas = Patterns(root, "alpha_pattern");
        foreach ((_, double rank) in _ranks)
            CheckedRank(rank);
        BaseModel = root.TryGetProperty("base_model_name_or_path", out JsonElement name) && name.ValueKind == JsonValueKind.String ? name.GetString() : null;
    }

    /// <summary>The model that the adapter was trained for.</summary>
    public string? BaseModel { get; }

    /// <summary>Reads a configuration.</summary>
    /// <exception cref="CheckpointException">It is missing, broken, or asks for what cannot be merged.</exception>
    public static LoraConfig Load(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Length > MaxLength)
            throw new CheckpointException(path, null, $"has {file.Length} bytes: too long for a configuration");
        try
        {
            using JsonDocument document = JsonDocument.Parse(file.Bytes(0, (int)file.Length).ToArray(), new JsonDocumentOptions { MaxDepth = 32 });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new CheckpointException(path, null, $"must be a JSON object, found {document.RootElement.ValueKind}");
            return new LoraConfig(path, document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointException(path, null, $"is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>The rank of a module's matrices and what their product is multiplied with.</summary>
    /// <exception cref="CheckpointException">A pattern takes too long to match.</exception>
    public (int Rank, float Scale) RankAndScale(string module)
    {
        int rank = (int)(Match(_ranks, module) ?? _rank);
        double alpha = Match(_alphas, module) ?? _alpha;
        return (rank, (float)(alpha / (_rankStabilised ? Math.Sqrt(rank) : rank)));
    }

    private static double? Match(List<(Regex Pattern, double Value)> patterns, string module)
    {
        foreach ((Regex pattern, double value) in patterns)
            if (pattern.IsMatch(module))
                return value;
        return null;
    }

    // PEFT takes the first pattern that matches the end of the module's name, from the beginning of a part on. No pattern, however it is
    // written, takes more than linear time.
    private List<(Regex Pattern, double Value)> Patterns(JsonElement root, string key)
    {
        var patterns = new List<(Regex, double)>();
        if (!root.TryGetProperty(key, out JsonElement map) || map.ValueKind == JsonValueKind.Null)
            return patterns;
        if (map.ValueKind != JsonValueKind.Object)
            throw Error($"'{key}' must be an object, found {map.ValueKind}");
        foreach (JsonProperty item in map.EnumerateObject())
        {
            if (patterns.Count == MaxPatterns)
                throw Error($"'{key}' has more than {MaxPatterns} entries");
            if (item.Value.ValueKind != JsonValueKind.Number || !double.IsFinite(item.Value.GetDouble()))
                throw Error($"'{key}' must give a number for '{item.Name}'");
            try
            {
                patterns.Add((new Regex($@"^(?:.*\.)?(?:{item.Name})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant), item.Value.GetDouble()));
            }
            catch (Exception e) when (e is ArgumentException or NotSupportedException)
            {
                throw new CheckpointException(_path, null, $"'{key}' has the pattern '{item.Name}', which cannot be used: {e.Message}", e);
            }
        }
        return patterns;
    }

    private int CheckedRank(double rank) =>
        rank is >= 1 and <= MaxRank && rank == Math.Floor(rank) ? (int)rank : throw Error($"a rank is a whole number from 1 to {MaxRank}, found {rank}");

    private void Refuse(JsonElement root)
    {
        string type = root.TryGetProperty("peft_type", out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "LORA";
        if (type != "LORA")
            throw Error($"'peft_type' is {type}; only LORA can be merged into weights here");
        foreach (string key in (ReadOnlySpan<string>)["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"])
            if (IsTrue(root, key))
                throw Error($"'{key}' is not supported: merge the adapter with PEFT (merge_and_unload) and load the result");
        foreach (string key in (ReadOnlySpan<string>)["layer_replication", "alora_invocation_tokens", "target_parameters", "trainable_token_indices"])
            if (root.TryGetProperty(key, out JsonElement set) && set.ValueKind is not (JsonValueKind.Null or JsonValueKind.False))
                if (set.ValueKind != JsonValueKind.Array || set.GetArrayLength() > 0)
                    throw Error($"'{key}' is not supported: it is more than a change of weights by a low rank");
        if (root.TryGetProperty("init_lora_weights", out JsonElement init) && init.ValueKind == JsonValueKind.String)
            foreach (string kind in (ReadOnlySpan<string>)["pissa", "olora", "corda", "loftq"])
                if (init.GetString()!.StartsWith(kind, StringComparison.OrdinalIgnoreCase))
                    throw Error($"'init_lora_weights' is {init.GetString()}, which changed the model's own weights: convert the adapter with PEFT (path_initial_model_for_weight_conversion)");
    }

    private double? Number(JsonElement root, string key) =>
        !root.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.Number && double.IsFinite(value.GetDouble()) ? value.GetDouble()
        : throw Error($"'{key}' must be a number, found {value.ValueKind}");

    private static bool IsTrue(JsonElement root, string key) => root.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    private CheckpointException Error(string problem) => new(_path, null, problem);
}
