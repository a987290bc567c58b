using BenchmarkDotNet.Attributes;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Benchmarks;

/// <summary>Activations and norms over a matrix that does not fit the caches, and over the one row of a decode step.</summary>
[MemoryDiagnoser]
public class ElementwiseBenchmarks
{
    private CpuDevice _device = null!;
    private Backend _lane = null!;
    private Matrix _x, _y;
    private Weight _alpha = null!, _gain = null!;

    /// <summary>Threads; 0 for one per core.</summary>
    [Params(1, 0)]
    public int Threads { get; set; }

    /// <summary>Rows and columns: seconds of sound in the codec's decoder, a clip in HuBERT, a step of the language model.</summary>
    [Params("60000x64", "1500x3072", "1x8192")]
    public string Shape { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        int[] shape = [.. Shape.Split('x').Select(int.Parse)];
        _device = new CpuDevice(Threads);
        _lane = _device.CreateLane();
        var random = new Random(1);
        float[] values = [.. Enumerable.Range(0, shape[0] * shape[1]).Select(_ => 4 * random.NextSingle() - 2)];
        _x = _lane.Upload(values, shape[0], shape[1]);
        _y = _lane.Zeros(shape[0], shape[1]);
        float[] vector = [.. Enumerable.Range(0, shape[1]).Select(_ => 0.5f + random.NextSingle())];
        _alpha = _device.CreateWeight(vector, 1, shape[1], WeightUse.Vector);
        _gain = _device.CreateWeight(vector, 1, shape[1], WeightUse.Vector);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _lane.Dispose();
        _device.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void Copy() => _lane.Copy(_x, into: _y);

    [Benchmark]
    public void Snake() => _lane.Snake(_x, _alpha, into: _y);

    [Benchmark]
    public void Elu() => _lane.Elu(_x, into: _y);

    [Benchmark]
    public void Gelu() => _lane.Gelu(_x, into: _y);

    [Benchmark]
    public void SwiGlu() => _lane.SwiGlu(_x, _x, into: _y);

    [Benchmark]
    public void RmsNorm() => _lane.RmsNorm(_x, _gain, 1e-5f, into: _y);

    [Benchmark]
    public void LayerNorm() => _lane.LayerNorm(_x, _gain, _alpha, 1e-5f, into: _y);

    [Benchmark]
    public void GroupNorm() => _lane.GroupNorm(_x, _x.Columns, _gain, _alpha, 1e-5f, into: _y);
}
