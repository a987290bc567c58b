using HiggsAudio.Testing;
using NUnit.Framework;
using static HiggsAudio.Tokenizer.Tests.Audio.WavBytes;

namespace HiggsAudio.Tokenizer.Tests.Audio;

public sealed class WavReadingTests
{
    private static readonly float[] Expected = [0, 0.5f, -0.25f, -1, 0.75f];

    public static IEnumerable<TestCaseData> Codings()
    {
        yield return Case("8 bits", Format(1, 1, 8), v => [(byte)(v * 128 + 128)]);
        yield return Case("16 bits", Format(1, 1, 16), v => BitConverter.GetBytes((short)(v * 32768)));
        yield return Case("24 bits", Format(1, 1, 24), v => BitConverter.GetBytes((int)(v * 8388608))[..3]);
        yield return Case("32 bits", Format(1, 1, 32), v => BitConverter.GetBytes((int)(v * 2147483648.0)));
        yield return Case("12 bits in 16", Format(1, 1, 12), v => BitConverter.GetBytes((short)(v * 32768)));
        yield return Case("20 bits in 32", Format(1, 1, 20, bytesPerFrame: 4), v => BitConverter.GetBytes((int)(v * 2147483648.0)));
        yield return Case("no frame size", Format(1, 1, 16, bytesPerFrame: 0), v => BitConverter.GetBytes((short)(v * 32768)));
        yield return Case("32-bit float", Format(3, 1, 32), v => BitConverter.GetBytes((float)v));
        yield return Case("64-bit float", Format(3, 1, 64), BitConverter.GetBytes);
        yield return Case("extensible 24 bits", ExtensibleFormat(PcmGuid, 1, 24, 20), v => BitConverter.GetBytes((int)(v * 8388608))[..3]);
        yield return Case("extensible float", ExtensibleFormat(FloatGuid, 1, 32, 32), v => BitConverter.GetBytes((float)v));

        static TestCaseData Case(string name, byte[] format, Func<double, byte[]> encode) =>
            new TestCaseData(format, encode).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Codings))]
    public void Reads_every_coding(byte[] format, Func<double, byte[]> encode)
    {
        byte[] data = [.. Expected.SelectMany(v => encode(v))];
        Waveform wave = Load(Riff(format, Chunk("data", data)));
        Assert.That(wave.SamplingRate, Is.EqualTo(24000));
        Assert.That(wave.Span.ToArray(), Is.EqualTo(Expected));
    }

    [Test]
    public void Reads_A_law_and_µ_law([Values] bool mu)
    {
        // The ends of the scale and the values next to zero, from the tables of G.711.
        (byte Code, int Value)[] cases = mu
            ? [(0x00, -32124), (0x80, 32124), (0x7F, 0), (0xFF, 0), (0xFE, 8), (0x7E, -8), (0xEF, 132), (0x8F, 16764)]
            : [(0x2A, -32256), (0xAA, 32256), (0x55, -8), (0xD5, 8), (0xD4, 24), (0x54, -24), (0xC5, 264), (0xF5, 528)];
        Waveform wave = Load(Riff(Format(mu ? 7 : 6, 1, 8), Chunk("data", [.. cases.Select(c => c.Code)])));
        Assert.That(wave.Span.ToArray().Select(v => v * 32768), Is.EqualTo(cases.Select(c => (float)c.Value)));
    }

    [Test]
    public void Several_channels_give_their_mean()
    {
        Waveform stereo = Load(Riff(Format(1, 2, 16), Chunk("data", Data16(16384, 0, -32768, 32767, 1000, 1000))));
        Assert.That(stereo.Span.ToArray(), Is.EqualTo(new[] { 0.25f, -0.5f / 32768, 1000f / 32768 }));
        Waveform six = Load(Riff(Format(1, 6, 16), Chunk("data", Data16(600, 1200, 1800, 2400, 3000, 3600))));
        Assert.That(six.Span.ToArray(), Is.EqualTo(new[] { 2100f / 32768 }));
        Waveform loud = Load(Riff(Format(3, 2, 32), Chunk("data", Join(BitConverter.GetBytes(float.MaxValue), BitConverter.GetBytes(float.MaxValue)))));
        Assert.That(loud.Span.ToArray(), Is.EqualTo(new[] { float.MaxValue }));
    }

    [Test]
    public void Other_chunks_may_be_anywhere_and_have_odd_lengths()
    {
        byte[] data = Chunk("data", Data16(1, 2, 3)), format = Format(1, 1, 16), odd = Chunk("LIST", [1, 2, 3]);
        short[] expected = [1, 2, 3];
        Assert.That(Codes(Riff(odd, format, odd, odd, data, odd)), Is.EqualTo(expected));
        Assert.That(Codes(Riff(odd, data, odd, format, odd)), Is.EqualTo(expected), "data before its format");
        Assert.That(Codes(Riff(Chunk("data", Data16(1, 2, 3)), Format(1, 1, 16, bytesPerFrame: 2))), Is.EqualTo(expected), "format last");
        Assert.That(Codes(Riff(Chunk("fmt ", Join(format[8..], new byte[31])), data)), Is.EqualTo(expected), "a long format");
        Assert.That(Load(Riff(Chunk("data", [128, 255, 0]), Format(1, 1, 8))).Length, Is.EqualTo(3), "odd data before its format");
    }

    [Test]
    public void Reads_what_streaming_writers_leave()
    {
        byte[] format = Format(1, 1, 16), samples = Data16(1, 2, 3);
        foreach ((uint riff, uint data) in new[] { (uint.MaxValue, uint.MaxValue), (0u, 0u), (uint.MaxValue, 0u), (36u, 0u), (0x7FFFFFFFu, 0x7FFFFFFFu - 36) })
        {
            byte[] file = Join(Text("RIFF"), BitConverter.GetBytes(riff), Text("WAVE"), format, Chunk("data", samples, data));
            Assert.That(Codes(file), Is.EqualTo(new short[] { 1, 2, 3 }), $"sizes {riff:X} and {data:X}");
            using var pipe = new Pipe(file);
            Assert.That(Waveform.Load(pipe).Length, Is.EqualTo(3));
        }
    }

    [Test]
    public void Empty_data_is_an_empty_waveform()
    {
        Assert.That(Load(Riff(Format(1, 1, 16), Chunk("data", []))).Length, Is.Zero);
        Assert.That(Load(Riff(Format(1, 1, 16), Chunk("data", []), Chunk("LIST", new byte[100]))).Length, Is.Zero, "with another chunk after it");
    }

    [Test]
    public void Reads_64_bit_sizes([Values("RF64", "BW64")] string id)
    {
        byte[] sizes = Chunk("ds64", Join(BitConverter.GetBytes(100UL), BitConverter.GetBytes(6UL), BitConverter.GetBytes(3UL), BitConverter.GetBytes(0)));
        byte[] file = Join(Text(id), BitConverter.GetBytes(uint.MaxValue), Text("WAVE"), sizes, Format(1, 1, 16),
            Chunk("data", Data16(1, 2, 3), uint.MaxValue), Chunk("LIST", new byte[50]));
        Assert.That(Codes(file), Is.EqualTo(new short[] { 1, 2, 3 }), "the chunk after the data is not samples");
        foreach (ulong lie in new[] { ulong.MaxValue, 1UL << 62, 1UL << 40 })
        {
            BitConverter.GetBytes(lie).CopyTo(file, 12 + 8 + 8);
            Assert.That(Codes(file), Has.Length.EqualTo(3 + 29), "a size beyond the end gives what is there");
        }
    }

    [Test]
    public void A_truncated_file_gives_its_whole_frames()
    {
        byte[] file = Riff(Format(1, 2, 16), Chunk("data", Data16(1, 1, 2, 2, 3, 3)));
        for (int cut = 0; cut <= 12; cut++)
            Assert.That(Codes(file[..^cut]), Is.EqualTo(new short[] { 1, 2, 3 }[..((12 - cut) / 4)]), $"without the last {cut} bytes");
    }

    [Test]
    public void Reads_from_a_stream_that_cannot_seek()
    {
        using var pipe = new Pipe(Riff(Chunk("junk", new byte[5001]), Format(1, 1, 16), Chunk("data", Data16([.. Enumerable.Range(0, 100_000).Select(i => (short)i)]))));
        Waveform wave = Waveform.Load(pipe);
        Assert.That(wave.Length, Is.EqualTo(100_000));
        Assert.That(wave.Span[99_999], Is.EqualTo(unchecked((short)99_999) / 32768f));
    }

    [TestCase("ref24k.wav", 24000)]
    [TestCase("ref22k_stereo.wav", 22050)]
    public void Reads_the_reference_recordings(string name, int rate)
    {
        string path = Path.Combine(Golden.Repository, "tests", "golden", "e2e", name);
        Waveform wave = Waveform.Load(path);
        Assert.That(wave.SamplingRate, Is.EqualTo(rate));
        byte[] bytes = File.ReadAllBytes(path);
        int channels = bytes[22];
        Assert.That(wave.Length, Is.EqualTo((bytes.Length - 44) / 2 / channels));
        for (int i = 0; i < wave.Length; i++)
        {
            float sum = Enumerable.Range(0, channels).Sum(c => BitConverter.ToInt16(bytes, 44 + 2 * (channels * i + c)) / 32768f);
            Assert.That(wave.Span[i], Is.EqualTo(sum / channels));
        }
    }

    private static Waveform Load(byte[] file) => Waveform.Load(new MemoryStream(file));

    private static short[] Codes(byte[] file) => [.. Load(file).Span.ToArray().Select(v => (short)(v * 32768))];
}
