using NUnit.Framework;
using static HiggsAudio.Tokenizer.Tests.Audio.WavBytes;

namespace HiggsAudio.Tokenizer.Tests.Audio;

public sealed class WavRefusalTests
{
    private static readonly byte[] Data = Chunk("data", Data16(1, 2, 3));

    public static IEnumerable<TestCaseData> Malformed()
    {
        yield return Case("nothing at all", [], "found 0 bytes");
        yield return Case("four bytes", Text("RIFF"), "found 4 bytes");
        yield return Case("no chunks", Riff(), "found neither");
        yield return Case("no format", Riff(Data), "no 'fmt '");
        yield return Case("no data", Riff(Format(1, 1, 16)), "no 'data'");
        yield return Case("short format", Riff(Chunk("fmt ", new byte[14]), Data), "at least 16 bytes, found 14");
        yield return Case("short extensible format", Riff(Format(0xFFFE, 1, 16), Data), "at least 40 bytes, found 16");
        yield return Case("unknown sub-format", Riff(ExtensibleFormat(new byte[16], 1, 16, 16), Data), "sub-format 00000000");
        yield return Case("no channels", Riff(Format(1, 0, 16), Data), "1 channel, found 0");
        yield return Case("no rate", Riff(Format(1, 1, 16, rate: 0), Data), "found 0");
        yield return Case("high rate", Riff(Format(1, 1, 16, rate: 768_001), Data), "768001");
        yield return Case("negative rate", Riff(Format(1, 1, 16, rate: -1), Data), "4294967295");
        yield return Case("40 bits", Riff(Format(1, 1, 40), Data), "40 bits");
        yield return Case("0 bits", Riff(Format(1, 1, 0), Data), "0 bits");
        yield return Case("16 bits in a byte", Riff(Format(1, 1, 16, bytesPerFrame: 1), Data), "16 bits");
        yield return Case("odd frame", Riff(Format(1, 2, 16, bytesPerFrame: 3), Data), "2 channels in 3 bytes");
        yield return Case("16-bit float", Riff(Format(3, 1, 16), Data), "Float samples of 16 bits");
        yield return Case("ADPCM", Riff(Format(0x11, 1, 4), Data), "ADPCM");
        yield return Case("MP3 in WAV", Riff(Format(0x55, 1, 16), Data), "MP3");
        yield return Case("unknown format", Riff(Format(0x1234, 1, 16), Data), "0x1234");
        yield return Case("not a number", Riff(Format(3, 2, 32), Chunk("data", Floats(0, 1, 2, float.NaN))), "NaN in sample 1 of channel 2");
        yield return Case("infinity", Riff(Format(3, 1, 32), Chunk("data", Floats(0, 1, float.NegativeInfinity))), "sample 2 of channel 1");
        yield return Case("64-bit float beyond the range", Riff(Format(3, 1, 64), Chunk("data", BitConverter.GetBytes(1e300))), "sample 0 of channel 1");
        yield return Case("random bytes", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14], "0102030405060708090A0B0C");
    }

    public static IEnumerable<TestCaseData> OtherKinds()
    {
        yield return Case("ID3", Text("ID3\u0003\0\0\0\0\0\0\0\0\0\0"), "found MP3");
        yield return Case("MPEG frame", [0xFF, 0xFB, 0x90, 0x64, 0, 0, 0, 0, 0, 0, 0, 0], "found MP3");
        yield return Case("ADTS", [0xFF, 0xF1, 0x50, 0x80, 0, 0, 0, 0, 0, 0, 0, 0], "found AAC");
        yield return Case("FLAC", Text("fLaC\0\0\0\u0022\0\0\0\0"), "found FLAC");
        yield return Case("Ogg", Text("OggS\0\0\0\0\0\0\0\0"), "found Ogg");
        yield return Case("MP4", Text("\0\0\0 ftypM4A "), "found MP4");
        yield return Case("WebM", [0x1A, 0x45, 0xDF, 0xA3, 0, 0, 0, 0, 0, 0, 0, 0], "found Matroska or WebM");
        yield return Case("AIFF", Text("FORM\0\0\0\0AIFF"), "found AIFF");
        yield return Case("RIFX", Text("RIFX\0\0\0\0WAVE"), "big-endian");
        yield return Case("AVI", Text("RIFF\0\0\0\0AVI "), "AVI");
    }

    [TestCaseSource(nameof(Malformed))]
    public void Malformed_files_are_refused(byte[] file, string message)
    {
        Assert.That(() => Waveform.Load(new MemoryStream(file)), Throws.InstanceOf<AudioFormatException>().With.Message.Contains(message));
        Assert.That(() => Waveform.Load(new Pipe(file)), Throws.InstanceOf<AudioFormatException>().With.Message.Contains(message));
    }

    [TestCaseSource(nameof(OtherKinds))]
    public void Other_kinds_of_audio_are_refused_by_name_with_a_hint(byte[] file, string message) =>
        Assert.That(() => Waveform.Load(new MemoryStream(file)),
            Throws.InstanceOf<AudioFormatException>().With.Message.Contains(message).And.Message.Contains("Convert it to WAV"));

    [Test]
    public void The_message_names_the_file()
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, "not-audio.wav");
        File.WriteAllText(path, "hello, this is text");
        Assert.That(() => Waveform.Load(path), Throws.InstanceOf<AudioFormatException>().With.Message.StartsWith(path));
        File.Delete(path);
        Assert.That(() => Waveform.Load(path), Throws.InstanceOf<FileNotFoundException>());
    }

    [Test]
    public void Lying_sizes_take_no_memory()
    {
        // Every chunk claims 4 GiB. The first reading sets up what is set up once.
        byte[] data = Riff(Format(1, 1, 16), Chunk("data", new byte[10], 0xFFFFFFF0)), other = Riff(Chunk("LIST", new byte[10], 0xFFFFFFF1), Format(1, 1, 16));
        byte[] early = Riff(Chunk("data", new byte[10], 0xFFFFFFF0)), format = Riff(Chunk("fmt ", Format(1, 1, 16)[8..], 0xFFFFFFF0), Data);
        foreach (byte[] file in new[] { data, other, early, format, data, other, early, format })
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Try(new Pipe(file));
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(4 << 20));
        }
    }

    [Test]
    public void Random_damage_is_refused_or_read()
    {
        byte[] sizes = Chunk("ds64", Join(BitConverter.GetBytes(100UL), BitConverter.GetBytes(80UL), BitConverter.GetBytes(20UL), BitConverter.GetBytes(0)));
        byte[][] files =
        [
            Riff(Chunk("LIST", [1, 2, 3]), ExtensibleFormat(FloatGuid, 1, 32, 32), Chunk("fact", new byte[4]), Chunk("data", new byte[80]), Chunk("LIST", new byte[9])),
            Riff(Chunk("data", new byte[81]), Format(1, 2, 24)),
            Join(Text("RF64"), BitConverter.GetBytes(uint.MaxValue), Text("WAVE"), sizes, Format(1, 1, 16), Chunk("data", new byte[80], uint.MaxValue)),
        ];
        var random = new Random(1);
        int read = 0;
        for (int i = 0; i < 3000; i++)
        {
            byte[] file = [.. files[i % files.Length]];
            for (int changes = random.Next(1, 6); changes > 0; changes--)
                file[random.Next(file.Length)] = random.Next(4) switch { 0 => 0, 1 => 255, 2 => (byte)(1 << random.Next(8)), _ => (byte)random.Next(256) };
            if (random.Next(4) == 0)
                file = file[..random.Next(file.Length)];
            read += Try(i % 2 == 0 ? new MemoryStream(file) : new Pipe(file)) ? 1 : 0;
        }
        Assert.That(read, Is.InRange(300, 2700), "some damage does not matter, some does");
    }

    /// <summary>Whether a file is read; false if it is refused as it should be.</summary>
    private static bool Try(Stream stream)
    {
        try
        {
            Waveform wave = Waveform.Load(stream);
            Assert.That(Waveform.IndexOfNonFinite(wave.Span), Is.EqualTo(-1));
            return true;
        }
        catch (AudioFormatException)
        {
            return false;
        }
    }

    private static byte[] Floats(params float[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static TestCaseData Case(string name, byte[] file, string message) => new TestCaseData(file, message).SetArgDisplayNames(name);
}
