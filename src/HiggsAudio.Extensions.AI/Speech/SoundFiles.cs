using System.Globalization;
using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>Sound that callers hand in: WAV files and bare samples.</summary>
internal static class SoundFiles
{
    private const int DefaultRate = 24000;

    /// <summary>Whether a media type is that of bare samples.</summary>
    public static bool IsSamples(string mediaType) => Name(mediaType) is "audio/l16" or "audio/pcm";

    /// <summary>Whether a media type is that of a WAV file.</summary>
    public static bool IsWav(string mediaType) => Name(mediaType) is "audio/wav" or "audio/x-wav" or "audio/wave" or "audio/vnd.wave";

    /// <summary>Bare samples as sound.</summary>
    /// <param name="bytes">16-bit samples, little-endian.</param>
    /// <param name="mediaType">What they are.</param>
    /// <exception cref="NotSupportedException">They are not mono, or their rate is no number.</exception>
    /// <exception cref="ArgumentException">They are no samples.</exception>
    public static Waveform FromSamples(ReadOnlySpan<byte> bytes, string mediaType)
    {
        string[] parts = mediaType.Split(';', StringSplitOptions.TrimEntries);
        if (SpeechFormat.Parameter(parts, "channels") is not (null or "1"))
            throw new NotSupportedException($"Samples of the type '{mediaType}' cannot be read: they must be mono.");
        int rate = SpeechFormat.Parameter(parts, "rate") is not { } value ? DefaultRate
            : int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
            : throw new NotSupportedException($"Samples of the type '{mediaType}' cannot be read: the rate is not a number.");
        if (bytes.IsEmpty || bytes.Length % 2 != 0)
            throw new ArgumentException($"{bytes.Length} bytes are no 16-bit samples ('{mediaType}').");
        return new Waveform(SpeechFormat.Decode(bytes), rate);
    }

    /// <summary>The WAV file of sound.</summary>
    /// <exception cref="NotSupportedException">It is neither a WAV file nor samples.</exception>
    public static ReadOnlySpan<byte> ToWav(DataContent data)
    {
        if (IsWav(data.MediaType))
            return data.Data.Span;
        if (!IsSamples(data.MediaType))
            throw Unreadable(data);
        using var stream = new MemoryStream();
        FromSamples(data.Data.Span, data.MediaType).SaveWav(stream);
        return stream.ToArray();
    }

    /// <summary>Sound is of a type that is not read.</summary>
    public static NotSupportedException Unreadable(DataContent data) =>
        new($"Audio of the type '{data.MediaType}' cannot be read: there are audio/wav and audio/l16 (16-bit mono samples, little-endian).");

    private static string Name(string mediaType) => mediaType.Split(';')[0].Trim().ToLowerInvariant();
}
