using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Benchmarks;

/// <summary>
/// A linear layer of the language model's size. With one row the time should be that of reading the weight
/// (<see cref="ReadBenchmarks"/>: bytes / time); with many, 2 · rows · inputs · outputs / time should be near the processor's peak.
/// </summary>
public unsafe class LinearBenchmarks
{
    private const int Inputs = 3072, Outputs = 8192;

    private CpuDevice _device = null!;
    private Backend _lane = null!;
    private Weight _weight = null!;
    private Matrix _x, _y;
    private void* _file;

    /// <summary>How the weight is kept: as a mapped file has it, or packed.</summary>
    public enum Kind
    {
        MappedBFloat16,
        MappedFloat32,
        PackedBFloat16,
        PackedFloat32,
        Int8,
        Int4,
    }

    /// <summary>Threads; 0 for one per core.</summary>
    [Params(1, 0)]
    public int Threads { get; set; }

    [ParamsAllValues]
    public Kind Weight { get; set; }

    [Params(1, 4, 128)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(Threads);
        _lane = _device.CreateLane();
        bool halves = Weight is not (Kind.MappedFloat32 or Kind.PackedFloat32);
        long bytes = (long)Inputs * Outputs * (halves ? sizeof(ushort) : sizeof(float));
        _file = CpuMemory.Allocate(bytes);
        NativeMemory.Clear(_file, (nuint)bytes);
        var tensor = new CheckpointTensor("weight", "benchmark", halves ? TensorType.BFloat16 : TensorType.Float32, [Outputs, Inputs], (nint)_file);
        WeightFormat format = Weight switch
        {
            Kind.PackedBFloat16 => WeightFormat.BFloat16,
            Kind.PackedFloat32 => WeightFormat.Float32,
            Kind.Int8 => WeightFormat.Int8,
            Kind.Int4 => WeightFormat.Int4,
            _ => WeightFormat.AsStored,
        };
        _weight = _device.CreateWeight([tensor], Outputs, Inputs, WeightUse.Linear, format);
        _x = _lane.Zeros(Rows, Inputs);
        _y = _lane.Empty(Rows, Outputs);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _lane.Dispose();
        _device.Dispose();
        CpuMemory.Free(_file);
    }

    [Benchmark]
    public void Linear() => _lane.Linear(_x, _weight, null, _y);
}

/// <summary>Reads as many bytes as a bfloat16 weight of <see cref="LinearBenchmarks"/> has (48 MiB): what memory gives.</summary>
public unsafe class ReadBenchmarks
{
    private const int Chunks = 64, ChunkBytes = 3072 * 8192 * 2 / Chunks;

    private readonly long[] _sums = new long[Chunks];
    private CpuThreads _threads = null!;
    private byte* _data;

    /// <summary>Threads; 0 for one per core.</summary>
    [Params(1, 0)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _threads = new CpuThreads(Threads);
        _data = (byte*)CpuMemory.Allocate(Chunks * ChunkBytes);
        NativeMemory.Fill(_data, Chunks * ChunkBytes, 1);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _threads.Dispose();
        CpuMemory.Free(_data);
    }

    [Benchmark]
    public long Read()
    {
        _threads.Run(new Job(_data, _sums), Chunks);
        return _sums[0];
    }

    private readonly struct Job(byte* data, long[] sums) : IChunkedJob
    {
        private readonly byte* _data = data;

        // Counting a byte that is nowhere reads them all, with vectors.
        public void Execute(int chunk) => sums[chunk] = new ReadOnlySpan<byte>(_data + (long)chunk * ChunkBytes, ChunkBytes).IndexOf((byte)0);
    }
}

/// <summary>What handing out work costs: jobs that do nothing.</summary>
public class ThreadBenchmarks
{
    private CpuThreads _threads = null!;

    [GlobalSetup]
    public void Setup() => _threads = new CpuThreads();

    [GlobalCleanup]
    public void Cleanup() => _threads.Dispose();

    [Benchmark]
    public void Barrier() => _threads.Run(default(Nothing), _threads.Count);

    [Benchmark]
    public void RedoableBarrier() => _threads.RunRedoable(default(Nothing), _threads.Count);

    private readonly struct Nothing : IRedoableJob
    {
        public void Execute(int chunk)
        {
        }

        public unsafe void Execute(int chunk, float* result)
        {
        }

        public unsafe void Publish(int chunk, float* result)
        {
        }
    }
}

/// <summary>The convolutions of one stage of the acoustic decoder, one second of sound: transposed convolution, then residual units without their activations.</summary>
public class ConvolutionBenchmarks
{
    private CpuDevice _device = null!;
    private Backend _lane = null!;
    private Weight _upsampling = null!, _wide = null!, _narrow = null!;
    private ConvTranspose1dShape _shape;
    private Matrix _x;

    /// <summary>Channels of the output.</summary>
    [Params(512, 256, 128, 64, 32)]
    public int Channels { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (int stride, int rows) = Channels switch { 512 => (8, 25), 256 => (5, 200), 128 => (4, 1000), 64 => (2, 4000), _ => (3, 8000) };
        _device = new CpuDevice();
        _lane = _device.CreateLane();
        _shape = new ConvTranspose1dShape(2 * stride, stride, (stride + 1) / 2, stride % 2);
        _x = _lane.Zeros(rows, 2 * Channels);
        _upsampling = Made(stride * Channels, 2 * 2 * Channels);
        _wide = Made(Channels, 7 * Channels);
        _narrow = Made(Channels, Channels);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _lane.Dispose();
        _device.Dispose();
    }

    [Benchmark]
    public void Stage()
    {
        using Backend.Scope scope = _lane.Scratch();
        Matrix y = _lane.ConvTranspose1d(_x, _upsampling, null, _shape);
        for (int dilation = 1; dilation <= 9; dilation *= 3)
            y = _lane.Conv1d(_lane.Conv1d(y, _wide, null, Conv1dShape.Same(7, dilation)), _narrow, null, Conv1dShape.Same(1));
    }

    private Weight Made(int rows, int columns) => _device.CreateWeight(new float[rows * columns], rows, columns, WeightUse.Linear);
}
