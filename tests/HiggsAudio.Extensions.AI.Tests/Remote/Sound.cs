using HiggsAudio.Extensions.AI.Speech;

namespace HiggsAudio.Extensions.AI.Tests.Remote;

/// <summary>What the fake servers say.</summary>
internal static class Sound
{
    /// <summary>Samples of a second as bytes, 16-bit little-endian; noise, so that all byte values occur.</summary>
    public static byte[] Pcm { get; } = MakePcm();

    public static byte[] Wav(byte[] pcm, int rate = 24000)
    {
        var stream = new MemoryStream();
        new Waveform(SpeechFormat.Decode(pcm), rate).SaveWav(stream);
        return stream.ToArray();
    }

    private static byte[] MakePcm()
    {
        var bytes = new byte[48000];
        new Random(7).NextBytes(bytes);
        return bytes;
    }
}
