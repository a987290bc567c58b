using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>What happens while an engine is loaded.</summary>
internal sealed class LoadingTests
{
    private static readonly (string Model, string Codec) Nano = NanoVoice.Unpack();

    [Test]
    public void Progress_is_told_tensor_by_tensor([Values(WeightFormat.AsStored, WeightFormat.Int4)] WeightFormat format)
    {
        var told = new Told(_ => { });
        HiggsAudioServeEngine.Load(Nano.Model, Nano.Codec, new EngineOptions { WeightFormat = format }, told).Dispose();
        double[] parts = [.. told.All.Where(p => p.Stage == "model").Select(p => p.Part)];
        Assert.That(parts, Is.Ordered);
        Assert.That(parts.Distinct().Count(), Is.GreaterThan(20));
        Assert.That((parts[0], parts[^1]), Is.EqualTo((0.0, 1.0)));
        Assert.That(parts, Has.All.InRange(0, 1));
    }

    [Test]
    public void Loading_can_be_ended_inside_the_model()
    {
        using var source = new CancellationTokenSource();
        var told = new Told(p =>
        {
            if (p is { Stage: "model", Part: > 0.3 })
                source.Cancel();
        });
        Assert.That(() => HiggsAudioServeEngine.Load(Nano.Model, Nano.Codec, new EngineOptions { WeightFormat = WeightFormat.Int8 }, told, source.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(told.All[^1].Part, Is.InRange(0.3, 0.9));
    }

    [Test]
    public void Parts_are_loaded_side_by_side_and_reported_one_at_a_time()
    {
        int inside = 0, most = 0;
        var told = new Told(_ =>
        {
            most = Math.Max(most, Interlocked.Increment(ref inside));
            Thread.Sleep(1);
            Interlocked.Decrement(ref inside);
        });
        HiggsAudioServeEngine.Load(Nano.Model, Nano.Codec, null, told).Dispose();
        Assert.That(most, Is.EqualTo(1));
        foreach (string stage in new[] { "tokenizer", "codec", "model" })
        {
            double[] parts = [.. told.All.Where(p => p.Stage == stage).Select(p => p.Part)];
            Assert.That(parts, Is.Ordered, stage);
            Assert.That((parts[0], parts[^1]), Is.EqualTo((0.0, 1.0)), stage);
        }
    }

    [TestCase("tokenizer.json", "tokenizer.json")]
    [TestCase("codec/config.json", "config.json")]
    [TestCase("codec/model.safetensors", "codec")]
    [TestCase("model.safetensors", "model.safetensors")]
    public void A_part_that_cannot_be_loaded_ends_the_others_and_leaves_nothing(string removed, string named)
    {
        string folder = Directory.CreateTempSubdirectory("higgs-audio-loading").FullName, codec = Path.Combine(folder, "codec");
        try
        {
            Directory.CreateDirectory(codec);
            foreach (string file in Directory.GetFiles(Nano.Model))
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            foreach (string file in Directory.GetFiles(Nano.Codec))
                File.Copy(file, Path.Combine(codec, Path.GetFileName(file)));
            File.Delete(Path.Combine(folder, removed));
            Assert.That(() => HiggsAudioServeEngine.Load(folder, codec, new EngineOptions { WeightFormat = WeightFormat.Int8 }),
                Throws.TypeOf<CheckpointException>().With.Message.Contains(named));
            if (OperatingSystem.IsLinux())
                Assert.That(File.ReadAllText("/proc/self/maps"), Does.Not.Contain(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void Of_several_problems_one_is_told_rather_than_that_the_others_were_ended()
    {
        string empty = Directory.CreateTempSubdirectory("higgs-audio-loading").FullName;
        try
        {
            for (int i = 0; i < 10; i++)
                Assert.That(() => HiggsAudioServeEngine.Load(empty, empty), Throws.TypeOf<CheckpointException>());
        }
        finally
        {
            Directory.Delete(empty);
        }
    }

    [Test]
    public void What_a_progress_throws_is_thrown_by_the_loading([Values("tokenizer", "codec", "model")] string stage)
    {
        var told = new Told(p =>
        {
            if (p.Stage == stage && p.Part > 0)
                throw new InvalidTimeZoneException("enough");
        });
        Assert.That(() => HiggsAudioServeEngine.Load(Nano.Model, Nano.Codec, null, told), Throws.TypeOf<InvalidTimeZoneException>());
    }

    private sealed class Told(Action<LoadProgress> then) : IProgress<LoadProgress>
    {
        public List<LoadProgress> All { get; } = [];

        public void Report(LoadProgress value)
        {
            All.Add(value);
            then(value);
        }
    }
}
