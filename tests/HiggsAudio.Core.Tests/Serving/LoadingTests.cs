using HiggsAudio.Compute;
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
