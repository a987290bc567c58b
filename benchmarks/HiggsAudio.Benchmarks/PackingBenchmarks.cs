using BenchmarkDotNet.Attributes;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Benchmarks;

/// <summary>What loading does to a linear layer of the language model (25 M bfloat16 values): packs or quantizes it.</summary>
public unsafe class PackingBenchmarks
{
    private const int Inputs = 3072, Outputs = 8192;

    private CpuThreads _threads = null!;
    private CheckpointTensor _tensor = null!;
    private void* _file, _packed;

    /// <summary>Threads; 0 for one per core.</summary>
    [Params(0)]
    public int Threads { get; set; }

    [Params(WeightFormat.Float32, WeightFormat.BFloat16, WeightFormat.Int8, WeightFormat.Int4)]
    public WeightFormat Format { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _threads = new CpuThreads(Threads);
        _file = CpuMemory.Allocate(Inputs * Outputs * sizeof(ushort));
        _packed = CpuMemory.Allocate(Inputs * Outputs * sizeof(float));
        var random = new Random(1);
        for (int i = 0; i < Inputs * Outputs; i++)
            ((ushort*)_file)[i] = BFloat16.Round((float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5));
        _tensor = new CheckpointTensor("weight", "benchmark", TensorType.BFloat16, [Outputs, Inputs], (nint)_file);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _threads.Dispose();
        CpuMemory.Free(_file);
        CpuMemory.Free(_packed);
    }

    [Benchmark]
    public void Pack()
    {
        var source = new TensorSource([_tensor]);
        if (BlockQuantization.IsQuantized(Format))
            QuantizedPanels.Pack(_threads, source, Outputs, Inputs, Format, _packed);
        else
            WeightPacking.Pack(_threads, source, Outputs, Inputs, WeightLayout.Panels, Format, _packed);
    }
}
