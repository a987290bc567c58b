using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Tests;

/// <summary>The encoder's weights are checked at once and read when they are needed.</summary>
public class LazyEncoderTests
{
    private static readonly string Folder = Path.Combine(Golden.Repository, "tests", "golden", "codec_b");
    private static readonly float[] Noise = [.. Enumerable.Range(0, 9600).Select(i => MathF.Sin(i * i * 0.01f) * 0.3f)];

    [Test]
    public void Only_the_decoders_weights_are_read_until_something_is_encoded()
    {
        using var device = new CountingDevice();
        using AudioCodec codec = AudioCodec.Load(Folder, device, new AudioCodecOptions());
        int loaded = device.Weights;
        using (var decoderDevice = new CountingDevice())
        using (AudioCodec.Load(Folder, decoderDevice, new AudioCodecOptions { DecodeOnly = true }))
            Assert.That(loaded, Is.InRange(decoderDevice.Weights, decoderDevice.Weights + 2 * codec.Codebooks), "beside them the quantizer's inputs");
        codec.Decode(new AudioCodes(codec.Codebooks, new int[4 * codec.Codebooks]));
        Assert.That((codec.HasReadEncoder, device.Weights), Is.EqualTo((false, loaded)));
        codec.PrepareToEncode();
        int all = device.Weights;
        Assert.That(all, Is.GreaterThan(2 * loaded));
        codec.EncodeMono(Noise);
        codec.PrepareToEncode();
        Assert.That((codec.HasReadEncoder, device.Weights), Is.EqualTo((true, all)));
    }

    [Test]
    public void Many_that_encode_at_once_wait_for_one_reading()
    {
        using var device = new CountingDevice();
        using AudioCodec codec = AudioCodec.Load(Folder, device, new AudioCodecOptions()), alone = AudioCodec.Load(Folder);
        int loaded = device.Weights;
        AudioCodes expected = alone.EncodeMono(Noise);
        using var start = new Barrier(8);
        AudioCodes[] codes = [.. Enumerable.Range(0, 8).AsParallel().WithDegreeOfParallelism(8).WithExecutionMode(ParallelExecutionMode.ForceParallelism).Select(_ =>
        {
            start.SignalAndWait();
            return codec.EncodeMono(Noise);
        })];
        Assert.That(codes, Has.All.EqualTo(expected));
        using var once = new CountingDevice();
        using AudioCodec other = AudioCodec.Load(Folder, once, new AudioCodecOptions());
        other.PrepareToEncode();
        Assert.That(device.Weights, Is.EqualTo(once.Weights).And.GreaterThan(loaded));
    }

    [TestCase("encoder.block.2.block.4.weight_v")]
    [TestCase("encoder_semantic.conv_blocks.1.res_units.0.conv2.weight")]
    [TestCase("semantic_model.encoder.layers.0.final_layer_norm.weight")]
    [TestCase("semantic_model.encoder.pos_conv_embed.conv.weight_g")]
    public void A_broken_encoder_is_found_while_loading_and_nothing_of_it_read(string tensor)
    {
        using var folder = new CodecFolder();
        (long[] shape, float[] values) = folder.Tensors[tensor];
        shape[Array.IndexOf(shape, shape.Max())]--;
        folder.Tensors[tensor] = (shape, values[..(int)shape.Aggregate(1L, (a, b) => a * b)]);
        folder.Write();
        using CountingDevice device = new(), whole = new();
        AudioCodec.Load(Folder, whole, new AudioCodecOptions()).Dispose();
        Assert.That(() => AudioCodec.Load(folder.Path, device, new AudioCodecOptions()), Throws.TypeOf<CheckpointException>().With.Message.Contains(tensor));
        Assert.That(device.Weights, Is.AtMost(whole.Weights));
    }

    [Test]
    public void The_part_that_is_done_grows_to_the_end([Values] bool decodeOnly)
    {
        var parts = new List<double>();
        AudioCodec.Load(Folder, new AudioCodecOptions { DecodeOnly = decodeOnly }, new Told(parts.Add)).Dispose();
        Assert.That(parts, Is.Ordered);
        Assert.That((parts[0], parts[^1]), Is.EqualTo((0.0, 1.0)));
        Assert.That(parts.Distinct().Count(), Is.GreaterThan(20));
    }

    [Test]
    public void A_token_that_ends_after_loading_ends_nothing()
    {
        using var source = new CancellationTokenSource();
        var parts = new List<double>();
        using AudioCodec codec = AudioCodec.Load(Folder, progress: new Told(parts.Add), cancellationToken: source.Token);
        Assert.That(parts, Is.Ordered.And.All.InRange(0, 1));
        Assert.That((parts[0], parts[^1]), Is.EqualTo((0.0, 1.0)));
        int told = parts.Count;
        source.Cancel();
        codec.EncodeMono(Noise);
        Assert.That(parts, Has.Count.EqualTo(told));
    }

    [Test]
    public void Loading_can_be_ended_between_two_weights()
    {
        using var source = new CancellationTokenSource();
        using var device = new CountingDevice();
        var told = new Told(part =>
        {
            if (part > 0.3)
                source.Cancel();
        });
        Assert.That(() => AudioCodec.Load(Folder, device, new AudioCodecOptions(), told, source.Token), Throws.InstanceOf<OperationCanceledException>());
        using var whole = new CountingDevice();
        AudioCodec.Load(Folder, whole, new AudioCodecOptions()).Dispose();
        Assert.That(device.Weights, Is.InRange(1, whole.Weights - 1));
    }

    [Test]
    public void A_lack_of_memory_is_told_to_those_who_encode_only()
    {
        using var device = new CountingDevice();
        using AudioCodec codec = AudioCodec.Load(Folder, device, new AudioCodecOptions());
        device.MostWeights = device.Weights + 5;
        Assert.That(() => codec.EncodeMono(Noise), Throws.InstanceOf<OutOfMemoryException>());
        Assert.That(codec.PrepareToEncode, Throws.InstanceOf<OutOfMemoryException>());
        Assert.That(device.Weights, Is.EqualTo(device.MostWeights), "it is not tried again and again");
        Assert.That(codec.Decode(new AudioCodes(codec.Codebooks, new int[4 * codec.Codebooks])).Samples.Length, Is.EqualTo(4 * codec.HopLength));
    }

    [Test]
    public void The_file_is_let_go_by_a_codec_that_never_encoded()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("Mappings are listed on Linux.");
        using var folder = new CodecFolder();
        folder.Write();
        AudioCodec codec = AudioCodec.Load(folder.Path);
        Assert.That(File.ReadAllText("/proc/self/maps"), Does.Contain(folder.Path));
        codec.Dispose();
        Assert.That(File.ReadAllText("/proc/self/maps"), Does.Not.Contain(folder.Path));
        Assert.That(() => codec.EncodeMono(Noise), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(codec.PrepareToEncode, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Disposing_waits_for_the_reading([Range(0, 9)] int milliseconds)
    {
        using AudioCodec other = AudioCodec.Load(Folder);
        AudioCodes expected = other.EncodeMono(Noise);
        AudioCodec codec = AudioCodec.Load(Folder);
        using var started = new ManualResetEventSlim();
        Task<AudioCodes?> encoding = Task.Run(() =>
        {
            started.Set();
            try
            {
                return codec.EncodeMono(Noise);
            }
            catch (ObjectDisposedException)
            {
                return null;
            }
        });
        started.Wait();
        Thread.Sleep(milliseconds);
        codec.Dispose();
        Assert.That(encoding.Result, Is.EqualTo(expected).Or.Null);
    }

    private sealed class Told(Action<double> then) : IProgress<double>
    {
        public void Report(double value) => then(value);
    }

    /// <summary>A CPU device that counts the weights it was asked for.</summary>
    private sealed class CountingDevice : Device
    {
        private readonly CpuDevice _device = new(2);
        private int _weights;

        public int Weights => Volatile.Read(ref _weights);

        public int MostWeights { get; set; } = int.MaxValue;

        public override string Name => _device.Name;

        public override long KvCacheBytes => _device.KvCacheBytes;

        public override Weight CreateWeight(ReadOnlySpan<CheckpointTensor> parts, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
        {
            Count();
            return _device.CreateWeight(parts, rows, columns, use, format);
        }

        public override Weight CreateWeight(ReadOnlySpan<float> values, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
        {
            Count();
            return _device.CreateWeight(values, rows, columns, use, format);
        }

        public override KvCache CreateKvCache(KvCacheShape shape) => _device.CreateKvCache(shape);

        public override Backend CreateLane() => _device.CreateLane();

        protected override void Dispose(bool disposing) => _device.Dispose();

        private void Count()
        {
            if (Weights == MostWeights)
                throw new InsufficientMemoryException();
            Interlocked.Increment(ref _weights);
        }
    }
}
