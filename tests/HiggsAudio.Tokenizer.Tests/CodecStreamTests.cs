using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests;

/// <summary>Decoding while codes arrive, against decoding them all.</summary>
internal sealed class CodecStreamTests
{
    private AudioCodec _codec = null!;
    private AudioCodes _codes = null!;
    private float[] _whole = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _codec = AudioCodec.Load(Path.Combine(Golden.Repository, "tests", "golden", "codec_a"), new AudioCodecOptions { DecodeOnly = true, Threads = 2 });
        _codes = RandomCodes(60, seed: 3);
        _whole = _codec.Decode(_codes).Samples.ToArray();
    }

    [OneTimeTearDown]
    public void Unload() => _codec.Dispose();

    [Test]
    public void Joined_chunks_are_the_whole_bit_for_bit([Values(1, 2, 5, 11, 40, 100)] int firstChunk, [Values(1, 3, 10, 25, 64)] int chunk)
    {
        var random = new Random(firstChunk * 100 + chunk);
        var stream = new CodecStream(_codec, new CodecStreamOptions { FirstChunkFrames = firstChunk, ChunkFrames = chunk });
        var samples = new List<float>();
        for (int at = 0; at < _codes.Frames;)
        {
            int count = Math.Min(random.Next(0, 9), _codes.Frames - at);
            samples.AddRange(stream.Write(_codes.Slice(at, count)));
            Assert.That(stream.ReturnedSamples, Is.EqualTo(samples.Count));
            at += count;
            Assert.That(stream.WrittenFrames, Is.EqualTo(at));
        }
        samples.AddRange(stream.Complete());
        Assert.That(samples, Is.EqualTo(_whole));
        Assert.That(stream.Complete(), Is.Empty);
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(13)]
    public void Short_clips_are_whole_too(int frames)
    {
        AudioCodes codes = RandomCodes(frames, seed: frames);
        var stream = new CodecStream(_codec);
        float[] samples = [.. stream.Write(codes), .. stream.Complete()];
        Assert.That(samples, Is.EqualTo(_codec.Decode(codes).Samples.ToArray()));
    }

    [Test]
    public void The_first_chunk_waits_for_the_frames_that_it_depends_on_and_no_more()
    {
        var stream = new CodecStream(_codec, new CodecStreamOptions { FirstChunkFrames = 4 });
        int needed = 4 + _codec.DecoderReachFrames;
        Assert.That(stream.Write(_codes.Slice(0, needed - 1)), Is.Empty);
        Assert.That(stream.Write(_codes.Slice(needed - 1, 1)), Has.Length.EqualTo(4 * _codec.HopLength));
    }

    [Test]
    public void A_low_latency_start_comes_earlier_and_is_exact_after_its_seam()
    {
        var options = new CodecStreamOptions { FirstChunkFrames = 4, ChunkFrames = 8, LowLatencyStart = true, LowLatencyLookAhead = 2 };
        var stream = new CodecStream(_codec, options);
        float[] first = stream.Write(_codes.Slice(0, 6));
        int seam = 4 * _codec.HopLength, held = _codec.SamplingRate / 100;
        Assert.That(first, Has.Length.EqualTo(seam - held));
        float[] samples = [.. first, .. stream.Write(_codes.Slice(6, 54)), .. stream.Complete()];
        Assert.That(samples, Has.Length.EqualTo(_whole.Length));
        Assert.That(samples[seam..], Is.EqualTo(_whole[seam..]));
    }

    // Of the nano voice's codec, whose weights are trained: with random ones all sound is noise, and a click is not to be told from it.
    [Test]
    public void Seams_do_not_click([Values] bool lowLatency)
    {
        string folder = Path.Combine(Golden.Repository, "src", "HiggsAudio.Nano", "checkpoint", "tokenizer");
        using AudioCodec codec = AudioCodec.Load(folder, new AudioCodecOptions { Threads = 1 });
        AudioCodes codes = codec.Encode(Waveform.Load(Path.Combine(Golden.Repository, "tests", "golden", "nano", "ref_2.wav")));
        float[] whole = codec.Decode(codes).Samples.ToArray();
        var stream = new CodecStream(codec, new CodecStreamOptions { FirstChunkFrames = 4, ChunkFrames = 6, LowLatencyStart = lowLatency });
        float[] streamed = [.. Enumerable.Range(0, codes.Frames).SelectMany(t => stream.Write(codes.Slice(t, 1))), .. stream.Complete()];
        Assert.That(streamed, lowLatency ? Is.Not.EqualTo(whole) : Is.EqualTo(whole));
        for (int i = 1; i < whole.Length; i++)
        {
            float jump = MathF.Abs(streamed[i] - streamed[i - 1]), natural = 0;
            for (int j = Math.Max(1, i - 240); j < Math.Min(whole.Length, i + 240); j++)
                natural = MathF.Max(natural, MathF.Abs(whole[j] - whole[j - 1]));
            Assert.That(jump, Is.LessThan(1.5f * natural + 0.01f), $"sample {i}");
        }
    }

    [Test]
    public void A_stream_without_frames_gives_no_samples() => Assert.That(new CodecStream(_codec).Complete(), Is.Empty);

    [Test]
    public void A_completed_stream_takes_no_more_frames()
    {
        var stream = new CodecStream(_codec);
        stream.Complete();
        Assert.That(() => stream.Write(_codes), Throws.InvalidOperationException);
    }

    [Test]
    public void Wrong_codes_and_options_are_refused()
    {
        Assert.That(() => new CodecStream(_codec).Write(new AudioCodes(_codec.Codebooks, new int[_codec.Codebooks].Select(_ => 99999).ToArray())), Throws.ArgumentException);
        Assert.That(() => new CodecStream(_codec).Write(new AudioCodes(2, [1, 2])), Throws.ArgumentException);
        Assert.That(() => new CodecStream(_codec, new CodecStreamOptions { ChunkFrames = 0 }), Throws.ArgumentException.With.Message.Contains("ChunkFrames"));
    }

    private AudioCodes RandomCodes(int frames, int seed)
    {
        var random = new Random(seed);
        return new AudioCodes(_codec.Codebooks, [.. Enumerable.Range(0, frames * _codec.Codebooks).Select(_ => random.Next(_codec.CodebookSize))], _codec.FrameRate);
    }
}
