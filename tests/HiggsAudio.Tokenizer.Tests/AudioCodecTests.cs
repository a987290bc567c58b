using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Tests;

public class AudioCodecTests
{
    private static readonly string CodecA = System.IO.Path.Combine(Golden.Repository, "tests", "golden", "codec_a");
    private static readonly string CodecB = System.IO.Path.Combine(Golden.Repository, "tests", "golden", "codec_b");

    private static float[] Sound(int samples) => [.. Enumerable.Range(0, samples).Select(i => MathF.Sin(i * 0.05f + MathF.Sin(i * 0.001f) * 9) * 0.4f)];

    private static AudioCodes RandomCodes(AudioCodec codec, int frames)
    {
        var random = new Random(1);
        return new AudioCodes(codec.Codebooks, [.. Enumerable.Range(0, codec.Codebooks * frames).Select(_ => random.Next(codec.CodebookSize))]);
    }

    [Test]
    public void A_loaded_codec_tells_its_sizes()
    {
        using var codec = AudioCodec.Load(CodecA);
        Assert.That((codec.SamplingRate, codec.HopLength, codec.FrameRate, codec.Codebooks, codec.CodebookSize), Is.EqualTo((24000, 960, 25.0, 8, 1024)));
        Assert.That(codec.DecoderReachFrames, Is.EqualTo(10));
        using var other = AudioCodec.Load(CodecB);
        Assert.That((other.HopLength, other.FrameRate, other.CodebookSize), Is.EqualTo((480, 50.0, 64)));
    }

    [Test]
    public void Loading_reports_progress_up_to_the_whole()
    {
        var parts = new List<double>();
        using var codec = AudioCodec.Load(CodecA, progress: new Reporter(parts.Add));
        Assert.That(parts, Is.Ordered.And.Count.GreaterThan(2));
        Assert.That((parts[0], parts[^1]), Is.EqualTo((0.0, 1.0)));
        Assert.That(() => AudioCodec.Load(CodecA, cancellationToken: new CancellationToken(canceled: true)), Throws.InstanceOf<OperationCanceledException>());
    }

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(32)]
    public void Decoding_in_windows_equals_decoding_at_once(int windowFrames)
    {
        using var fixture = new CodecFixture(CodecA, On.Cpu);
        AudioCodes codes = RandomCodes(fixture.Codec, 45);
        var windowed = new float[45 * fixture.Codec.HopLength];
        fixture.Codec.DecodeFrames(codes, 0, 45, windowed, windowFrames);
        Assert.That(windowed, Is.EqualTo(fixture.Decode(codes).Samples).Within(1e-6f));
    }

    [Test]
    public void Frames_with_the_decoder_s_reach_around_them_are_those_of_the_whole_and_no_fewer_will_do()
    {
        using var fixture = new CodecFixture(CodecA, On.Cpu);
        (AudioCodec codec, int reach) = (fixture.Codec, fixture.Codec.DecoderReachFrames);
        AudioCodes codes = RandomCodes(codec, 40);
        float[] whole = fixture.Decode(codes).Samples[(15 * codec.HopLength)..(20 * codec.HopLength)];
        var part = new float[5 * codec.HopLength];
        codec.DecodeFrames(codes.Slice(15 - reach, 5 + 2 * reach), reach, 5, part);
        Assert.That(part, Is.EqualTo(whole).Within(1e-6f));
        codec.DecodeFrames(codes.Slice(15 - reach + 1, 5 + 2 * (reach - 1)), reach - 1, 5, part);
        Assert.That(part, Is.Not.EqualTo(whole).Within(1e-6f));
    }

    [Test]
    public void A_long_clip_is_decoded_in_windows_of_the_whole()
    {
        using var fixture = new CodecFixture(CodecB, On.Cpu);
        AudioCodes codes = RandomCodes(fixture.Codec, 600);
        Waveform waveform = fixture.Codec.Decode(codes);
        Assert.That(waveform.Samples.ToArray(), Is.EqualTo(fixture.Decode(codes).Samples).Within(1e-6f));
        Assert.That(waveform.SamplingRate, Is.EqualTo(24000));
    }

    [Test]
    public void Callers_on_several_threads_get_what_they_get_alone()
    {
        using var codec = AudioCodec.Load(CodecB);
        float[][] clips = [.. Enumerable.Range(1, 6).Select(i => Sound(i * 1111))];
        AudioCodes[] alone = [.. clips.Select(clip => codec.EncodeMono(clip))];
        float[][] decodedAlone = [.. alone.Select(codes => codec.Decode(codes).Samples.ToArray())];
        var together = new AudioCodes[clips.Length];
        var decodedTogether = new float[clips.Length][];
        Parallel.For(0, clips.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            together[i] = codec.EncodeMono(clips[i]);
            decodedTogether[i] = codec.Decode(together[i]).Samples.ToArray();
        });
        Assert.That(together, Is.EqualTo(alone));
        Assert.That(decodedTogether, Is.EqualTo(decodedAlone));
    }

    [Test]
    public async Task Asynchronous_calls_give_the_same_and_can_be_ended()
    {
        using AudioCodec codec = await AudioCodec.LoadAsync(CodecB);
        var waveform = new Waveform(Sound(5000), codec.SamplingRate);
        AudioCodes codes = await codec.EncodeAsync(waveform);
        Assert.That(codes, Is.EqualTo(codec.Encode(waveform)));
        Assert.That((await codec.DecodeAsync(codes)).Samples.ToArray(), Is.EqualTo(codec.Decode(codes).Samples.ToArray()));

        var ended = new CancellationToken(canceled: true);
        Assert.That(() => codec.Encode(waveform, ended), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(() => codec.Decode(codes, ended), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(async () => await codec.EncodeAsync(waveform, ended), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(async () => await codec.DecodeAsync(codes, ended), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(codec.Encode(waveform), Is.EqualTo(codes), "a call after one that was ended");
    }

    [Test]
    public void Other_rates_are_converted_as_the_reference_does()
    {
        using var codec = AudioCodec.Load(CodecB);
        float[] sound = Sound(22050);
        float[] resampled = Resampler.HighQuality(22050, 24000).Resample(sound);
        Assert.That(codec.Encode(new Waveform(sound, 22050)), Is.EqualTo(codec.EncodeMono(resampled)));
        Assert.That(codec.EncodeMono(resampled).FrameRate, Is.EqualTo(50));
    }

    [Test]
    public void What_is_no_sound_or_not_this_codec_s_codes_is_refused()
    {
        using var codec = AudioCodec.Load(CodecB);
        Assert.That(() => codec.EncodeMono([]), Throws.ArgumentException.With.Message.Contains("no samples"));
        Assert.That(() => codec.EncodeMono([0, float.NaN]), Throws.ArgumentException.With.Message.Contains("index 1"));
        Assert.That(() => codec.EncodeMono([float.PositiveInfinity]), Throws.ArgumentException);
        Assert.That(() => codec.Decode(new AudioCodes(8, [])), Throws.ArgumentException.With.Message.Contains("no frames"));
        Assert.That(() => codec.Decode(new AudioCodes(7, new int[7])), Throws.ArgumentException.With.Message.Contains("7 codebooks"));
        Assert.That(() => codec.Decode(new AudioCodes(8, [0, 0, 64, 0, 0, 0, 0, 0])), Throws.ArgumentException.With.Message.Contains("codebook 2"));
        Assert.That(() => AudioCodec.Load(CodecB, new AudioCodecOptions { WeightFormat = (WeightFormat)99 }), Throws.ArgumentException);
        Assert.That(() => AudioCodec.Load(""), Throws.ArgumentException);
    }

    [Test]
    public async Task Disposing_waits_for_what_is_in_progress()
    {
        for (int round = 0; round < 20; round++)
        {
            AudioCodec codec = AudioCodec.Load(Path.Combine(Golden.Repository, "tests", "golden", "codec_a"), new AudioCodecOptions { Threads = 1 });
            AudioCodes codes = codec.Encode(new Waveform(Sound(20_000), codec.SamplingRate));
            int done = 0;
            Task[] work = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
            {
                for (; ; Interlocked.Increment(ref done))
                    codec.Decode(codes);
            }))];
            while (Volatile.Read(ref done) < 3)
                await Task.Yield();
            codec.Dispose();
            foreach (Task task in work)
                Assert.That(async () => await task, Throws.TypeOf<ObjectDisposedException>());
        }
    }

    [Test]
    public void A_disposed_codec_says_so()
    {
        var codec = AudioCodec.Load(CodecB);
        AudioCodes codes = codec.EncodeMono(Sound(1000));
        codec.Dispose();
        codec.Dispose();
        Assert.That(() => codec.EncodeMono(Sound(1000)), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => codec.Decode(codes), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Weights_in_bfloat16_decode_nearly_the_same()
    {
        using var codec = AudioCodec.Load(CodecA);
        using var half = AudioCodec.Load(CodecA, new AudioCodecOptions { WeightFormat = WeightFormat.BFloat16 });
        AudioCodes codes = RandomCodes(codec, 5);
        float[] expected = codec.Decode(codes).Samples.ToArray(), found = half.Decode(codes).Samples.ToArray();
        Assert.That(found, Is.EqualTo(expected).Within(0.05f));
        Assert.That(found, Is.Not.EqualTo(expected).Within(1e-6f));
    }

    [Test]
    public void Averaged_semantic_frames_are_means_of_the_semantic_model_s()
    {
        using var folder = new CodecFolder("codec_a");
        folder.Config["downsample_mode"] = "avg";
        using var fixture = new CodecFixture(folder.Write().Path, On.Cpu);
        (AudioCodes codes, Dictionary<string, float[]> stages) = fixture.Encode(Sound(4 * 960 + 200));
        float[] hidden = stages["hubert_hidden_mean"], target = stages["semantic_target"];
        int width = 48, frames = hidden.Length / width / 2;
        Assert.That((hidden.Length / width % 2, target.Length, codes.Frames), Is.EqualTo((1, frames * width, frames)));
        for (int i = 0; i < target.Length; i++)
        {
            int row = i / width * 2, column = i % width;
            Assert.That(target[i], Is.EqualTo((hidden[row * width + column] + hidden[(row + 1) * width + column]) / 2).Within(1e-5f));
        }
    }

    [Test]
    public void A_quantizer_narrower_than_what_it_merges_works()
    {
        using var folder = new CodecFolder();
        folder.Config["vq_scale"] = 2;
        var random = new Random(2);
        foreach (string name in folder.Tensors.Keys.Where(k => k.Contains("fc_") || k.EndsWith("_codebook.embed", StringComparison.Ordinal)).ToArray())
        {
            long[] shape = folder.Tensors[name].Shape;
            if (name is "fc_prior.weight" or "fc_prior.bias")
                shape[0] = 32;
            else if (name is "fc_post2.weight" || name.EndsWith("_codebook.embed", StringComparison.Ordinal))
                shape[1] = 32;
            folder.Tensors[name] = (shape, [.. Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)]);
        }
        using var fixture = new CodecFixture(folder.Write().Path, On.Cpu);
        AudioCodes codes = fixture.Codec.EncodeMono(Sound(1920));
        Assert.That(codes.Frames, Is.EqualTo(4));
        Assert.That(fixture.Codec.Decode(codes).Samples.Length, Is.EqualTo(1920));
    }

    [TestCase(16000, 16000, 320)]
    [TestCase(48000, 16000, 960)]
    [TestCase(24000, 24000, 480)]
    [TestCase(8000, 16000, 480)]
    public void Codecs_of_other_rates_encode_and_decode(int rate, int semanticRate, int samplesPerFrame)
    {
        using var folder = new CodecFolder();
        folder.Config["sample_rate"] = rate;
        folder.Config["semantic_sample_rate"] = semanticRate;
        using var fixture = new CodecFixture(folder.Write().Path, On.Cpu);
        AudioCodes codes = fixture.Codec.EncodeMono(Sound(9600));
        // The slower of the two sides decides: a codec's frame is 480 samples, the semantic model's 320 at its own rate.
        Assert.That(codes.Frames, Is.EqualTo(9600 / Math.Max(480, samplesPerFrame)).Within(1));
        Assert.That(fixture.Codec.SamplingRate, Is.EqualTo(rate));
        Assert.That(fixture.Codec.Decode(codes).Samples.Length, Is.EqualTo(codes.Frames * 480));
    }

    [Test]
    public void A_codec_on_a_shared_device_leaves_it_open()
    {
        using var device = new CpuDevice(2);
        AudioCodec first = AudioCodec.Load(CodecB, device, new AudioCodecOptions()), second = AudioCodec.Load(CodecB, device, new AudioCodecOptions());
        AudioCodes codes = first.EncodeMono(Sound(3000));
        first.Dispose();
        Assert.That(second.EncodeMono(Sound(3000)), Is.EqualTo(codes));
        second.Dispose();
        using Backend lane = device.CreateLane();
        Assert.That(lane.Read(lane.Zeros(1, 2)), Is.EqualTo(new float[2]));
    }

    private sealed class Reporter(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
