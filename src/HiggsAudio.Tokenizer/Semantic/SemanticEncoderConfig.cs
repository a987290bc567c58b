namespace HiggsAudio.Semantic;

/// <summary>What of the semantic encoder its tensors do not tell. The reference has the defaults built in.</summary>
internal sealed record SemanticEncoderConfig
{
    /// <summary>Taps of the first convolution.</summary>
    public int Kernel { get; init; } = 3;

    /// <summary>Taps of the residual units' first convolution.</summary>
    public int UnitKernel { get; init; } = 3;

    /// <summary>Dilations of the residual units of a block; one per unit.</summary>
    public int[] Dilations { get; init; } = [1, 1];

    /// <summary>Reads the transformers library's configuration.</summary>
    /// <exception cref="Compute.Checkpoints.CheckpointException">A value is broken, or asks for a variant that is not supported.</exception>
    public static SemanticEncoderConfig Parse(JsonConfig json)
    {
        if (json.Numbers("strides", 1, 64, mostItems: 12)?.Any(stride => stride != 1) ?? false)
            throw json.Error("\"strides\" of the semantic encoder other than 1 are not supported");
        return new SemanticEncoderConfig
        {
            Kernel = Odd(json, "kernel_size"),
            UnitKernel = Odd(json, "unit_kernel_size"),
            Dilations = json.Numbers("block_dilations", 1, 1000, mostItems: 100) ?? [1, 1],
        };
    }

    private static int Odd(JsonConfig json, string key) => json.Number(key, 1, 99) switch
    {
        null => 3,
        { } kernel when kernel % 2 == 1 => kernel,
        _ => throw json.Error($"an even \"{key}\" of the semantic encoder is not supported"),
    };
}
