namespace HiggsAudio.Extensions.AI;

/// <summary>How to generate where a caller does not say; null leaves the defaults of <see cref="GenerationOptions"/>.</summary>
public sealed class GenerationDefaults
{
    /// <summary>See <see cref="GenerationOptions.MaxNewTokens"/>; for speech it holds for each chunk of a text.</summary>
    public int? MaxNewTokens { get; set; }

    /// <summary>See <see cref="GenerationOptions.Temperature"/>.</summary>
    public float? Temperature { get; set; }

    /// <summary>See <see cref="GenerationOptions.TopK"/>.</summary>
    public int? TopK { get; set; }

    /// <summary>See <see cref="GenerationOptions.TopP"/>.</summary>
    public float? TopP { get; set; }

    /// <summary>See <see cref="GenerationOptions.RasWinLen"/>; 0 for off.</summary>
    public int? RasWinLen { get; set; }

    /// <summary>See <see cref="GenerationOptions.RasWinMaxNumRepeat"/>.</summary>
    public int? RasWinMaxNumRepeat { get; set; }

    /// <summary>See <see cref="GenerationOptions.Seed"/>.</summary>
    public long? Seed { get; set; }

    /// <summary>The options with these values where they are set.</summary>
    internal GenerationOptions Apply(GenerationOptions options) => options with
    {
        MaxNewTokens = MaxNewTokens ?? options.MaxNewTokens,
        Temperature = Temperature ?? options.Temperature,
        TopK = TopK ?? options.TopK,
        TopP = TopP ?? options.TopP,
        RasWinLen = RasWinLen ?? options.RasWinLen,
        RasWinMaxNumRepeat = RasWinMaxNumRepeat ?? options.RasWinMaxNumRepeat,
        Seed = Seed ?? options.Seed,
    };
}
