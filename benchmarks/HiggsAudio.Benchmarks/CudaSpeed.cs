using System.Diagnostics;
using System.Globalization;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Cuda;
using HiggsAudio.Cuda.Memory;
using HiggsAudio.Model;
using HiggsAudio.Testing.RandomModels;

namespace HiggsAudio.Benchmarks;

/// <summary>
/// The language model at its published size on an NVIDIA GPU, random weights: frames a second by format and by the number of sequences, the time to the first
/// frame, and what share of the memory's own speed the weights are read at.
/// </summary>
internal static class CudaSpeed
{
    public const string Usage = "cuda [--device cuda:0] [--formats BFloat16,Int8,Int4] [--rows 1,8,32,64,128] [--context 256] [--prefill 512] [--steps 64] [--keys-values BFloat16] [--graphs on|off] [--size published|tiny]";

    public static int Run(ReadOnlySpan<string> args)
    {
        int ordinal = int.Parse(CommandLine.Value(args, "--device", "cuda:0").Split(':')[^1], CultureInfo.InvariantCulture);
        CudaOptions options = new() { UseGraphs = CommandLine.Value(args, "--graphs", "on") == "on" };
        int[] rows = Numbers(args, "--rows", "1,8,32,64,128");
        int context = Numbers(args, "--context", "256")[0], prefill = Numbers(args, "--prefill", "512")[0], steps = Numbers(args, "--steps", "64")[0];
        var keyValueFormat = Enum.Parse<KeyValueFormat>(CommandLine.Value(args, "--keys-values", nameof(KeyValueFormat.BFloat16)));
        LanguageModelSizes sizes = CommandLine.Value(args, "--size", "published") == "tiny" ? LanguageModelSizes.Tiny : LanguageModelSizes.Published;
        using (var device = new CudaDevice(ordinal, options))
            Console.WriteLine($"{device.Name}: {device.Model}, {device.Memory.Total / 1e9:0.0} GB, {device.Memory.Free / 1e9:0.0} GB of them free; memory moved at {CopySpeed(device, sizes) / 1e9:0} GB/s by a copy");
        using var values = new RandomValuesBlock(sizes);
        foreach (WeightFormat format in CommandLine.Value(args, "--formats", "BFloat16,Int8,Int4").Split(',').Select(Enum.Parse<WeightFormat>))
            Measure(new CudaDevice(ordinal, options), values, sizes, format, keyValueFormat, rows, context, prefill, steps);
        return 0;
    }

    private static void Measure(CudaDevice device, RandomValuesBlock values, LanguageModelSizes sizes, WeightFormat format, KeyValueFormat keyValueFormat, int[] rows, int context, int prefill, int steps)
    {
        HiggsAudioConfig config = values.Config;
        var clock = Stopwatch.StartNew();
        using Checkpoint checkpoint = values.Checkpoint(sizes);
        HiggsAudioModel model = HiggsAudioModel.Load(checkpoint, config, device, new QuantizationPlan(format), keyValueFormat);
        double stepBytes = model.Weights.Where(weight => IsOfAudioStep(weight.Key)).Sum(weight => (double)weight.Value.Rows * weight.Value.Columns * BitsOf(weight.Value.Format) / 8);
        Console.WriteLine($"{format}: loaded in {clock.Elapsed.TotalSeconds:0.0} s, {device.Context.Bytes / 1e9:0.00} GB on the device, {stepBytes / 1e9:0.00} GB of weights for an audio step");
        double speed = CopySpeed(device, sizes);
        using var lane = new TrueSizeSteps(model, device, 0);
        SequenceState first = lane.Sequence(context);
        SequenceState[] sequences = [first, .. Enumerable.Range(1, rows.Max() - 1).Select(_ => first.Fork())];
        foreach (int count in rows)
        {
            _ = lane.Decode(sequences.AsSpan(0, count), 8);
            double step = lane.Decode(sequences.AsSpan(0, count), steps).Seconds;
            double keyValueBytes = (double)count * context * model.CacheShape.BytesPerSlot;
            double floor = (stepBytes + keyValueBytes) / speed;
            Console.WriteLine($"  {count,4} rows, context {context}: {step * 1000:0.00} ms a step, {count / step:0.0} frames/s ({count / step / 25:0.0} times real time), {floor / step:0%} of the memory's speed");
        }
        _ = lane.Prefill(prefill);
        double prompt = lane.Prefill(prefill);
        Console.WriteLine($"  prompt of {prefill}: {prompt * 1000:0.0} ms ({prefill / prompt:0} rows/s): the time to the first frame");
        foreach (SequenceState sequence in sequences)
            sequence.Dispose();
    }

    private static bool IsOfAudioStep(string name) => name.EndsWith("weight", StringComparison.Ordinal) && !name.Contains(".mlp.", StringComparison.Ordinal)
        && !name.Contains("text_lm_head", StringComparison.Ordinal) && !name.Contains("embed", StringComparison.Ordinal);

    private static double BitsOf(WeightFormat format) => format switch
    {
        WeightFormat.Int8 => 8.5,
        WeightFormat.Int4 => 4.5,
        WeightFormat.BFloat16 => 16,
        _ => 32,
    };

    // Bytes a second that are read and written together, by a copy of 1 GB, or of a fourth of what is free.
    private static double CopySpeed(CudaDevice device, LanguageModelSizes sizes)
    {
        long bytes = Math.Min(sizes == LanguageModelSizes.Tiny ? 1L << 24 : 1L << 30, device.Memory.Free / 4) & -4096;
        nint from = device.Context.Allocate(bytes), to = device.Context.Allocate(bytes);
        using var stream = new CudaStream(device.Context);
        stream.Fill(from, 0, bytes / sizeof(int));
        stream.Copy(to, from, bytes);
        stream.Synchronize();
        const int Times = 10;
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < Times; i++)
            stream.Copy(to, from, bytes);
        stream.Synchronize();
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        device.Context.Free(from, bytes);
        device.Context.Free(to, bytes);
        return 2.0 * Times * bytes / seconds;
    }

    private static int[] Numbers(ReadOnlySpan<string> args, string name, string otherwise) =>
        [.. CommandLine.Value(args, name, otherwise).Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];

    // All tensors have the same values: those of one block that is as large as the largest.
    private sealed unsafe class RandomValuesBlock : IDisposable
    {
        private readonly void* _data;

        public RandomValuesBlock(LanguageModelSizes sizes)
        {
            string folder = Directory.CreateTempSubdirectory("cuda-speed").FullName;
            try
            {
                File.WriteAllText(Path.Combine(folder, "config.json"), sizes.Config(CheckpointLayout.Legacy));
                Config = HiggsAudioConfig.Load(folder);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
            long count = sizes.Tensors(CheckpointLayout.Legacy).Max(tensor => tensor.Plan.ByteLength) / sizeof(ushort);
            _data = CpuMemory.Allocate(count * sizeof(ushort));
            // Magnitudes of 1/128 to 1/32.
            Parallel.For(0, (count + 65535) / 65536, piece =>
            {
                var random = new Random((int)piece);
                for (long i = piece * 65536, end = Math.Min(count, i + 65536); i < end; i++)
                    ((ushort*)_data)[i] = (ushort)(random.Next() & 0x80FF | 0x3C00);
            });
        }

        public HiggsAudioConfig Config { get; }

        public OneBlock Checkpoint(LanguageModelSizes sizes) => new OneBlock(sizes.Tensors(CheckpointLayout.Legacy), (nint)_data);

        public void Dispose() => CpuMemory.Free(_data);
    }

    private sealed class OneBlock(List<RandomTensor> tensors, nint data) : Checkpoint
    {
        public override string Path => "random";

        public override IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; } =
            tensors.ToDictionary(t => t.Plan.Name, t => new CheckpointTensor(t.Plan.Name, "random", t.Plan.Type, t.Plan.Shape, data));

        public override IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

        protected override void Dispose(bool disposing)
        {
        }
    }
}
