namespace HiggsAudio;

/// <summary>
/// Rotary position embeddings (RoFormer, arXiv:2104.09864), with or without Llama 3's scaling for contexts longer than those of the
/// pre-training (transformers' <c>rope_type</c> "default" and "llama3").
/// </summary>
/// <param name="Theta">Base of the frequencies.</param>
public sealed record RopeParameters(float Theta)
{
    /// <summary>The scaling; null for none.</summary>
    public Llama3RopeScaling? Scaling { get; init; }

    /// <summary>headDim / 2 frequencies in radians per position, computed in 32-bit floats like the reference's.</summary>
    internal float[] InverseFrequencies(int headDim)
    {
        var frequencies = new float[headDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            float frequency = 1f / MathF.Pow(Theta, 2 * i / (float)headDim);
            frequencies[i] = Scaling?.Apply(frequency) ?? frequency;
        }
        return frequencies;
    }
}

/// <summary>
/// Llama 3's scaling: waves longer than the original context turn slower by a factor, short ones are kept, those between are blended
/// (transformers, modeling_rope_utils.py, <c>_compute_llama3_parameters</c>). The published layouts write the same scaling in two ways.
/// </summary>
/// <param name="Factor">How much slower the long waves turn.</param>
/// <param name="LowFreqFactor">Waves longer than original / low are long.</param>
/// <param name="HighFreqFactor">Waves shorter than original / high are short; above <paramref name="LowFreqFactor"/>.</param>
/// <param name="OriginalMaxPositionEmbeddings">Positions of the pre-training.</param>
public sealed record Llama3RopeScaling(float Factor, float LowFreqFactor, float HighFreqFactor, float OriginalMaxPositionEmbeddings)
{
    internal float Apply(float frequency)
    {
        float wavelength = 2 * MathF.PI / frequency;
        if (wavelength > OriginalMaxPositionEmbeddings / LowFreqFactor)
            return frequency / Factor;
        if (wavelength < OriginalMaxPositionEmbeddings / HighFreqFactor)
            return frequency;
        float smooth = (OriginalMaxPositionEmbeddings / wavelength - LowFreqFactor) / (HighFreqFactor - LowFreqFactor);
        return (1 - smooth) * frequency / Factor + smooth * frequency;
    }
}
