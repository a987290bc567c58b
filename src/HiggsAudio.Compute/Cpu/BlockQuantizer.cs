using System.Runtime.CompilerServices;
using HiggsAudio.Compute.Cpu.Kernels;

namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// Finds the scales and codes of blocks, one block per lane, so that nothing is summed across lanes. Products are rounded before they are
/// added, so all widths of vectors, one float included, give the same bits.
/// </summary>
internal static unsafe class BlockQuantizer<TSimd, TVector> where TSimd : struct, ISimd<TVector> where TVector : unmanaged
{
    // Adding it to a small number leaves the number, rounded to even, in the lowest bits.
    private const float Rounder = 12_582_912;
    private const float SmallestNormal = 1.17549435e-38f;
    private const int Refinements = 2;

    // Codes that the value of the largest magnitude is brought to; one beyond the range is cut off, and the other 31 gain resolution.
    private static ReadOnlySpan<float> Levels => [-8, -7, -7.5f, -8.5f, -9, -9.5f, -6.5f, 7, 7.5f, -10];

    /// <summary>Quantizes one block for each lane.</summary>
    /// <param name="eight">To 8 bits; else to 4.</param>
    /// <param name="values">[32, stride]</param>
    /// <param name="stride">Floats between two inputs.</param>
    /// <param name="scales">A scale per lane, a bfloat16 value; not a number if a value is not finite.</param>
    /// <param name="codes">[32, stride]: words whose lowest byte is the code, without offset.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Quantize(bool eight, float* values, nint stride, float* scales, float* codes)
    {
        TVector zero = TSimd.Broadcast(0), highest = zero, lowest = zero, odd = zero;
        for (int i = 0; i < BlockQuantization.Size; i++)
        {
            TVector x = TSimd.Load(values + i * stride);
            highest = TSimd.Max(x, highest);
            lowest = TSimd.Min(x, lowest);
            odd = TSimd.Add(odd, TSimd.Multiply(x, zero));                          // not a number if x is not finite
        }
        TVector extreme = TSimd.WhereGreater(TSimd.Subtract(zero, lowest), highest, lowest, highest);
        TVector scale = eight
            ? TSimd.Divide(TSimd.Abs(extreme), TSimd.Broadcast(127))
            : TSimd.Multiply(Search(values, stride, Inverse(extreme), codes), extreme);
        TSimd.Store(scales, TSimd.Add(scale, odd));
        for (int lane = 0; lane < TSimd.Width; lane++)
            scales[lane] = BFloat16.ToSingle(BFloat16.Round(scales[lane]));
        TVector inverse = Inverse(TSimd.Load(scales)), least = TSimd.Broadcast(eight ? -127 : -8), most = TSimd.Broadcast(eight ? 127 : 7);
        for (int i = 0; i < BlockQuantization.Size; i++)
            TSimd.Store(codes + i * stride, Shifted(TSimd.Multiply(TSimd.Load(values + i * stride), inverse), least, most));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Inverse(TVector x) =>
        TSimd.WhereGreater(TSimd.Abs(x), TSimd.Broadcast(SmallestNormal), TSimd.Divide(TSimd.Broadcast(1), x), TSimd.Broadcast(0));

    // The nearest codes plus the rounder; values that are not finite give any code.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Shifted(TVector x, TVector least, TVector most) =>
        TSimd.Add(TSimd.Min(TSimd.Max(x, least), most), TSimd.Broadcast(Rounder));

    // For several scales, the codes they give; for these codes, the scale of the least squares; of those, the one with the least error,
    // improved by taking the codes that it gives. In units of the extreme value, by which the block is divided here.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static TVector Search(float* values, nint stride, TVector inverse, float* units)
    {
        for (int i = 0; i < BlockQuantization.Size; i++)
            TSimd.Store(units + i * stride, TSimd.Multiply(TSimd.Load(values + i * stride), inverse));
        TVector best = TSimd.Broadcast(0), bestScale = best;
        ReadOnlySpan<float> levels = Levels;
        for (int i = 0; i < levels.Length; i += 2)
            Try(units, stride, TSimd.Broadcast(levels[i]), TSimd.Broadcast(levels[i + 1]), ref best, ref bestScale);
        for (int i = 0; i < Refinements; i++)
        {
            TVector level = Inverse(bestScale);
            Try(units, stride, level, level, ref best, ref bestScale);
        }
        return bestScale;
    }

    // With these codes the error is the sum of x^2 less (sum of x q)^2 / sum of q^2, and (sum of x q) / sum of q^2 the best scale. Two levels
    // at a time, so that one need not wait for the other's sums.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Try(float* units, nint stride, TVector first, TVector second, ref TVector best, ref TVector bestScale)
    {
        TVector least = TSimd.Broadcast(-8), most = TSimd.Broadcast(7), rounder = TSimd.Broadcast(Rounder);
        TVector products = TSimd.Broadcast(0), squares = products, products2 = products, squares2 = products;
        for (int i = 0; i < BlockQuantization.Size; i++)
        {
            TVector x = TSimd.Load(units + i * stride);
            TVector p = TSimd.Subtract(Shifted(TSimd.Multiply(x, first), least, most), rounder);
            TVector q = TSimd.Subtract(Shifted(TSimd.Multiply(x, second), least, most), rounder);
            products = TSimd.Add(products, TSimd.Multiply(x, p));
            squares = TSimd.Add(squares, TSimd.Multiply(p, p));
            products2 = TSimd.Add(products2, TSimd.Multiply(x, q));
            squares2 = TSimd.Add(squares2, TSimd.Multiply(q, q));
        }
        Keep(products, squares, ref best, ref bestScale);
        Keep(products2, squares2, ref best, ref bestScale);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep(TVector products, TVector squares, ref TVector best, ref TVector bestScale)
    {
        TVector scale = TSimd.Divide(products, squares), gain = TSimd.Multiply(scale, products);
        bestScale = TSimd.WhereGreater(gain, best, scale, bestScale);
        best = TSimd.WhereGreater(gain, best, gain, best);
    }
}
