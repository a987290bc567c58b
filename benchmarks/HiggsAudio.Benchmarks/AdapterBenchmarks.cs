using BenchmarkDotNet.Attributes;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Benchmarks;

/// <summary>What a LoRA adapter adds to the loading of a linear layer of the language model (25 M bfloat16 values).</summary>
public unsafe class AdapterBenchmarks
{
    private const int Inputs = 3072, Outputs = 8192;

    private CpuThreads _threads = null!;
    private CheckpointTensor _tensor = null!;
    private void* _file, _factors, _packed;

    /// <summary>The adapter's rank; 0 for none.</summary>
    [Params(0, 16, 64)]
    public int Rank { get; set; }

    [Params(WeightFormat.BFloat16, WeightFormat.Int8, WeightFormat.Int4)]
    public WeightFormat Format { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _threads = new CpuThreads(0);
        _file = CpuMemory.Allocate(Inputs * Outputs * sizeof(ushort));
        _factors = CpuMemory.Allocate(Math.Max(1, Rank) * (Inputs + Outputs) * sizeof(float));
        _packed = CpuMemory.Allocate(Inputs * Outputs * sizeof(float));
        var random = new Random(1);
        for (int i = 0; i < Inputs * Outputs; i++)
            ((ushort*)_file)[i] = BFloat16.Round((float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5));
        for (int i = 0; i < Rank * (Inputs + Outputs); i++)
            ((float*)_factors)[i] = random.NextSingle() - 0.5f;
        _tensor = new CheckpointTensor("weight", "benchmark", TensorType.BFloat16, [Outputs, Inputs], (nint)_file);
        if (Rank == 0)
            return;
        var a = new CheckpointTensor("A", "benchmark", TensorType.Float32, [Rank, Inputs], (nint)_factors);
        var b = new CheckpointTensor("B", "benchmark", TensorType.Float32, [Outputs, Rank], (nint)((float*)_factors + Rank * Inputs));
        _tensor = new CheckpointTensor(new MergedElements(_tensor, [new LowRankChange(a, b, 0.01f)]));
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _threads.Dispose();
        CpuMemory.Free(_file);
        CpuMemory.Free(_factors);
        CpuMemory.Free(_packed);
    }

    [Benchmark]
    public void Load()
    {
        var source = new TensorSource([_tensor]);
        if (BlockQuantization.IsQuantized(Format))
            QuantizedPanels.Pack(_threads, source, Outputs, Inputs, Format, _packed);
        else
            WeightPacking.Pack(_threads, source, Outputs, Inputs, WeightLayout.Panels, Format, _packed);
    }
}
