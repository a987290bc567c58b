using HiggsAudio.Compute.Cpu;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

/// <summary>On the CPU no result depends on the number of threads, and a decode step allocates nothing.</summary>
public sealed class CpuThreadCountTests
{
    private static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => 4 * random.NextSingle() - 2)];
    }

    [Test]
    public void Operations_on_whole_matrices_give_the_same_bits([Values(2, 5)] int threads, [Values(37, 600)] int columns)
    {
        Assert.That(Run(threads, columns), Is.EqualTo(Run(1, columns)));

        static float[] Run(int threads, int columns)
        {
            const int Rows = 1200;
            using var device = new CpuDevice(threads);
            using Backend lane = device.CreateLane();
            Matrix x = lane.Upload(Values(Rows * columns, 1), Rows, columns);
            Weight gain = device.CreateWeight(Values(columns, 2), 1, columns, WeightUse.Vector),
                bias = device.CreateWeight(Values(columns, 3), 1, columns, WeightUse.Vector);
            Weight table = device.CreateWeight(Values(50 * columns, 4), 50, columns, WeightUse.Table);
            var nearest = new int[Rows];
            lane.NearestRow(x, table, nearest);
            int[] ids = [.. Enumerable.Range(0, 3 * Rows).Select(i => i * 7 % 50)];
            return
            [
                .. lane.Read(lane.SwiGlu(x, x)), .. lane.Read(lane.Gelu(x)), .. lane.Read(lane.Elu(x)), .. lane.Read(lane.Snake(x, gain)),
                .. lane.Read(lane.RmsNorm(x, gain, 1e-5f)),
                .. lane.Read(lane.LayerNorm(x, gain, bias, 1e-5f)), .. lane.Read(lane.GroupNorm(x, columns, gain, bias, 1e-5f)),
                .. lane.Read(lane.GroupNorm(x, 1, gain, bias, 1e-5f)),
                .. lane.Read(lane.EmbedSum(table, ids, 3)), .. lane.Read(lane.SelfAttention(x[..300], x[300..600], x[600..900], 1)), .. nearest.Select(i =>
                (float)i),
            ];
        }
    }

    [Test]
    public void Attention_over_a_long_cache_gives_the_same_bits([Values(2, 5, 16)] int threads, [Values(1, 2)] int keyValueHeads)
    {
        Assert.That(Run(threads, keyValueHeads), Is.EqualTo(Run(1, keyValueHeads)));

        static float[] Run(int threads, int keyValueHeads)
        {
            const int Dim = 32, Group = 3, Slots = 1100;
            using var device = new CpuDevice(threads);
            using Backend lane = device.CreateLane();
            using KvCache cache = device.CreateKvCache(new KvCacheShape(1, keyValueHeads, Dim));
            cache.Reserve(Slots + 3);
            var rotary = new RotaryTable([.. Enumerable.Range(0, Dim / 2).Select(i => MathF.Pow(10_000, -2f * i / Dim))]);
            var results = new List<float>();
            var rows = new RowMap();
            for (int first = 0, count = Slots; first < Slots + 3; first += count, count = 1)
            {
                rows.Clear();
                for (int i = 0; i < count; i++)
                    rows.Add(cache, first + i, first + i);
                rows.Hide(cache, 70);
                Matrix q = lane.Upload(Values(count * keyValueHeads * Group * Dim, first), count, keyValueHeads * Group * Dim);
                Matrix k = lane.Upload(Values(count * keyValueHeads * Dim, first + 1), count, keyValueHeads * Dim),
                    v = lane.Upload(Values(count * keyValueHeads * Dim, first + 2), count, keyValueHeads * Dim);
                results.AddRange(lane.Read(lane.RotateAppendAttend(q, k, v, rotary, rows, 0, into: q)));
            }
            return [.. results];
        }
    }

    [Test]
    public void A_decode_step_allocates_nothing([Values(1, 3)] int threads)
    {
        const int Dim = 64, Width = 6 * Dim, Slots = 700;
        using var device = new CpuDevice(threads);
        using Backend lane = device.CreateLane();
        using KvCache cache = device.CreateKvCache(new KvCacheShape(1, 2, Dim));
        cache.Reserve(Slots);
        var rotary = new RotaryTable(new float[Dim / 2]);
        Weight gain = device.CreateWeight(Values(Width, 2), 1, Width, WeightUse.Vector),
            table = device.CreateWeight(Values(50 * Width, 4), 50, Width, WeightUse.Table);
        var rows = new RowMap();
        for (int slot = 0; slot < Slots - 100; slot++)
            rows.Add(cache, slot, slot);
        lane.RotateAppendAttend(lane.Zeros(rows.Count, Width), lane.Zeros(rows.Count, 2 * Dim), lane.Zeros(rows.Count, 2 * Dim), rotary, rows, 0);
        int[] ids = [1, 2, 3, 4, 5, 6, 7, 8];
        for (int slot = Slots - 100; slot < Slots - 50; slot++)
            Step(slot);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int slot = Slots - 50; slot < Slots; slot++)
            Step(slot);

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Step(int slot)
        {
            rows.Clear();
            rows.Add(cache, slot, slot);
            using Backend.Scope scope = lane.Scratch();
            Matrix x = lane.RmsNorm(lane.EmbedSum(table, ids, 8), gain, 1e-5f);
            Matrix y = lane.RotateAppendAttend(x, lane.Copy(x.Slice(0, 2 * Dim)), x.Slice(2 * Dim, 2 * Dim), rotary, rows, 0);
            lane.Add(y, lane.SwiGlu(y, x));
        }
    }
}
