using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Generation;

/// <summary>
/// The exponential function with the same bits on every machine, which Math.Exp (the C library's) does not promise: only additions,
/// subtractions and multiplications of doubles, each rounded as IEEE 754 says, none fused. Error below 2 units in the last place.
/// </summary>
internal static class PortableExp
{
    // Below it the result is taken as 0: exp(-708) is near the smallest normal double.
    private const double Lowest = -708;

    // Adding it rounds to an integer, which is then in the low bits.
    private const double Rounder = 6755399441055744;   // 1.5 * 2^52

    // ln 2 in two parts, the first with trailing zeros, so that its product with a small integer is exact (Cody & Waite 1980).
    private const double Ln2High = 6.93147180369123816490e-01, Ln2Low = 1.90821492927058770002e-10;

    /// <summary>exp(x - origin) of each value.</summary>
    /// <param name="values">None NaN or above <paramref name="origin"/>; negative infinity gives 0.</param>
    /// <param name="origin">A finite number.</param>
    /// <param name="results">As many as values.</param>
    public static void Exp(ReadOnlySpan<float> values, float origin, Span<double> results)
    {
        Vector256<double> start = Vector256.Create((double)origin);
        int i = 0;
        for (; i <= values.Length - Vector256<double>.Count; i += Vector256<double>.Count)
        {
            (Vector128<double> low, Vector128<double> high) = Vector128.Widen(Vector128.Create(values.Slice(i, 4)));
            Exp(Vector256.Create(low, high) - start).CopyTo(results[i..]);
        }
        for (; i < values.Length; i++)
            results[i] = Exp((double)values[i] - origin);
    }

    /// <summary>exp(x) of one x, 0 or less.</summary>
    public static double Exp(double x) => Exp(Vector256.Create(x)).ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Exp(Vector256<double> x)
    {
        Vector256<double> lowest = Vector256.Create(Lowest), rounder = Vector256.Create(Rounder);
        Vector256<double> clamped = Vector256.ConditionalSelect(Vector256.LessThan(x, lowest), lowest, x);
        Vector256<double> shifted = clamped * 1.4426950408889634 + rounder;   // x / ln 2, rounded
        Vector256<double> n = shifted - rounder;
        Vector256<double> r = clamped - n * Ln2High - n * Ln2Low;
        // 1 + r + r^2 / 2! + … + r^13 / 13!, paired to be short of waiting (Estrin). The rest of the series is below 2^-57.
        Vector256<double> r2 = r * r, r4 = r2 * r2, r8 = r4 * r4;
        Vector256<double> from0 = Pair(1, 1, r) + Pair(1.0 / 2, 1.0 / 6, r) * r2 + (Pair(1.0 / 24, 1.0 / 120, r) + Pair(1.0 / 720, 1.0 / 5040, r) * r2) * r4;
        Vector256<double> from8 = Pair(1.0 / 40320, 1.0 / 362880, r) + Pair(1.0 / 3628800, 1.0 / 39916800, r) * r2 + Pair(1.0 / 479001600, 1.0 / 6227020800, r) * r4;
        Vector256<double> sum = from0 + from8 * r8;
        Vector256<long> powerOfTwo = Vector256.ShiftLeft(shifted.AsInt64() + Vector256.Create(1023L), 52);
        return Vector256.ConditionalSelect(Vector256.LessThan(x, lowest), Vector256<double>.Zero, sum * powerOfTwo.AsDouble());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Pair(double even, double odd, Vector256<double> r) => Vector256.Create(even) + Vector256.Create(odd) * r;
}
