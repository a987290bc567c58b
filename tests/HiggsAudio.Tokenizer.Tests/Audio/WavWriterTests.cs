using HiggsAudio.Audio;
using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests.Audio;

public sealed class WavWriterTests
{
    private static readonly float[] Samples = [.. Enumerable.Range(0, 20_000).Select(i => i % 1000 / 1024f)];

    [Test]
    public void Pieces_give_the_same_file_as_the_whole([Values] WavFormat format)
    {
        using var pieces = new MemoryStream();
        pieces.Write([1, 2, 3]); // the file need not begin where the stream does
        using (var writer = new WavWriter(pieces, 24000, format, leaveOpen: true))
        {
            for (int i = 0; i < Samples.Length; i += 333)
                writer.Write(Samples.AsSpan(i, Math.Min(333, Samples.Length - i)));
            Assert.That(writer.Length, Is.EqualTo(Samples.Length));
        }
        Assert.That(pieces.Position, Is.EqualTo(pieces.Length));
        using var whole = new MemoryStream();
        new Waveform(Samples, 24000).SaveWav(whole, format);
        Assert.That(pieces.ToArray()[3..], Is.EqualTo(whole.ToArray()));
    }

    [Test]
    public void A_stream_that_cannot_seek_gets_sizes_that_mean_until_the_end([Values] WavFormat format)
    {
        using var sink = new Sink();
        using (var writer = new WavWriter(sink, 24000, format))
            writer.Write(Samples);
        byte[] file = sink.Written.ToArray();
        Assert.That(BitConverter.ToUInt32(file, 4), Is.EqualTo(uint.MaxValue));
        Assert.That(Waveform.Load(new MemoryStream(file)).Span.SequenceEqual(Samples), Is.True);
    }

    [Test]
    public void A_file_that_was_not_completed_can_be_read()
    {
        using var stream = new MemoryStream();
        using var writer = new WavWriter(stream, 24000, leaveOpen: true);
        writer.Write(Samples);
        Assert.That(Waveform.Load(new MemoryStream(stream.ToArray())).Length, Is.EqualTo(Samples.Length));
    }

    [Test]
    public void The_header_of_16_bit_files_has_the_usual_44_bytes()
    {
        using var stream = new MemoryStream();
        new Waveform([0.5f, -0.5f], 24000).SaveWav(stream);
        Assert.That(stream.ToArray(), Is.EqualTo(WavBytes.Pcm16(16384, -16384)));
    }

    [Test]
    public void More_than_4_GiB_get_64_bit_sizes([Values] WavFormat format)
    {
        const long Count = 5_000_000_000;
        using var stream = new MemoryStream();
        WavHeader.Write(stream, 24000, format, Count);
        byte[] header = stream.ToArray();
        Assert.That(header[..4], Is.EqualTo(WavBytes.Text("RF64")));
        Assert.That(BitConverter.ToUInt64(header, 20), Is.EqualTo((ulong)(header.Length - 8 + Count * WavHeader.BytesPerSample(format))));
        Assert.That(BitConverter.ToUInt64(header, 28), Is.EqualTo((ulong)(Count * WavHeader.BytesPerSample(format))));
        WavWriter.WriteSamples(stream, Samples, format);
        stream.Position = 0;
        Assert.That(Waveform.Load(stream).Span.SequenceEqual(Samples), Is.True);
        Assert.That(WavHeader.IsLarge(format, uint.MaxValue / WavHeader.BytesPerSample(format) - 100), Is.False);
        Assert.That(WavHeader.IsLarge(format, uint.MaxValue / WavHeader.BytesPerSample(format)), Is.True);
    }

    [Test]
    public void Refuses_samples_that_are_not_finite_and_use_after_disposal()
    {
        using var stream = new MemoryStream();
        var writer = new WavWriter(stream, 24000, leaveOpen: true);
        Assert.That(() => writer.Write([0, float.NaN]), Throws.ArgumentException.With.Message.Contains("index 1"));
        Assert.That(writer.Length, Is.Zero);
        writer.Dispose();
        writer.Dispose();
        Assert.That(() => writer.Write([0]), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(Waveform.Load(new MemoryStream(stream.ToArray())).Length, Is.Zero);
        Assert.That(() => new WavWriter(stream, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
