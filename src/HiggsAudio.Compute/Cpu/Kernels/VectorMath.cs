using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Elementary functions on vectors of floats: range reduction in two or three parts (Cody and Waite) and minimax polynomials made with the
/// Remez exchange. The bounds given here are measured against double precision by the tests. NaN gives NaN.
/// </summary>
internal static class VectorMath
{
    /// <summary>Arguments of sine squared up to here are reduced in floats; beyond, their callers use doubles.</summary>
    internal const float LargestReducedAngle = 10_000;

    // Adding 1.5 · 2²³ to a small float rounds it to an integer, which is then in the low bits.
    private const float Shift = 12_582_912;
    private const float OneOverLn2 = 1.44269504f;

    // ln 2 and π in parts: the products of the high parts with a small integer are exact, with or without a fused multiply-add.
    private const float Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f;
    private const float OneOverPi = 0.318309886f, PiHigh = 3.140625f, PiMiddle = 9.67502593994140625e-4f, PiLow = 1.50995799098e-7f;

    /// <summary>eˣ, within 1.5 units in the last place; below 2⁻¹²⁵ it may be 0, above the largest float it is infinite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TSimd, TVector>(TVector x) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        x = TSimd.Min(TSimd.Broadcast(89), TSimd.Max(TSimd.Broadcast(-87.3f), x));
        // x = n ln 2 + r. The power is 2ⁿ⁻¹, because 2¹²⁸ is not a float.
        TVector shifted = TSimd.MultiplyAdd(x, TSimd.Broadcast(OneOverLn2), TSimd.Broadcast(Shift - 1));
        TVector n = TSimd.Subtract(shifted, TSimd.Broadcast(Shift - 1));
        TVector p = TSimd.Add(TSimd.Broadcast(1), ExpMinusOnePolynomial<TSimd, TVector>(Reduce<TSimd, TVector>(x, n)));
        return TSimd.Multiply(TSimd.Add(p, p), TSimd.PowerOfTwo(shifted));
    }

    /// <summary>eˣ − 1 for x up to 0, within 2 units in the last place, also next to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector ExpMinusOne<TSimd, TVector>(TVector x) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        x = TSimd.Max(TSimd.Broadcast(-87.3f), x);
        TVector shifted = TSimd.MultiplyAdd(x, TSimd.Broadcast(OneOverLn2), TSimd.Broadcast(Shift));
        TVector n = TSimd.Subtract(shifted, TSimd.Broadcast(Shift));
        TVector power = TSimd.PowerOfTwo(shifted);
        TVector p = ExpMinusOnePolynomial<TSimd, TVector>(Reduce<TSimd, TVector>(x, n));
        return TSimd.MultiplyAdd(p, power, TSimd.Subtract(power, TSimd.Broadcast(1)));
    }

    /// <summary>x / (1 + e⁻ˣ), within 3 units in the last place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Silu<TSimd, TVector>(TVector x) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        TVector e = Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Broadcast(0), x));
        return TSimd.Divide(x, TSimd.Add(TSimd.Broadcast(1), e));
    }

    /// <summary>x where positive, eˣ − 1 elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Elu<TSimd, TVector>(TVector x) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        return TSimd.WhereGreater(x, zero, x, ExpMinusOne<TSimd, TVector>(TSimd.Min(zero, x)));
    }

    /// <summary>
    /// x · Φ(x), Φ being the normal distribution's, as max(x, 0) − |x| Φ(−|x|), where nothing cancels. The tail Φ(−a) is e^(−a²/2) times a
    /// polynomial in 1 / (1 + 0.3 a), after Hastings' form of the error function (Abramowitz and Stegun 7.1.26). Absolute error below 2e-7.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Gelu<TSimd, TVector>(TVector x) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        TVector a = TSimd.Abs(x);
        TVector u = TSimd.Divide(TSimd.Broadcast(1), TSimd.MultiplyAdd(TSimd.Broadcast(0.3f), a, TSimd.Broadcast(1)));
        TVector p = TSimd.MultiplyAdd(TSimd.Broadcast(0.0356747634931f), u, TSimd.Broadcast(-0.157203037031f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(0.206353425862f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(-0.0536835691729f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(0.128561586818f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(0.0999135040295f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(0.120753954173f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(0.119629298946f));
        TVector e = Exp<TSimd, TVector>(TSimd.Multiply(TSimd.Multiply(a, TSimd.Broadcast(-0.5f)), a));
        // Beyond 14 the tail is 0; the cut keeps infinity times 0 away.
        TVector tail = TSimd.Multiply(TSimd.Multiply(TSimd.Min(TSimd.Broadcast(14), a), u), TSimd.Multiply(p, e));
        return TSimd.Subtract(TSimd.Max(TSimd.Broadcast(0), x), tail);
    }

    /// <summary>sin²(angle + correction) for angles up to <see cref="LargestReducedAngle"/> and a tiny correction; absolute error below 6e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector SineSquared<TSimd, TVector>(TVector angle, TVector correction) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        // sin² has the period π: r from −π/2 to π/2.
        TVector shift = TSimd.Broadcast(Shift);
        TVector n = TSimd.Subtract(TSimd.MultiplyAdd(angle, TSimd.Broadcast(OneOverPi), shift), shift);
        TVector r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-PiHigh), angle);
        r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-PiMiddle), r);
        r = TSimd.Add(TSimd.MultiplyAdd(n, TSimd.Broadcast(-PiLow), r), correction);
        TVector square = TSimd.Multiply(r, r);
        TVector p = TSimd.MultiplyAdd(TSimd.Broadcast(2.5997517326e-6f), square, TSimd.Broadcast(-0.000198064789388f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(0.00833301541741f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(-0.166666570206f));
        TVector sine = TSimd.MultiplyAdd(TSimd.Multiply(p, square), r, r);
        return TSimd.Multiply(sine, sine);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Reduce<TSimd, TVector>(TVector x, TVector n) where TSimd : struct, ISimd<TVector> where TVector : unmanaged =>
        TSimd.MultiplyAdd(n, TSimd.Broadcast(-Ln2Low), TSimd.MultiplyAdd(n, TSimd.Broadcast(-Ln2High), x));

    // eʳ − 1 for |r| up to ln 2 / 2.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector ExpMinusOnePolynomial<TSimd, TVector>(TVector r) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        TVector p = TSimd.MultiplyAdd(TSimd.Broadcast(0.00139505399555f), r, TSimd.Broadcast(0.00836891785883f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.0416662050725f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.166665186027f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.500000009541f));
        return TSimd.MultiplyAdd(TSimd.Multiply(p, r), r, r);
    }
}
