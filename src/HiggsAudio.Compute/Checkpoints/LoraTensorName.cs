namespace HiggsAudio.Compute.Checkpoints;

/// <summary>What a tensor of an adapter is.</summary>
internal enum LoraPart
{
    /// <summary>[rank, inputs].</summary>
    A,

    /// <summary>[outputs, rank].</summary>
    B,

    /// <summary>[rank, entries of a table].</summary>
    EmbeddingA,

    /// <summary>[width of a table, rank].</summary>
    EmbeddingB,

    /// <summary>A whole weight in place of the model's (<c>modules_to_save</c>).</summary>
    Whole,
}

/// <summary>The name of a tensor of an adapter, taken apart: <c>base_model.model.{module}.lora_A.weight</c> and the like.</summary>
/// <param name="Part">What it is.</param>
/// <param name="Module">The module it changes, as the training code calls it.</param>
/// <param name="Target">The tensor it changes, as the training code calls it.</param>
/// <param name="Partner">The name of the B that belongs to an A.</param>
internal sealed record LoraTensorName(LoraPart Part, string Module, string Target, string? Partner)
{
    private const string Prefix = "base_model.model.";

    // State that was saved by hand has the adapter's name, "default", inside.
    private static readonly (string Suffix, LoraPart Part)[] Suffixes =
    [
        (".lora_A.weight", LoraPart.A), (".lora_A.default.weight", LoraPart.A),
        (".lora_B.weight", LoraPart.B), (".lora_B.default.weight", LoraPart.B),
        (".lora_embedding_A", LoraPart.EmbeddingA), (".lora_embedding_A.default", LoraPart.EmbeddingA),
        (".lora_embedding_B", LoraPart.EmbeddingB), (".lora_embedding_B.default", LoraPart.EmbeddingB),
    ];

    /// <summary>Takes a name apart; null if nothing is known that is called so.</summary>
    public static LoraTensorName? Parse(string name)
    {
        string path = name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;
        foreach ((string suffix, LoraPart part) in Suffixes)
        {
            if (!path.EndsWith(suffix, StringComparison.Ordinal))
                continue;
            string module = path[..^suffix.Length];
            string? partner = part is LoraPart.A or LoraPart.EmbeddingA
                ? name[..^suffix.Length] + suffix.Replace("_A", "_B", StringComparison.Ordinal)
                : null;
            return new LoraTensorName(part, module, module + ".weight", partner);
        }
        if (path.Contains("lora_", StringComparison.Ordinal) || !path.EndsWith(".weight", StringComparison.Ordinal))
            return null;
        string target = path.Replace(".modules_to_save.default.", ".", StringComparison.Ordinal);
        return new LoraTensorName(LoraPart.Whole, target[..^".weight".Length], target, null);
    }
}
