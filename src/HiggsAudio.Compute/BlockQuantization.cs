using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Compute.Cpu.Kernels;

namespace HiggsAudio.Compute;

/// <summary>
/// The numbers of <see cref="WeightFormat.Int8"/> and <see cref="WeightFormat.Int4"/>: a row is cut into blocks of 32 inputs, each with
/// a scale in bfloat16; a value is (code − offset) * scale. What a device makes of the codes is its own affair.
/// </summary>
internal static class BlockQuantization
{
    /// <summary>Inputs of a block.</summary>
    public const int Size = 32;

    /// <summary>The code of zero.</summary>
    public const int Int8Offset = 128, Int4Offset = 8;

    // Adding it to a small number leaves the number, rounded to even, in the lowest bits.
    private const float Rounder = 12582912;

    public static bool IsQuantized(WeightFormat format) => format is WeightFormat.Int8 or WeightFormat.Int4;

    public static int Offset(WeightFormat format) => format == WeightFormat.Int8 ? Int8Offset : Int4Offset;

    /// <summary>Quantizes a block of a weight: what <see cref="QuantizedPanels"/> does to many at once.</summary>
    /// <param name="format">Int8 or Int4.</param>
    /// <param name="values">32 values.</param>
    /// <param name="codes">32 codes: 1 to 255, or 0 to 15.</param>
    /// <returns>The scale, bfloat16. Not a number if a value is not finite.</returns>
    public static unsafe ushort Quantize(WeightFormat format, ReadOnlySpan<float> values, Span<byte> codes)
    {
        float* words = stackalloc float[Size];
        float scale;
        fixed (float* from = values[..Size])
            BlockQuantizer<Simd32, float>.Quantize(format == WeightFormat.Int8, from, 1, &scale, words);
        for (int i = 0; i < Size; i++)
            codes[i] = (byte)(BitConverter.SingleToInt32Bits(words[i]) + Offset(format));
        return BFloat16.Round(scale);
    }

    /// <summary>Quantizes 32 values that a weight is multiplied with: to −127 … 127.</summary>
    /// <param name="a">The first half.</param>
    /// <param name="b">The second half.</param>
    /// <param name="scale">What the codes are to be multiplied with; not a number if a value is not finite.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> QuantizeInput(Vector512<float> a, Vector512<float> b, out float scale)
    {
        float largest = Largest(a, b), inverse = 127 / largest;
        bool usable = float.IsFinite(inverse) && float.IsFinite(largest);
        scale = usable ? largest / 127 : float.IsFinite(largest) ? 0 : float.NaN;
        return Codes(a, b, usable ? inverse : 0, -127, 127, default).AsSByte();
    }

    /// <summary>The largest magnitude; not a number if there is something that is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(Vector512<float> a, Vector512<float> b)
    {
        Vector512<float> c = Vector512.Max(Vector512.Abs(a), Vector512.Abs(b));
        Vector256<float> d = Vector256.Max(c.GetLower(), c.GetUpper());
        Vector128<float> e = Vector128.Max(d.GetLower(), d.GetUpper());
        return MathF.Max(MathF.Max(e[0], e[1]), MathF.Max(e[2], e[3]));
    }

    // Rounds to codes; values that are not finite give any code.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Codes(Vector512<float> a, Vector512<float> b, float inverse, float lowest, float highest, Vector256<byte> offset)
    {
        Vector512<int> rounder = Vector512.Create(Rounder).AsInt32();
        Vector512<int> i = Round(a, inverse, lowest, highest).AsInt32() - rounder, j = Round(b, inverse, lowest, highest).AsInt32() - rounder;
        Vector512<short> words = Vector512.Narrow(i, j);
        return Vector256.Narrow(words.GetLower(), words.GetUpper()).AsByte() + offset;
    }

    // The nearest integers plus the rounder.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Round(Vector512<float> values, float inverse, float lowest, float highest) =>
        Vector512.MinNative(Vector512.MaxNative(values * Vector512.Create(inverse), Vector512.Create(lowest)), Vector512.Create(highest)) + Vector512.Create(Rounder);
}
