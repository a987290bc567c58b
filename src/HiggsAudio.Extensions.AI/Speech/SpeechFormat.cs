using System.Buffers.Binary;
using System.Globalization;

namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>What sound is encoded as: 16-bit mono, as WAV or as bare samples (little-endian).</summary>
/// <param name="IsWav">Whether there is a header.</param>
/// <param name="Rate">The sampling rate that is wanted, in Hz; null for that of the sound.</param>
internal readonly record struct SpeechFormat(bool IsWav, int? Rate = null)
{
    private const int LeastRate = 8000, MostRate = 192_000;

    /// <summary>
    /// Reads a format's name or media type: wav, audio/wav, audio/x-wav, audio/wave, audio/vnd.wave; pcm, pcm16, audio/pcm, audio/l16; a media type may
    /// ask for a sampling rate (<c>audio/l16;rate=16000</c>).
    /// </summary>
    /// <param name="format">The format; null for the default.</param>
    /// <param name="streaming">Whether sound comes in pieces: they are samples by default, a whole is WAV.</param>
    /// <exception cref="NotSupportedException">The format is none of these.</exception>
    public static SpeechFormat Parse(string? format, bool streaming)
    {
        if (string.IsNullOrWhiteSpace(format))
            return new SpeechFormat(!streaming);
        string[] parts = format.Split(';', StringSplitOptions.TrimEntries);
        bool? isWav = parts[0].ToLowerInvariant() switch
        {
            "wav" or "audio/wav" or "audio/x-wav" or "audio/wave" or "audio/vnd.wave" => true,
            "pcm" or "pcm16" or "audio/pcm" or "audio/l16" => false,
            _ => null,
        };
        if (isWav is null)
            throw new NotSupportedException($"The format '{format}' is not supported: there are wav (audio/wav) and pcm (audio/l16, 16-bit mono).");
        int? rate = Parameter(parts, "rate") is { } value ? ReadRate(value, format) : null;
        if (Parameter(parts, "channels") is not (null or "1"))
            throw new NotSupportedException($"The format '{format}' is not supported: sound is mono.");
        return new SpeechFormat(isWav.Value, rate);
    }

    /// <summary>The media type of the sound; bare samples say their rate and channels.</summary>
    public string MediaType(int rate) => IsWav ? "audio/wav" : string.Create(CultureInfo.InvariantCulture, $"audio/l16;rate={rate};channels=1");

    /// <summary>The header of a WAV file of unknown length.</summary>
    public static byte[] OpenHeader(int rate)
    {
        var stream = new MemoryStream();
        _ = new WavWriter(stream, rate, leaveOpen: true);   // not disposed, which would write the length
        return stream.ToArray();
    }

    /// <summary>Samples as bytes, after a number of bytes that are left free.</summary>
    public static byte[] Encode(ReadOnlySpan<float> samples, ReadOnlySpan<byte> before = default)
    {
        var bytes = new byte[before.Length + 2 * samples.Length];
        before.CopyTo(bytes);
        for (int i = 0; i < samples.Length; i++)
            BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(before.Length + 2 * i), (short)Math.Clamp(MathF.Round(samples[i] * 32768), -32768, 32767));
        return bytes;
    }

    /// <summary>Bytes as samples.</summary>
    public static float[] Decode(ReadOnlySpan<byte> bytes)
    {
        var samples = new float[bytes.Length / 2];
        for (int i = 0; i < samples.Length; i++)
            samples[i] = BinaryPrimitives.ReadInt16LittleEndian(bytes[(2 * i)..]) / 32768f;
        return samples;
    }

    /// <summary>A parameter of a media type that was divided at its semicolons; null if it has none of the name.</summary>
    public static string? Parameter(IEnumerable<string> parts, string name) =>
        (from part in parts.Skip(1)
         let at = part.IndexOf('=', StringComparison.Ordinal)
         where at > 0 && part[..at].Trim().Equals(name, StringComparison.OrdinalIgnoreCase)
         select part[(at + 1)..].Trim().Trim('"')).FirstOrDefault();

    private static int ReadRate(string value, string format) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int rate) && rate is >= LeastRate and <= MostRate
            ? rate
            : throw new NotSupportedException($"The format '{format}' is not supported: the sampling rate must be {LeastRate} to {MostRate} Hz.");
}
