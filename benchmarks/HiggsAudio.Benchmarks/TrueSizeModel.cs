using System.Runtime.Intrinsics;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Model;
using HiggsAudio.Testing.RandomModels;

namespace HiggsAudio.Benchmarks;

/// <summary>
/// A language model of the published sizes whose weights are random panels, written straight into memory in the format they are kept in: no
/// file, no quantizing, ready in seconds. Every value has the size that the published ones have on average; no two blocks are alike.
/// </summary>
internal sealed class TrueSizeModel : IDisposable
{
    private readonly RandomWeightDevice _device = new();

    public TrueSizeModel(WeightFormat format, KeyValueFormat keyValueFormat)
    {
        string folder = Directory.CreateTempSubdirectory("true-size").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "config.json"), LanguageModelSizes.Published.Config(CheckpointLayout.Legacy));
            Config = HiggsAudioConfig.Load(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        using var checkpoint = new ShapesOnly(LanguageModelSizes.Published.Tensors(CheckpointLayout.Legacy));
        Model = HiggsAudioModel.Load(checkpoint, Config, _device, new QuantizationPlan(format), keyValueFormat: keyValueFormat);
    }

    public HiggsAudioConfig Config { get; }

    public HiggsAudioModel Model { get; }

    /// <summary>Bytes of all weights.</summary>
    public long Bytes => _device.Bytes;

    /// <summary>Bytes of the weights that a step of audio rows reads.</summary>
    public long AudioStepBytes => _device.AudioStepBytes;

    public void Dispose() => _device.Dispose();

    // Names and shapes of the published tensors: nobody reads their values.
    private sealed class ShapesOnly(List<RandomTensor> tensors) : Checkpoint
    {
        public override string Path => "random";

        public override IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; } =
            tensors.ToDictionary(t => t.Plan.Name, t => new CheckpointTensor(t.Plan.Name, "random", t.Plan.Type, t.Plan.Shape, 64));

        public override IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

        protected override void Dispose(bool disposing)
        {
        }
    }
}

/// <summary>Makes weights of random values; lanes are those of CPU devices, which compute on them as on their own.</summary>
internal sealed unsafe class RandomWeightDevice : Device
{
    private readonly CpuDevice _cpu = new();
    private readonly List<nint> _memory = [];

    public override string Name => "random";

    public override long KvCacheBytes => _cpu.KvCacheBytes;

    public long Bytes { get; private set; }

    public long AudioStepBytes { get; private set; }

    public override KvCache CreateKvCache(KvCacheShape shape) => _cpu.CreateKvCache(shape);

    public override Backend CreateLane() => _cpu.CreateLane();

    public override Weight CreateWeight(ReadOnlySpan<float> values, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored) =>
        _cpu.CreateWeight(values, rows, columns, use, format);

    public override Weight CreateWeight(ReadOnlySpan<CheckpointTensor> parts, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        if (use == WeightUse.Vector)
            return _cpu.CreateWeight([.. Enumerable.Repeat(1f, columns)], rows, columns, use);
        bool stored = use == WeightUse.Table || format == WeightFormat.AsStored, quantized = !stored && BlockQuantization.IsQuantized(format);
        WeightLayout layout = quantized ? WeightLayout.QuantizedPanels : stored ? WeightLayout.Rows : WeightLayout.Panels;
        if (!quantized)
            format = WeightFormat.BFloat16;
        long bytes = quantized ? QuantizedPanels.Bytes(rows, columns, format) : WeightPacking.Elements(rows, columns, layout) * sizeof(ushort);
        void* data = CpuMemory.Allocate(bytes);
        _memory.Add((nint)data);
        int piece = quantized ? QuantizedPanels.ScaleBytes + 2 * QuantizedPanels.BlockBytes(format) : 1 << 16;
        int pieces = (int)((bytes + piece - 1) / piece), perChunk = Math.Max(1, (1 << 18) / piece);
        _cpu.Threads.Run(new Fill((byte*)data, bytes, piece, format, perChunk), (pieces + perChunk - 1) / perChunk);
        Bytes += bytes;
        string name = parts[0].Name;
        if (use == WeightUse.Linear && !name.Contains(".mlp.", StringComparison.Ordinal) && !name.Contains("text_lm_head", StringComparison.Ordinal))
            AudioStepBytes += bytes;
        return new CpuWeight(rows, columns, format, layout, data);
    }

    protected override void Dispose(bool disposing)
    {
        foreach (nint data in _memory)
            CpuMemory.Free((void*)data);
        _memory.Clear();
        _cpu.Dispose();
    }

    // bfloat16: signs and mantissas at random, magnitudes of 1/128 to 1/32. Quantized: codes at random, and scales that make them as large.
    private readonly struct Fill(byte* data, long bytes, int piece, WeightFormat format, int perChunk) : IChunkedJob
    {
        private readonly byte* _data = data;

        public void Execute(int chunk)
        {
            var state = Vector256.Create((ulong)chunk + 1, 0x9E3779B97F4A7C15, (ulong)chunk << 32 | 77, 0xD1B54A32D192ED03) * 0xBF58476D1CE4E5B9;
            bool quantized = format != WeightFormat.BFloat16;
            Vector256<ulong> mask = Vector256.Create(quantized ? ulong.MaxValue : 0x80FF80FF80FF80FF), exponent = Vector256.Create(quantized ? 0 : 0x3C003C003C003C00UL);
            Vector256<uint> scales = Vector256.Create(format == WeightFormat.Int4 ? 0x3B903B90u : 0x398E398Eu);
            for (long at = (long)chunk * perChunk * piece, end = Math.Min(bytes, at + (long)perChunk * piece); at < end; at += piece)
            {
                for (int i = 0; i < piece; i += Vector256<byte>.Count)
                {
                    state ^= state << 13;
                    state ^= state >>> 7;
                    state ^= state << 17;
                    if (quantized && i < QuantizedPanels.ScaleBytes)
                        scales.Store((uint*)(_data + at + i));
                    else if (at + i + Vector256<byte>.Count <= bytes)
                        ((state & mask) | exponent).Store((ulong*)(_data + at + i));
                }
            }
        }
    }
}
