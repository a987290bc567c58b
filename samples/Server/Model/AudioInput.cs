using System.Buffers.Binary;
using HiggsAudio.Server.Http;

namespace HiggsAudio.Server.Model;

/// <summary>Reads recordings that are sent. Addresses and paths are refused: the server fetches nothing and opens no file for a caller.</summary>
internal static class AudioInput
{
    private const int LeastRate = 4000, MostRate = 192_000, PcmRate = 24_000;
    private const string DataUrl = "data:";

    /// <summary>A WAV file.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="mostSeconds">How long it may be.</param>
    /// <param name="param">The request's member, for the error.</param>
    /// <exception cref="ApiException">It is not WAV, broken, empty, or too long.</exception>
    public static Waveform ReadWav(byte[] bytes, int mostSeconds, string param)
    {
        Waveform sound;
        try
        {
            sound = Waveform.Load(new MemoryStream(bytes, writable: false));
        }
        catch (AudioFormatException problem)
        {
            throw ApiException.Invalid(problem.Message, param, "invalid_audio", problem);
        }
        // Sound at a very low rate would become very long at the model's.
        if (sound.SamplingRate is < LeastRate or > MostRate)
            throw ApiException.Invalid($"The recording has {sound.SamplingRate} samples a second; {LeastRate} to {MostRate} are allowed.", param, "invalid_audio");
        return Check(sound, mostSeconds, param);
    }

    /// <summary>Samples of 24 kHz, 16 bit, little-endian, mono.</summary>
    /// <inheritdoc cref="ReadWav"/>
    public static Waveform ReadPcm(byte[] bytes, int mostSeconds, string param)
    {
        var samples = new float[bytes.Length / 2];
        for (int i = 0; i < samples.Length; i++)
            samples[i] = BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(2 * i)) / 32768f;
        return Check(new Waveform(samples, PcmRate), mostSeconds, param);
    }

    /// <summary>A WAV file as <c>data:audio/wav;base64,…</c>.</summary>
    /// <inheritdoc cref="ReadWav"/>
    public static Waveform ReadDataUrl(string url, int mostSeconds, string param)
    {
        int comma = url.IndexOf(',', StringComparison.Ordinal);
        if (!url.StartsWith(DataUrl, StringComparison.OrdinalIgnoreCase) || comma < 0 || !url.AsSpan(0, comma).EndsWith(";base64", StringComparison.OrdinalIgnoreCase))
            throw ApiException.Invalid("A recording is sent as 'data:audio/wav;base64,…'; the server fetches no addresses and opens no files.", param);
        try
        {
            return ReadWav(Convert.FromBase64String(url[(comma + 1)..]), mostSeconds, param);
        }
        catch (FormatException problem)
        {
            throw ApiException.Invalid("The recording is not Base64.", param, "invalid_base64", problem);
        }
    }

    private static Waveform Check(Waveform sound, int mostSeconds, string param)
    {
        if (sound.Length == 0)
            throw ApiException.Invalid("The recording is empty.", param, "invalid_audio");
        if (sound.Duration > TimeSpan.FromSeconds(mostSeconds))
            throw ApiException.Invalid(FormattableString.Invariant($"The recording is {sound.Duration.TotalSeconds:0.0} s long; {mostSeconds} s are allowed."), param, "audio_too_long");
        return sound;
    }
}
