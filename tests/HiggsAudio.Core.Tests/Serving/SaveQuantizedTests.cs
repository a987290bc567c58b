using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Quantized models in folders of their own.</summary>
internal sealed class SaveQuantizedTests
{
    private static readonly (string Model, string Codec) Nano = NanoVoice.Unpack();
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, MaxNewTokens = 30 };
    private static readonly Dictionary<string, WeightFormat> Exceptions = new() { ["layers.0"] = WeightFormat.Int8, ["layers.1.mlp"] = WeightFormat.BFloat16, ["layers.1.audio_mlp"] = WeightFormat.Float32 };

    private string _root = "";

    [SetUp]
    public void MakeFolder() => _root = Directory.CreateTempSubdirectory("higgs-audio-quantized").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_root, recursive: true);

    [Test]
    public void A_saved_engine_says_what_the_one_that_saved_it_says([Values(WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format, [Values] bool exceptions)
    {
        string folder = Path.Combine(_root, "saved");
        Directory.CreateDirectory(folder);
        (int[] Codes, Dictionary<string, WeightFormat> Formats) expected;
        using (HiggsAudioServeEngine engine = Load(Nano.Model, new EngineOptions { Threads = 2, WeightFormat = format, WeightFormatOverrides = exceptions ? Exceptions : null }))
        {
            var parts = new Told<double>();
            engine.SaveQuantized(folder, parts);
            Assert.That(parts.All[^1], Is.EqualTo(1));
            expected = (Speak(engine), Formats(engine));
        }
        using HiggsAudioServeEngine saved = Load(folder, new EngineOptions { Threads = 2 });
        Assert.That(Formats(saved), Is.EquivalentTo(expected.Formats));
        Assert.That(expected.Formats.Values, Does.Contain(format));
        Assert.That(Speak(saved), Is.EqualTo(expected.Codes));
        Assert.That(Directory.GetFileSystemEntries(_root), Has.Length.EqualTo(1), "temporary files are gone");

        // And once more from there.
        saved.SaveQuantized(Path.Combine(_root, "again"));
        Assert.That(File.ReadAllBytes(Path.Combine(_root, "again", "model.safetensors")), Is.EqualTo(File.ReadAllBytes(Path.Combine(folder, "model.safetensors"))));
    }

    [Test]
    public void The_codec_is_saved_below_the_model_and_sounds_the_same()
    {
        string folder = Path.Combine(_root, "saved");
        HiggsAudioResponse expected;
        using (HiggsAudioServeEngine engine = Load(Nano.Model, new EngineOptions { WeightFormat = WeightFormat.Int8 }))
        {
            engine.SaveQuantized(folder);
            expected = engine.Generate(NanoVoice.Say("Good morning."), Greedy);
        }
        using HiggsAudioServeEngine saved = HiggsAudioServeEngine.Load(folder, Path.Combine(folder, "codec"));
        HiggsAudioResponse response = saved.Generate(NanoVoice.Say("Good morning."), Greedy);
        Assert.That(response.Audio!.Samples.ToArray(), Is.EqualTo(expected.Audio!.Samples.ToArray()));
        using var codec = AudioCodec.Load(Nano.Codec);
        Assert.That(saved.Codec.Encode(expected.Audio), Is.EqualTo(codec.Encode(expected.Audio)));
    }

    [Test]
    public void Panels_are_mapped_and_aligned()
    {
        string folder = Saved(WeightFormat.Int4);
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        Assert.That(checkpoint, Is.InstanceOf<PackedCheckpoint>());
        CheckpointTensor tensor = checkpoint.Tensors["layers.0.mlp.gate_proj.weight"];
        using Checkpoint original = Checkpoint.Open(Nano.Model);
        Assert.That(((PackedCheckpoint)checkpoint).Source, Is.EqualTo(PackedCheckpoint.IdentityOf(original)).And.Length.EqualTo(64));
        CheckpointTensor first = original.Tensors.First(t => HiggsAudio.Model.TensorNames.Canonical(t.Key) == tensor.Name).Value;
        Assert.That(tensor.Shape.ToArray(), Is.EqualTo(first.Shape.ToArray()));
        Assert.That((long)tensor.Address % 64, Is.Zero);
        // The values are those of the original, as far as four bits go.
        float[] kept = tensor.ToFloats(), values = first.ToFloats();
        double error = kept.Zip(values, (a, b) => Math.Pow(a - b, 2)).Sum() / values.Sum(v => (double)v * v);
        Assert.That(error, Is.InRange(1e-4, 0.01));
    }

    [Test]
    public void Another_format_than_the_folders_is_refused()
    {
        string folder = Saved(WeightFormat.Int4);
        Assert.That(() => Load(folder, new EngineOptions { WeightFormat = WeightFormat.Int8 }), Throws.InstanceOf<CheckpointException>().With.Message.Contains("Int4").And.Message.Contains("Int8"));
        using HiggsAudioServeEngine same = Load(folder, new EngineOptions { WeightFormat = WeightFormat.Int4 });
        Assert.That(Formats(same).Values, Does.Contain(WeightFormat.Int4));
    }

    [TestCase("higgs_audio.layout\":\"1", "higgs_audio.layout\":\"7", "layout 7")]
    [TestCase("64 inputs", "32 inputs", "panels of")]
    [TestCase("\"Int4 ", "\"Int8 ", "panels of")]
    [TestCase("\"Int4 ", "\"Int5 ", "no format")]
    [TestCase("packed.layers.0", "packed.layers.8", "described in the metadata")]
    public void A_file_that_is_not_this_versions_is_refused(string from, string to, string problem)
    {
        string folder = Saved(WeightFormat.Int4), file = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        int at = bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(from));
        Assert.That(at, Is.Positive);
        System.Text.Encoding.UTF8.GetBytes(to).CopyTo(bytes.AsSpan(at));
        File.WriteAllBytes(file, bytes);
        Assert.That(() => Load(folder, new EngineOptions()), Throws.InstanceOf<CheckpointException>().With.Message.Contains(problem));
    }

    [Test]
    public void A_file_that_is_cut_off_is_refused([Values(7, 1000, 0.5, 0.999)] double at)
    {
        string folder = Saved(WeightFormat.Int8), file = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        File.WriteAllBytes(file, bytes[..(int)(at < 1 ? at * bytes.Length : at)]);
        Assert.That(() => Load(folder, new EngineOptions()), Throws.InstanceOf<CheckpointException>());
    }

    [Test]
    public void Nothing_is_left_of_a_save_that_was_ended_or_refused()
    {
        using HiggsAudioServeEngine engine = Load(Nano.Model, new EngineOptions { WeightFormat = WeightFormat.Int4 });
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.That(() => engine.SaveQuantized(Path.Combine(_root, "ended"), cancellationToken: source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetFileSystemEntries(_root), Is.Empty);

        File.WriteAllText(Path.Combine(_root, "mine.txt"), "keep");
        Assert.That(() => engine.SaveQuantized(_root), Throws.InstanceOf<IOException>());
        Assert.That(Directory.GetFileSystemEntries(_root), Has.Length.EqualTo(1));
        using HiggsAudioServeEngine plain = Load(Nano.Model, new EngineOptions());
        Assert.That(() => plain.SaveQuantized(Path.Combine(_root, "plain")), Throws.InvalidOperationException);
    }

    [Test]
    public void A_report_names_every_tensor_and_what_it_lost()
    {
        var tensors = new List<QuantizedTensor>();
        ModelQuantizer.Quantize(Nano.Model, Path.Combine(_root, "out"), new EngineOptions { WeightFormat = WeightFormat.Int4, Threads = 2 }, tensors.Add);
        QuantizedTensor[] four = [.. tensors.Where(t => t.Format == WeightFormat.Int4)];
        Assert.That(four, Has.Length.GreaterThan(10));
        foreach (QuantizedTensor tensor in four)
        {
            Assert.That(tensor.Error!.Value.RelativeSquaredError, Is.InRange(1e-4, 0.8 * tensor.Error.Value.NaiveRelativeSquaredError), tensor.Name);
            Assert.That(tensor.Error.Value.LargestError, Is.Positive);
        }
        Assert.That(tensors.Single(t => t.Name == "text_lm_head.weight"), Has.Property(nameof(QuantizedTensor.Format)).EqualTo(WeightFormat.Int8));
        Assert.That(tensors.Single(t => t.Name == "norm.weight").Error, Is.Null);
        using HiggsAudioServeEngine engine = Load(Path.Combine(_root, "out"), new EngineOptions());
        Assert.That(Speak(engine), Is.Not.Empty);
    }

    private static HiggsAudioServeEngine Load(string model, EngineOptions options) => HiggsAudioServeEngine.Load(model, Nano.Codec, options);

    private static int[] Speak(HiggsAudioServeEngine engine)
    {
        AudioCodes codes = engine.Generate(NanoVoice.Say("Good morning."), Greedy).GeneratedAudioTokens[0];
        return [.. Enumerable.Range(0, codes.Codebooks).SelectMany(c => codes.Codebook(c).ToArray())];
    }

    private static Dictionary<string, WeightFormat> Formats(HiggsAudioServeEngine engine) => engine.Model.Weights.ToDictionary(w => w.Key, w => w.Value.Format);

    private string Saved(WeightFormat format)
    {
        string folder = Path.Combine(_root, "saved");
        using HiggsAudioServeEngine engine = Load(Nano.Model, new EngineOptions { WeightFormat = format });
        engine.SaveQuantized(folder);
        return folder;
    }

    private sealed class Told<T> : IProgress<T>
    {
        public List<T> All { get; } = [];

        public void Report(T value) => All.Add(value);
    }
}
