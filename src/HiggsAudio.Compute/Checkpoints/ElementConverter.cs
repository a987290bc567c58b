using System.Numerics;
using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>Converts stored elements, aligned or not, to 32-bit floats.</summary>
internal static unsafe class ElementConverter
{
    private static readonly float[] E4M3 = [.. Enumerable.Range(0, 256).Select(FromE4M3)];
    private static readonly float[] E5M2 = [.. Enumerable.Range(0, 256).Select(b => (float)BitConverter.UInt16BitsToHalf((ushort)(b << 8)))];

    /// <summary>Converts as many elements as the destination holds. Wide integers are rounded to the nearest float.</summary>
    public static void ToFloats(TensorType type, byte* source, Span<float> destination)
    {
        switch (type)
        {
            case TensorType.Float32: new ReadOnlySpan<byte>(source, checked(destination.Length * 4)).CopyTo(AsBytes(destination)); break;
            case TensorType.BFloat16: FromBFloat16(source, destination); break;
            case TensorType.Float16: FromFloat16(source, destination); break;
            case TensorType.Float8E4M3: FromTable(source, E4M3, destination); break;
            case TensorType.Float8E5M2: FromTable(source, E5M2, destination); break;
            case TensorType.Float64: Convert<double>(source, destination); break;
            case TensorType.Int64: Convert<long>(source, destination); break;
            case TensorType.Int32: Convert<int>(source, destination); break;
            case TensorType.Int16: Convert<short>(source, destination); break;
            case TensorType.Int8: Convert<sbyte>(source, destination); break;
            case TensorType.UInt64: Convert<ulong>(source, destination); break;
            case TensorType.UInt32: Convert<uint>(source, destination); break;
            case TensorType.UInt16: Convert<ushort>(source, destination); break;
            case TensorType.UInt8: Convert<byte>(source, destination); break;
            case TensorType.Boolean: FromBoolean(source, destination); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "Not an element type.");
        }
    }

    /// <summary>Converts every <paramref name="stride"/>-th element, as many as the destination holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToFloats(TensorType type, byte* source, int stride, Span<float> destination)
    {
        long step = (long)stride * CheckpointTensor.SizeOf(type);
        if (type == TensorType.Float32)
            for (int i = 0; i < destination.Length; i++, source += step)
                destination[i] = Unsafe.ReadUnaligned<float>(source);
        else
            for (int i = 0; i < destination.Length; i++, source += step)
                ToFloats(type, source, destination.Slice(i, 1));
    }

    private static Span<byte> AsBytes(Span<float> values) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(values);

    private static void FromBFloat16(byte* source, Span<float> destination)
    {
        int i = 0;
        fixed (float* target = destination)
        {
            for (; i <= destination.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
            {
                Vector.Widen(Unsafe.ReadUnaligned<Vector<ushort>>(source + 2L * i), out Vector<uint> low, out Vector<uint> high);
                Unsafe.WriteUnaligned(target + i, Vector.ShiftLeft(low, 16));
                Unsafe.WriteUnaligned(target + i + Vector<uint>.Count, Vector.ShiftLeft(high, 16));
            }
        }
        for (; i < destination.Length; i++)
            destination[i] = BitConverter.UInt32BitsToSingle((uint)Unsafe.ReadUnaligned<ushort>(source + 2L * i) << 16);
    }

    private static void FromFloat16(byte* source, Span<float> destination)
    {
        int i = 0;
        fixed (float* target = destination)
        {
            for (; i <= destination.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
            {
                Vector.Widen(Unsafe.ReadUnaligned<Vector<ushort>>(source + 2L * i), out Vector<uint> low, out Vector<uint> high);
                Unsafe.WriteUnaligned(target + i, FromFloat16(low));
                Unsafe.WriteUnaligned(target + i + Vector<uint>.Count, FromFloat16(high));
            }
        }
        for (; i < destination.Length; i++)
            destination[i] = (float)Unsafe.ReadUnaligned<Half>(source + 2L * i);
    }

    // Exponent and mantissa moved to their places in a float, whose bias is 112 greater: a product with 2^112 corrects that, for
    // subnormal numbers too. Infinity and NaN get the float's largest exponent.
    private static Vector<uint> FromFloat16(Vector<uint> bits)
    {
        Vector<uint> magnitude = Vector.ShiftLeft(bits & new Vector<uint>(0x7FFF), 13);
        Vector<float> scaled = Vector.AsVectorSingle(magnitude) * new Vector<float>(BitConverter.UInt32BitsToSingle(0x77800000));
        Vector<uint> special = Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(0x0F800000)) & new Vector<uint>(0x7F800000);
        return Vector.AsVectorUInt32(scaled) | special | Vector.ShiftLeft(bits & new Vector<uint>(0x8000), 16);
    }

    private static void FromTable(byte* source, float[] table, Span<float> destination)
    {
        for (int i = 0; i < destination.Length; i++)
            destination[i] = table[source[i]];
    }

    private static void FromBoolean(byte* source, Span<float> destination)
    {
        for (int i = 0; i < destination.Length; i++)
            destination[i] = source[i] == 0 ? 0 : 1;
    }

    private static void Convert<T>(byte* source, Span<float> destination) where T : unmanaged, INumberBase<T>
    {
        for (int i = 0; i < destination.Length; i++)
            destination[i] = float.CreateTruncating(Unsafe.ReadUnaligned<T>(source + (long)i * sizeof(T)));
    }

    // OCP 8-bit floating point, E4M3: bias 7, no infinity, all ones is NaN.
    private static float FromE4M3(int bits)
    {
        int exponent = bits >> 3 & 15, mantissa = bits & 7;
        float magnitude = exponent == 15 && mantissa == 7 ? float.NaN
            : exponent == 0 ? MathF.ScaleB(mantissa, -9)
            : MathF.ScaleB(8 + mantissa, exponent - 10);
        return bits >= 128 ? -magnitude : magnitude;
    }
}
