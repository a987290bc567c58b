using HiggsAudio.Compute;
using HiggsAudio.Model;
using HiggsAudio.Testing.RandomModels;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>Whole engines on the emulated GPU answer as on the CPU.</summary>
internal sealed class EngineTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, MaxNewTokens = 14 };

    private string _folder = "";

    private string Model => Path.Combine(_folder, "model");

    private string Codec => Path.Combine(_folder, "codec");

    [OneTimeSetUp]
    public void Write()
    {
        EmulatedGpu.Require();
        CudaDevices.Register(EmulatedGpu.Options);
        _folder = Directory.CreateTempSubdirectory("cuda-engine").FullName;
        RandomCheckpoint.WriteLanguageModel(Model, LanguageModelSizes.Tiny with { Vocabulary = 128_256 }, CheckpointLayout.Legacy, seed: 5);
        RandomCheckpoint.WriteCodec(Codec, CodecSizes.Tiny, CheckpointLayout.Legacy, seed: 5);
    }

    [OneTimeTearDown]
    public void Remove()
    {
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
    }

    private HiggsAudioServeEngine Load(string device, WeightFormat format, KeyValueFormat cache, string? model = null) =>
        HiggsAudioServeEngine.Load(model ?? Model, Codec, new EngineOptions { Device = device, WeightFormat = format, KeyValueFormat = cache, MaxContextLength = 512, KvCacheBytes = 64 << 20 });

    private static ChatMLSample Say(string text) => new(new Message("system", "Speak."), new Message("user", text));

    [Test]
    public void Greedy_codes_and_sound_are_the_cpus()
    {
        using HiggsAudioServeEngine cpu = Load("cpu", WeightFormat.Float32, KeyValueFormat.Float32), gpu = Load("cuda:0", WeightFormat.Float32, KeyValueFormat.Float32);
        HiggsAudioResponse expected = cpu.Generate(Say("hello"), Greedy), response = gpu.Generate(Say("hello"), Greedy);
        Assert.That(response.AudioCodes, Is.Not.Null);
        Assert.That(response.AudioCodes, Is.EqualTo(expected.AudioCodes));
        float[] sound = expected.Audio!.Samples.ToArray();
        Assert.That(response.Audio!.Samples.ToArray(), Is.EqualTo(sound).Within(1e-4f * sound.Max(MathF.Abs)));
    }

    // Where numbers are rounded to few bits, one that lies between two of them goes either way; so these are near, not equal.
    [TestCase(WeightFormat.Float32, KeyValueFormat.Float32, 1e-4)]
    [TestCase(WeightFormat.AsStored, KeyValueFormat.BFloat16, 1e-2)]
    [TestCase(WeightFormat.Int8, KeyValueFormat.Int8, 3e-2)]
    [TestCase(WeightFormat.Int4, KeyValueFormat.BFloat16, 3e-2)]
    public void Logits_are_the_cpus_in_every_format(WeightFormat format, KeyValueFormat cache, double tolerance)
    {
        using Device cpu = Devices.Create("cpu"), gpu = Devices.Create("cuda:0");
        float[] expected = Logits(cpu, format, cache), logits = Logits(gpu, format, cache);
        Assert.That(logits, Is.EqualTo(expected).Within(tolerance * expected.Max(MathF.Abs)));
    }

    // Two sequences: a prompt of text and frames at once, then steps; all audio logits.
    private float[] Logits(Device device, WeightFormat format, KeyValueFormat cache)
    {
        using var checkpoint = Compute.Checkpoints.Checkpoint.Open(Model);
        HiggsAudioModel model = HiggsAudioModel.Load(checkpoint, HiggsAudioConfig.Load(Model), device, new QuantizationPlan(format), cache);
        using Backend lane = device.CreateLane();
        TokenBatch batch = model.CreateBatch();
        SequenceState[] sequences = [model.CreateSequence(), model.CreateSequence()];
        var all = new List<float>();
        for (int step = 0; step < 4; step++)
        {
            batch.Clear();
            foreach (SequenceState sequence in sequences)
            {
                for (int row = 0; step == 0 && row < 20; row++)
                    batch.AddText(sequence, 7 * row + 100);
                int[] codes = [.. Enumerable.Range(0, 8).Select(c => (step * 37 + c * 131) % 1024)];
                batch.AddAudio(sequence, codes);
                batch.RequestAudioLogits();
            }
            model.Forward(lane, batch);
            for (int s = 0; s < sequences.Length; s++)
                all.AddRange(batch.AudioLogits(s));
        }
        foreach (SequenceState sequence in sequences)
            sequence.Dispose();
        return [.. all];
    }

    [Test]
    public async Task Many_requests_at_once_answer_as_each_would_alone()
    {
        using HiggsAudioServeEngine gpu = Load("cuda:0", WeightFormat.Int8, KeyValueFormat.Int8);
        string[] texts = ["one", "two and more", "the third is long"];
        GenerationOptions few = Greedy with { MaxNewTokens = 11 };
        AudioCodes?[] alone = [.. texts.Select(text => gpu.Generate(Say(text), few).AudioCodes)];
        HiggsAudioResponse[] together = await Task.WhenAll(texts.Select(text => gpu.GenerateAsync(Say(text), few)));
        Assert.That(together.Select(response => response.AudioCodes), Is.EqualTo(alone));
    }

    [Test]
    public void A_folder_that_was_quantized_for_the_cpu_is_loaded_and_gives_the_same_codes([Values(WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format)
    {
        string packed = Path.Combine(_folder, $"packed-{format}");
        using (HiggsAudioServeEngine cpu = Load("cpu", format, KeyValueFormat.Float32))
            cpu.SaveQuantized(packed);
        using HiggsAudioServeEngine gpu = Load("cuda", WeightFormat.AsStored, KeyValueFormat.Float32, packed), original = Load("cuda:0", format, KeyValueFormat.Float32);
        Assert.That(gpu.Generate(Say("hello"), Greedy).AudioCodes, Is.EqualTo(original.Generate(Say("hello"), Greedy).AudioCodes));
        Assert.Throws<NotSupportedException>(() => gpu.SaveQuantized(packed + "-again"));
    }

    [Test]
    public void Encoding_gives_the_cpus_codes()
    {
        float[] samples = [.. Enumerable.Range(0, 9_600).Select(i => 0.3f * MathF.Sin(i * 0.05f) * MathF.Sin(i * 0.0007f))];
        using HiggsAudioServeEngine cpu = Load("cpu", WeightFormat.Float32, KeyValueFormat.Float32), gpu = Load("cuda:0", WeightFormat.Float32, KeyValueFormat.Float32);
        Assert.That(gpu.Codec.Encode(new Waveform(samples, 24_000)), Is.EqualTo(cpu.Codec.Encode(new Waveform(samples, 24_000))));
    }
}
