using System.Buffers.Binary;
using HiggsAudio.Server.Http;

namespace HiggsAudio.Server.Model;

/// <summary>How sound is sent.</summary>
internal enum SoundFormat
{
    /// <summary>A WAV file of 16 bits.</summary>
    Wav,

    /// <summary>Samples of 16 bits, little-endian, without a header.</summary>
    Pcm,
}

/// <summary>Sound as bytes.</summary>
internal static class Sound
{
    private const int HeaderBytes = 44;

    /// <summary>Reads a format's name.</summary>
    /// <exception cref="ApiException">It is not one that the server makes.</exception>
    public static SoundFormat Parse(string? name, string param) => name switch
    {
        null or "wav" => SoundFormat.Wav,
        "pcm" or "pcm16" => SoundFormat.Pcm,
        _ => throw ApiException.Invalid("The server makes wav and pcm (16 bit, little-endian, mono).", param, "unsupported_format"),
    };

    /// <summary>The media type.</summary>
    public static string MediaType(SoundFormat format) => format == SoundFormat.Wav ? "audio/wav" : "audio/pcm";

    /// <summary>The format's name.</summary>
    public static string Name(SoundFormat format) => format == SoundFormat.Wav ? "wav" : "pcm";

    /// <summary>A whole clip.</summary>
    /// <param name="samples">As <see cref="Samples"/> gives them.</param>
    /// <param name="samplingRate">Samples a second.</param>
    /// <param name="format">How it is sent.</param>
    public static byte[] Encode(ReadOnlySpan<byte> samples, int samplingRate, SoundFormat format)
    {
        byte[] header = StreamHeader(samplingRate, format);
        if (header.Length > 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), (uint)(header.Length - 8 + samples.Length));
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(header.Length - 4), (uint)samples.Length);
        }
        return [.. header, .. samples];
    }

    /// <summary>The first piece of a stream: a WAV header that leaves the length open, nothing for samples alone.</summary>
    public static byte[] StreamHeader(int samplingRate, SoundFormat format)
    {
        if (format == SoundFormat.Pcm)
            return [];
        var header = new MemoryStream(HeaderBytes);
        using var writer = new WavWriter(header, samplingRate, leaveOpen: true);
        return header.ToArray();   // before the writer is closed and fills the length in
    }

    /// <summary>Samples as 16-bit integers, scaled and rounded as WAV files are.</summary>
    public static byte[] Samples(ReadOnlySpan<float> samples)
    {
        var bytes = new byte[2 * samples.Length];
        for (int i = 0; i < samples.Length; i++)
            BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(2 * i), (short)Math.Clamp(MathF.Round(samples[i] * 32768), -32768, 32767));
        return bytes;
    }
}
