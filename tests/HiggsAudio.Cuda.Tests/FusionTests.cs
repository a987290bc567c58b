using HiggsAudio.Compute;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>Operations that one kernel does together give the bits that they give one by one, in fewer launches.</summary>
[NonParallelizable]
internal sealed class FusionTests
{
    private const int Width = 96;

    [SetUp]
    public void Build() => EmulatedGpu.Require();

    private static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    private static float[][] Run(bool fuse, Func<CudaDevice, Backend, Matrix[]> operations, out ulong launches)
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options with { FuseOperations = fuse });
        using Backend lane = device.CreateLane();
        ulong before = EmulatedGpu.Launches;
        Matrix[] results = operations(device, lane);
        float[][] values = [.. results.Select(lane.Read)];
        launches = EmulatedGpu.Launches - before;
        return values;
    }

    private static void AssertSame(Func<CudaDevice, Backend, Matrix[]> operations, int saved)
    {
        float[][] apart = Run(false, operations, out ulong launchesApart), together = Run(true, operations, out ulong launchesTogether);
        Assert.That(together, Is.EqualTo(apart));
        Assert.That(launchesApart - launchesTogether, Is.EqualTo((ulong)saved));
    }

    [Test]
    public void Products_of_the_same_rows([Values(WeightFormat.Float32, WeightFormat.BFloat16, WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format, [Values(1, 8)] int rows, [Values(2, 3, 4)] int products)
    {
        AssertSame((device, lane) =>
        {
            Matrix x = lane.Upload(Values(rows * Width, 1), rows, Width);
            return [.. Enumerable.Range(0, products).Select(p => lane.Linear(x, device.CreateWeight(Values((40 + p) * Width, p), 40 + p, Width, WeightUse.Linear, format),
                p == 1 ? device.CreateWeight(Values(40 + p, 9), 1, 40 + p, WeightUse.Vector) : null))];
        }, saved: products == 4 ? 2 : products - 1);
    }

    [Test]
    public void A_gated_feed_forward([Values(WeightFormat.Float32, WeightFormat.BFloat16, WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format, [Values(1, 7)] int rows)
    {
        AssertSame((device, lane) =>
        {
            Matrix x = lane.Upload(Values(rows * Width, 1), rows, Width);
            Matrix gate = lane.Linear(x, device.CreateWeight(Values(50 * Width, 2), 50, Width, WeightUse.Linear, format));
            Matrix up = lane.Linear(x, device.CreateWeight(Values(50 * Width, 3), 50, Width, WeightUse.Linear, format));
            return [lane.SwiGlu(gate, up, into: gate), up];
        }, saved: 2);
    }

    [Test]
    public void A_sum_and_its_norm([Values(1, 30)] int rows)
    {
        AssertSame((device, lane) =>
        {
            Matrix x = lane.Upload(Values(rows * Width, 1), rows, Width), y = lane.Upload(Values(rows * Width, 2), rows, Width);
            Weight gain = device.CreateWeight(Values(Width, 3), 1, Width, WeightUse.Vector);
            lane.Add(x, y);
            return [lane.RmsNorm(x, gain, 1e-5f), x];
        }, saved: 1);
    }

    [Test]
    public void What_cannot_be_done_together_is_done_in_order()
    {
        AssertSame((device, lane) =>
        {
            Weight gain = device.CreateWeight(Values(Width, 3), 1, Width, WeightUse.Vector);
            Matrix x = lane.Upload(Values(4 * Width, 1), 4, Width), y = lane.Upload(Values(4 * Width, 2), 4, Width);
            lane.Add(x, y);
            Matrix norm = lane.RmsNorm(x[1..3], gain, 1e-5f);
            lane.Add(x, y);
            lane.RmsNorm(x, gain, 1e-5f, into: y);
            Weight square = device.CreateWeight(Values(Width * Width, 5), Width, Width, WeightUse.Linear);
            Matrix first = lane.Linear(x, square);
            Matrix second = lane.Linear(first, square);
            Matrix third = lane.Linear(x, square, into: first);
            return [norm, x, y, second, third];
        }, saved: 0);
    }

    [Test]
    public void Attention_of_a_step([Values] KeyValueFormat format, [Values(1, 3, 4)] int group)
    {
        const int Dim = 16, Heads = 2, Sequences = 3;
        AssertSame((device, lane) =>
        {
            var rotary = new RotaryTable([.. Enumerable.Range(0, Dim / 2).Select(i => MathF.Pow(100, -2f * i / Dim))]);
            KvCache[] caches = [.. Enumerable.Range(0, Sequences).Select(_ => device.CreateKvCache(new KvCacheShape(1, Heads, Dim, format)))];
            var results = new List<Matrix>();
            for (int step = 0; step < 70; step++)
            {
                var rows = new RowMap();
                for (int s = 0; s < Sequences; s++)
                {
                    caches[s].Reserve(step + 1 + 60 * s);
                    for (int slot = step == 0 ? 0 : step + 60 * s; slot <= step + 60 * s; slot++)
                        rows.Add(caches[s], slot, slot);
                }
                Matrix k = lane.Upload(Values(rows.Count * Heads * Dim, step + 1), rows.Count, Heads * Dim), v = lane.Upload(Values(rows.Count * Heads * Dim, step + 2), rows.Count, Heads * Dim);
                Matrix q = lane.Upload(Values(rows.Count * Heads * group * Dim, step), rows.Count, Heads * group * Dim);
                results.Add(lane.RotateAppendAttend(q, k, v, rotary, rows, 0, into: q));
            }
            return [.. results];
        }, saved: 69 * 2);
    }
}
