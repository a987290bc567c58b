using HiggsAudio.Compute;

namespace HiggsAudio;

/// <summary>How to load an <see cref="AudioCodec"/>.</summary>
public sealed record AudioCodecOptions
{
    /// <summary>Threads that one call uses, its caller's included; 0 for one per core.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// Reads only what decoding needs (about a ninth of the published weights), and works on files that hold no more than that.
    /// <see cref="AudioCodec.Encode"/> is then not available.
    /// </summary>
    public bool DecodeOnly { get; init; }

    /// <summary>
    /// The format to keep the network's weights in: as stored (the file's numbers, laid out for speed), 32-bit floats or bfloat16. Codebooks are 32-bit
    /// floats in any case. With bfloat16 a few codes differ from the reference's.
    /// </summary>
    public WeightFormat WeightFormat { get; init; } = WeightFormat.AsStored;
}
