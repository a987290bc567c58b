using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>A tensor of an open <see cref="Checkpoint"/>: contiguous, little-endian, the last dimension fastest. Valid while the checkpoint is open.</summary>
public sealed unsafe class CheckpointTensor
{
    private readonly long[] _shape;
    private readonly byte* _data;

    /// <param name="name">Its stored name.</param>
    /// <param name="file">The file it is in.</param>
    /// <param name="type">Element type.</param>
    /// <param name="shape">Dimensions; none for a scalar.</param>
    /// <param name="data">Address of its first byte; at least Count elements are readable.</param>
    internal CheckpointTensor(string name, string file, TensorType type, long[] shape, nint data)
    {
        (Name, File, Type, _shape) = (name, file, type, shape);
        _data = (byte*)data;
        Count = 1;
        foreach (long d in shape)
            Count = checked(Count * d);
    }

    /// <summary>Its stored name.</summary>
    public string Name { get; }

    /// <summary>The file it is in.</summary>
    public string File { get; }

    /// <summary>Element type.</summary>
    public TensorType Type { get; }

    /// <summary>Dimensions; none for a scalar.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Size in bytes.</summary>
    public long ByteLength => Count * SizeOf(Type);

    /// <summary>Address of the first byte, for devices that compute on the file's bytes.</summary>
    public nint Address => (nint)_data;

    /// <summary>Bytes of one element.</summary>
    public static int SizeOf(TensorType type) => type switch
    {
        TensorType.Float64 or TensorType.Int64 or TensorType.UInt64 => 8,
        TensorType.Float32 or TensorType.Int32 or TensorType.UInt32 => 4,
        TensorType.Float16 or TensorType.BFloat16 or TensorType.Int16 or TensorType.UInt16 => 2,
        _ => 1,
    };

    /// <summary>Some of its bytes.</summary>
    public ReadOnlySpan<byte> Bytes(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + length, ByteLength);
        return new ReadOnlySpan<byte>(_data + start, length);
    }

    /// <summary>All elements as 32-bit floats.</summary>
    public float[] ToFloats()
    {
        var values = new float[Count];
        CopyTo(values, 0);
        return values;
    }

    /// <summary>Elements from <paramref name="start"/> on as 32-bit floats.</summary>
    /// <param name="destination">Filled completely.</param>
    /// <param name="start">First element.</param>
    public void CopyTo(Span<float> destination, long start)
    {
        ReadOnlySpan<byte> bytes = Bytes(start * SizeOf(Type), checked(destination.Length * SizeOf(Type)));
        switch (Type)
        {
            case TensorType.Float32: MemoryMarshal.Cast<byte, float>(bytes).CopyTo(destination); break;
            case TensorType.BFloat16: Convert<ushort>(bytes, destination, static v => BitConverter.UInt32BitsToSingle((uint)v << 16)); break;
            case TensorType.Float16: Convert<Half>(bytes, destination, static v => (float)v); break;
            case TensorType.Float64: Convert<double>(bytes, destination, static v => (float)v); break;
            case TensorType.Int64: Convert<long>(bytes, destination, static v => v); break;
            case TensorType.Int32: Convert<int>(bytes, destination, static v => v); break;
            case TensorType.Int16: Convert<short>(bytes, destination, static v => v); break;
            case TensorType.Int8: Convert<sbyte>(bytes, destination, static v => v); break;
            case TensorType.UInt64: Convert<ulong>(bytes, destination, static v => v); break;
            case TensorType.UInt32: Convert<uint>(bytes, destination, static v => v); break;
            case TensorType.UInt16: Convert<ushort>(bytes, destination, static v => v); break;
            case TensorType.UInt8 or TensorType.Boolean: Convert<byte>(bytes, destination, static v => v); break;
            default: throw new CheckpointException(File, Name, $"{Type} values cannot be read as floats yet");
        }
    }

    private static void Convert<T>(ReadOnlySpan<byte> bytes, Span<float> destination, Func<T, float> convert) where T : unmanaged
    {
        for (int i = 0; i < destination.Length; i++)
            destination[i] = convert(MemoryMarshal.Read<T>(bytes[(i * sizeof(T))..]));
    }
}
