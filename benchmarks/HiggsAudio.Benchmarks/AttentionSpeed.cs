using System.Diagnostics;
using System.Globalization;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Benchmarks;

/// <summary>attention: one row at the end of a context through the attention of all layers of the published model, without weights; beside the memory's speed.</summary>
internal static class AttentionSpeed
{
    public const string Usage = "attention [--threads 1,2] [--contexts 256,2048,8192] [--formats Float32,BFloat16,Int8] [--layers 28] [--rounds N]";

    private const int Heads = 24, KeyValueHeads = 8, HeadDim = 128;

    public static int Run(string[] args)
    {
        int[] Numbers(string name, string otherwise) => [.. CommandLine.Value(args, name, otherwise).Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
        int[] contexts = Numbers("--contexts", "256,2048,8192"), threads = Numbers("--threads", $"1,{Environment.ProcessorCount}");
        KeyValueFormat[] formats = [.. CommandLine.Value(args, "--formats", "Float32,BFloat16,Int8").Split(',').Select(Enum.Parse<KeyValueFormat>)];
        int rounds = Numbers("--rounds", "20")[0], layers = Numbers("--layers", "28")[0];
        MachineLine.Print(threads[^1]);
        using var probe = new TrueSizeProbe();
        foreach (int count in threads)
        {
            using var device = new CpuDevice(count);
            using Backend lane = device.CreateLane();
            double read = Enumerable.Range(0, 5).Select(_ => probe.Measure(count)).Order().ElementAt(2) / 1e9;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count} threads: plain reading {read:0.0} GB/s"));
            foreach (KeyValueFormat format in formats)
                foreach (int context in contexts)
                    Measure(device, lane, new KvCacheShape(layers, KeyValueHeads, HeadDim, format), context, rounds);
        }
        return 0;
    }

    private static void Measure(CpuDevice device, Backend lane, KvCacheShape shape, int context, int rounds)
    {
        using KvCache cache = device.CreateKvCache(shape);
        cache.Reserve(context);
        using var scratch = lane.Scratch();
        var rotary = new RotaryTable([.. Enumerable.Range(0, HeadDim / 2).Select(i => MathF.Pow(500_000, -2f * i / HeadDim))]);
        Matrix q = Values(lane, Heads), k = Values(lane, KeyValueHeads), y = lane.Copy(q);
        var row = new RowMap();
        Fill((CpuKvCache)cache, k, context);
        row.Add(cache, context - 1, context - 1);
        var times = new List<double>();
        for (int round = 0; round <= rounds; round++)
        {
            long begin = Stopwatch.GetTimestamp();
            for (int layer = 0; layer < shape.Layers; layer++)
                lane.RotateAppendAttend(q, k, k, rotary, row, layer, into: y);
            if (round > 0)
                times.Add(Stopwatch.GetElapsedTime(begin).TotalSeconds / shape.Layers);
        }
        times.Sort();
        double bytes = (double)context * shape.BytesPerSlot / shape.Layers, median = times[times.Count / 2];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {shape.Format,-9} context {context,5}: {median * 1e6,7:0.0} us a layer ({times[0] * 1e6:0.0} to {times[^1] * 1e6:0.0}), {bytes / median / 1e9,5:0.0} GB/s of keys and values (best {bytes / times[0] / 1e9:0.0})"));
    }

    private static unsafe void Fill(CpuKvCache cache, Matrix values, int slots)
    {
        for (int slot = 0; slot < slots; slot++)
            for (int layer = 0; layer < cache.Shape.Layers; layer++)
                for (int head = 0; head < KeyValueHeads; head++)
                    cache.Write(layer, head, slot, (float*)values.Data + head * HeadDim, (float*)values.Data + (slot + head) % KeyValueHeads * HeadDim);
    }

    private static Matrix Values(Backend lane, int heads)
    {
        var random = new Random(heads);
        return lane.Upload([.. Enumerable.Range(0, heads * HeadDim).Select(_ => 2 * random.NextSingle() - 1)], 1, heads * HeadDim);
    }
}
