using BenchmarkDotNet.Attributes;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Benchmarks;

/// <summary>One layer of the language model's attention: 24 query heads on 8 key-value heads of 128.</summary>
[MemoryDiagnoser]
public class CachedAttentionBenchmarks
{
    private const int Heads = 24, KeyValueHeads = 8, HeadDim = 128, Layers = 4;

    private readonly RotaryTable _rotary = new([.. Enumerable.Range(0, HeadDim / 2).Select(i => MathF.Pow(500_000, -2f * i / HeadDim))]);
    private readonly RowMap _step = new(), _prompt = new();
    private CpuDevice _device = null!;
    private Backend _lane = null!;
    private KvCache _cache = null!;
    private Matrix _q, _k, _v, _y;
    private int _layer;

    /// <summary>Threads; 0 for one per core.</summary>
    [Params(1, 0)]
    public int Threads { get; set; }

    /// <summary>Slots in the cache.</summary>
    [Params(256, 2048, 8192)]
    public int Context { get; set; }

    [ParamsAllValues]
    public KeyValueFormat Format { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(Threads);
        _lane = _device.CreateLane();
        _cache = _device.CreateKvCache(new KvCacheShape(Layers, KeyValueHeads, HeadDim, Format));
        _cache.Reserve(Context);
        _q = Values(Heads);
        _k = Values(KeyValueHeads);
        _v = Values(KeyValueHeads);
        _y = _lane.Zeros(Context, Heads * HeadDim);
        for (int slot = 0; slot < Context; slot++)
            _prompt.Add(_cache, slot, slot);
        _step.Add(_cache, Context - 1, Context - 1);
        for (int layer = 0; layer < Layers; layer++)
            _lane.RotateAppendAttend(_q, _k, _v, _rotary, _prompt, layer, into: _y);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _cache.Dispose();
        _lane.Dispose();
        _device.Dispose();
    }

    /// <summary>One row at the end of the context; the layers take turns.</summary>
    [Benchmark]
    public void Decode() => _lane.RotateAppendAttend(_q[..1], _k[..1], _v[..1], _rotary, _step, _layer++ % Layers, into: _y[..1]);

    /// <summary>All rows of the context at once.</summary>
    [Benchmark]
    public void Prefill() => _lane.RotateAppendAttend(_q, _k, _v, _rotary, _prompt, 0, into: _y);

    private Matrix Values(int heads)
    {
        var random = new Random(heads);
        return _lane.Upload([.. Enumerable.Range(0, Context * heads * HeadDim).Select(_ => 2 * random.NextSingle() - 1)], Context, heads * HeadDim);
    }
}

/// <summary>One layer of HuBERT's attention: 12 heads of 64.</summary>
[MemoryDiagnoser]
public class SelfAttentionBenchmarks
{
    private CpuDevice _device = null!;
    private Backend _lane = null!;
    private Matrix _all, _y;

    /// <summary>Threads; 0 for one per core.</summary>
    [Params(1, 0)]
    public int Threads { get; set; }

    /// <summary>Frames: 50 a second.</summary>
    [Params(500, 1500)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(Threads);
        _lane = _device.CreateLane();
        var random = new Random(1);
        _all = _lane.Upload([.. Enumerable.Range(0, Rows * 3 * 768).Select(_ => 2 * random.NextSingle() - 1)], Rows, 3 * 768);
        _y = _lane.Zeros(Rows, 768);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _lane.Dispose();
        _device.Dispose();
    }

    [Benchmark]
    public void SelfAttention() => _lane.SelfAttention(_all.Slice(0, 768), _all.Slice(768, 768), _all.Slice(1536, 768), 12, into: _y);
}
