using System.Diagnostics.CodeAnalysis;

namespace HiggsAudio.Compute;

/// <summary>How formats of weights are written on command lines and in configurations.</summary>
public static class WeightFormatText
{
    /// <summary>The words that <see cref="TryParse"/> knows, for messages.</summary>
    public const string Words = "float32 (f32), bfloat16 (bf16), int8, int4 or as-stored";

    /// <summary>Reads a format: one of <see cref="Words"/>, in upper or lower case.</summary>
    /// <param name="text">The word.</param>
    /// <param name="format">The format; <see cref="WeightFormat.AsStored"/> if there is none of that name.</param>
    /// <returns>Whether there is a format of that name.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out WeightFormat format)
    {
        WeightFormat? found = text?.ToUpperInvariant() switch
        {
            "FLOAT32" or "F32" => WeightFormat.Float32,
            "BFLOAT16" or "BF16" => WeightFormat.BFloat16,
            "INT8" => WeightFormat.Int8,
            "INT4" => WeightFormat.Int4,
            "AS-STORED" or "ASSTORED" => WeightFormat.AsStored,
            _ => null,
        };
        format = found ?? WeightFormat.AsStored;
        return found is not null;
    }
}
