using System.Runtime.InteropServices;
using HiggsAudio.Compute.Cpu;
using Microsoft.Win32.SafeHandles;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// A tensor of an open <see cref="Checkpoint"/>: contiguous, little-endian, the last dimension fastest, at any address. Its bytes live as
/// long as the checkpoint is open: asking for them later throws, but <see cref="Address"/> and spans handed out before must not be used.
/// <see cref="CopyTo(Span{float}, long)"/> and <see cref="ToFloats"/> are safe even while another thread closes the checkpoint.
/// </summary>
public sealed unsafe class CheckpointTensor
{
    private readonly long[] _shape;
    private readonly long[]? _originalShape;
    private readonly byte* _data;
    private readonly SafeHandle? _owner;
    private readonly ComputedElements? _computed;

    /// <param name="name">Its stored name.</param>
    /// <param name="file">The file it is in.</param>
    /// <param name="type">Element type.</param>
    /// <param name="shape">Dimensions; none for a scalar.</param>
    /// <param name="data">Address of its first byte; at least Count elements are readable.</param>
    /// <param name="owner">What frees the bytes; null if they outlive the tensor.</param>
    internal CheckpointTensor(string name, string file, TensorType type, long[] shape, nint data, SafeHandle? owner = null)
    {
        (Name, File, Type, _shape, _owner) = (name, file, type, shape, owner);
        _data = (byte*)data;
        Count = 1;
        foreach (long d in shape)
            Count = checked(Count * d);
        ByteLength = checked(Count * SizeOf(type));
    }

    /// <param name="computed">What computes its elements from those of a stored tensor.</param>
    internal CheckpointTensor(ComputedElements computed)
        : this(computed.Stored.Name, computed.Stored.File, computed.Stored.Type, computed.Stored._shape, 0) => _computed = computed;

    /// <param name="computed">What computes its elements, floats, from those of a stored tensor.</param>
    /// <param name="rows">Rows of the matrix that it is.</param>
    /// <param name="columns">Its columns.</param>
    internal CheckpointTensor(ComputedElements computed, int rows, int columns)
        : this(computed.Stored.Name, computed.Stored.File, TensorType.Float32, [rows, columns], 0) => _computed = computed;

    // The same bytes seen as panels: shape and count are those of the values.
    private CheckpointTensor(CheckpointTensor bytes, Packing? packing, long[]? originalShape)
        : this(bytes.Name, bytes.File, bytes.Type, packing is { } p ? [p.Rows, p.Columns] : bytes._shape, (nint)bytes._data, bytes._owner) =>
        (Packing, ByteLength, _originalShape) = (packing, bytes.ByteLength, originalShape);

    /// <summary>How it is packed; null for plain elements.</summary>
    internal Packing? Packing { get; }

    /// <summary>Its stored name.</summary>
    public string Name { get; }

    /// <summary>The file it is in.</summary>
    public string File { get; }

    /// <summary>Element type.</summary>
    public TensorType Type { get; }

    /// <summary>Dimensions; none for a scalar.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>
    /// The shape that it had in the original of a <see cref="PackedCheckpoint"/>, where it was reordered for the device: a convolution's
    /// [outputs, inputs, kernel] that is kept as [outputs, kernel * inputs]. Otherwise <see cref="Shape"/>.
    /// </summary>
    public ReadOnlySpan<long> OriginalShape => _originalShape ?? _shape;

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Size in bytes.</summary>
    public long ByteLength { get; }

    /// <summary>Address of the first byte, for devices that compute on the file's bytes. Not necessarily a multiple of the element's size.</summary>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_owner is { IsClosed: true }, this);
            return _computed?.Address ?? (nint)_data;
        }
    }

    /// <summary>Whether its elements are in the file as they are, and not computed while they are read.</summary>
    internal bool IsStored => _computed is null;

    /// <summary>Says that all of it will be read soon.</summary>
    internal void Expect()
    {
        _computed?.Expect();
        if (_owner is SafeMemoryMappedViewHandle { IsClosed: false })
            CpuMemory.Expect(_data, ByteLength);
    }

    /// <summary>Says that it will not be read soon: its part of a mapped file need not stay in memory.</summary>
    internal void Forget()
    {
        _computed?.Forget();
        Forget(0, Count);
    }

    /// <summary>As <see cref="Forget()"/>, of some elements.</summary>
    internal void Forget(long start, long count)
    {
        if (_owner is SafeMemoryMappedViewHandle { IsClosed: false } && Packing is null)
            CpuMemory.Forget(_data + start * SizeOf(Type), count * SizeOf(Type));
    }

    /// <summary>Bytes of one element.</summary>
    public static int SizeOf(TensorType type) => type switch
    {
        TensorType.Float64 or TensorType.Int64 or TensorType.UInt64 => 8,
        TensorType.Float32 or TensorType.Int32 or TensorType.UInt32 => 4,
        TensorType.Float16 or TensorType.BFloat16 or TensorType.Int16 or TensorType.UInt16 => 2,
        _ => 1,
    };

    /// <summary>Some of its bytes, valid while the checkpoint is open.</summary>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public ReadOnlySpan<byte> Bytes(long start, int length)
    {
        CheckRange(start, length, ByteLength);
        return new ReadOnlySpan<byte>((byte*)Address + start, length);
    }

    /// <summary>All elements as 32-bit floats.</summary>
    /// <exception cref="CheckpointException">There are more than an array can hold.</exception>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public float[] ToFloats()
    {
        if (Count > Array.MaxLength)
            throw new CheckpointException(File, Name, $"has {Count} elements, an array holds {Array.MaxLength}");
        float[] values = GC.AllocateUninitializedArray<float>((int)Count);
        CopyTo(values, 0);
        return values;
    }

    /// <summary>Elements from <paramref name="start"/> on as 32-bit floats; wider types are rounded, booleans are 0 and 1.</summary>
    /// <param name="destination">Filled completely.</param>
    /// <param name="start">First element.</param>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public void CopyTo(Span<float> destination, long start)
    {
        CheckRange(start, destination.Length, Count);
        if (_computed is not null)
        {
            _computed.CopyTo(destination, start);
            return;
        }
        bool held = false;
        try
        {
            _owner?.DangerousAddRef(ref held);
            if (Packing is { } packing)
                Unpack(packing, destination, start);
            else
                ElementConverter.ToFloats(Type, _data + start * SizeOf(Type), destination);
        }
        finally
        {
            if (held)
                _owner!.DangerousRelease();
        }
    }

    /// <summary>Every <paramref name="stride"/>-th element from <paramref name="start"/> on, as <see cref="CopyTo(Span{float}, long)"/> gives them.</summary>
    internal void CopyTo(Span<float> destination, long start, int stride)
    {
        if (stride == 1)
        {
            CopyTo(destination, start);
            return;
        }
        if (_computed is not null || Packing is not null)
        {
            for (int i = 0; i < destination.Length; i++)
                CopyTo(destination.Slice(i, 1), start + (long)i * stride);
            return;
        }
        CheckRange(start, destination.Length == 0 ? 0 : checked((destination.Length - 1) * stride + 1), Count);
        bool held = false;
        try
        {
            _owner?.DangerousAddRef(ref held);
            ElementConverter.ToFloats(Type, _data + start * SizeOf(Type), stride, destination);
        }
        finally
        {
            if (held)
                _owner!.DangerousRelease();
        }
    }

    /// <summary>The same bytes seen as packed values, or as plain ones that had another shape.</summary>
    internal CheckpointTensor As(Packing? packing, long[]? originalShape) => new(this, packing, originalShape);

    private void Unpack(Packing packing, Span<float> destination, long start)
    {
        var weight = new CpuWeight(packing.Rows, packing.Columns, packing.Format, packing.Layout, _data);
        while (destination.Length > 0)
        {
            (long row, long column) = Math.DivRem(start, packing.Columns);
            int count = (int)Math.Min(destination.Length, packing.Columns - column);
            weight.Read((int)row, (int)column, destination[..count]);
            destination = destination[count..];
            start += count;
        }
    }

    private static void CheckRange(long start, int length, long available)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, available - start);
    }
}
