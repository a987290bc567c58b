using System.Runtime.InteropServices;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

/// <summary>
/// What every backend must do: each operation gives what the scalar reference gives, for any sizes, strided views and destinations, and
/// writes nothing else. A backend's tests inherit this class.
/// </summary>
public abstract partial class BackendContract
{
    private const float Canary = 12345.678f;

    private readonly ReferenceDevice _referenceDevice = new();
    private readonly List<nint> _memory = [];
    private readonly List<(Matrix Whole, int Guard, int Rows, int Columns)> _destinations = [];
    private Random _random = new(1);

    /// <summary>The device under test.</summary>
    protected Device Device { get; private set; } = null!;

    /// <summary>A lane of it.</summary>
    protected Backend Lane { get; private set; } = null!;

    /// <summary>The lane that is right.</summary>
    protected Backend Reference { get; private set; } = null!;

    protected abstract Device CreateDevice();

    [SetUp]
    public void Open()
    {
        _random = new Random(1);
        Device = CreateDevice();
        Lane = Device.CreateLane();
        Reference = _referenceDevice.CreateLane();
    }

    [TearDown]
    public unsafe void Close()
    {
        Lane.Dispose();
        Reference.Dispose();
        Device.Dispose();
        foreach (nint data in _memory)
            NativeMemory.Free((void*)data);
        _memory.Clear();
        _destinations.Clear();
    }

    /// <summary>The same matrix in the lane under test and in the reference's.</summary>
    protected readonly record struct Pair(Matrix Tested, Matrix Expected)
    {
        public Pair Slice(int first, int columns) => new(Tested.Slice(first, columns), Expected.Slice(first, columns));

        public Pair Rows(Range rows) => new(Tested[rows], Expected[rows]);
    }

    /// <summary>The same weight on both devices.</summary>
    protected readonly record struct WeightPair(Weight Tested, Weight Expected);

    /// <summary>Where the values of a weight come from.</summary>
    public enum WeightSource
    {
        /// <summary>Values made in memory.</summary>
        Made,

        /// <summary>One tensor of a file, at an odd address.</summary>
        Mapped,

        /// <summary>Two tensors of a file, stacked.</summary>
        Stacked,
    }

    protected float Normal(float scale = 1)
    {
        double u = 1 - _random.NextDouble();
        return (float)(scale * Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * _random.NextDouble()));
    }

    protected float[] NormalValues(long count, float scale = 1)
    {
        var values = new float[count];
        for (int i = 0; i < values.Length; i++)
            values[i] = Normal(scale);
        return values;
    }

    /// <summary>Random values in a matrix whose rows are <paramref name="gap"/> elements of NaN apart.</summary>
    protected Pair RandomMatrix(int rows, int columns, int gap = 0, float scale = 1)
    {
        var values = new float[rows * (columns + gap)];
        for (int i = 0; i < values.Length; i++)
            values[i] = i % (columns + gap) < columns ? Normal(scale) : float.NaN;
        return new Pair(Lane.Upload(values, rows, columns + gap), Reference.Upload(values, rows, columns + gap)).Slice(0, columns);
    }

    /// <summary>A place for a result, poisoned, between canaries that <see cref="AssertEqual"/> checks.</summary>
    protected Pair Destination(int rows, int columns, int gap = 0)
    {
        const int Guard = 3;
        var values = new float[(rows + 2 * Guard) * (columns + gap)];
        for (int i = 0; i < values.Length; i++)
        {
            (int row, int column) = Math.DivRem(i, columns + gap);
            values[i] = column < columns && row >= Guard && row < rows + Guard ? float.NaN : Canary;
        }
        Matrix whole = Lane.Upload(values, rows + 2 * Guard, columns + gap);
        Matrix expected = Reference.Upload(values, rows + 2 * Guard, columns + gap);
        _destinations.Add((whole, Guard, rows, columns));
        return new Pair(whole[Guard..(rows + Guard)].Slice(0, columns), expected[Guard..(rows + Guard)].Slice(0, columns));
    }

    protected WeightPair RandomWeight(int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored, WeightSource source = WeightSource.Made, float scale = 1) =>
        WeightOf(NormalValues((long)rows * columns, scale), rows, columns, use, format, source);

    protected WeightPair RandomVector(int length, float scale = 1) => RandomWeight(1, length, WeightUse.Vector, scale: scale);

    protected WeightPair WeightOf(float[] values, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored, WeightSource source = WeightSource.Made)
    {
        Weight expected = _referenceDevice.CreateWeight(values, rows, columns, use, format);
        if (source == WeightSource.Made)
            return new WeightPair(Device.CreateWeight(values, rows, columns, use, format), expected);
        TensorType type = format == WeightFormat.BFloat16 ? TensorType.BFloat16 : TensorType.Float32;
        int first = source == WeightSource.Mapped ? rows : (rows + 1) / 2;
        CheckpointTensor[] parts = first == rows
            ? [Tensor(values, type, rows, columns)]
            : [Tensor(values.AsSpan(0, first * columns), type, first, columns), Tensor(values.AsSpan(first * columns), type, rows - first, columns)];
        return new WeightPair(Device.CreateWeight(parts, rows, columns, use, format is WeightFormat.Int8 or WeightFormat.Int4 ? format : WeightFormat.AsStored), expected);
    }

    /// <summary>A tensor of a checkpoint, at an address that is aligned to nothing, with nothing readable assumed behind it.</summary>
    protected unsafe CheckpointTensor Tensor(ReadOnlySpan<float> values, TensorType type, params long[] shape)
    {
        int size = CheckpointTensor.SizeOf(type);
        var block = (byte*)NativeMemory.Alloc((nuint)(values.Length * size + 1));
        _memory.Add((nint)block);
        for (int i = 0; i < values.Length; i++)
        {
            byte* at = block + 1 + i * size;
            if (type == TensorType.BFloat16)
                MemoryMarshal.Write(new Span<byte>(at, 2), (ushort)(BitConverter.SingleToUInt32Bits(ReferenceDevice.RoundToBFloat16(values[i])) >> 16));
            else if (type == TensorType.Float16)
                MemoryMarshal.Write(new Span<byte>(at, 2), (Half)values[i]);
            else
                MemoryMarshal.Write(new Span<byte>(at, 4), values[i]);
        }
        return new CheckpointTensor("tensor", "test", type, shape, (nint)block + 1);
    }

    /// <summary>Compares with the reference's result, and looks for changed canaries around all destinations.</summary>
    /// <param name="result">The results.</param>
    /// <param name="tolerance">Largest difference, relative to the larger of the expected value and 1.</param>
    protected void AssertEqual(Pair result, double tolerance = 1e-5)
    {
        float[] tested = Lane.Read(result.Tested), expected = Reference.Read(result.Expected);
        Assert.That(tested, Has.Length.EqualTo(expected.Length));
        for (int i = 0; i < expected.Length; i++)
            if (!(Math.Abs(tested[i] - expected[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i]))))
                Assert.Fail($"row {i / result.Tested.Columns}, column {i % result.Tested.Columns}: {tested[i]:R}, expected {expected[i]:R}.");
        AssertCanaries();
    }

    private void AssertCanaries()
    {
        foreach ((Matrix whole, int guard, int rows, int columns) in _destinations)
        {
            float[] values = Lane.Read(whole);
            for (int i = 0; i < values.Length; i++)
            {
                (int row, int column) = Math.DivRem(i, whole.Columns);
                if ((row < guard || row >= guard + rows || column >= columns) && values[i] != Canary)
                    Assert.Fail($"Wrote outside of the destination: row {row - guard}, column {column} of [{rows}, {columns}].");
            }
        }
    }
}
