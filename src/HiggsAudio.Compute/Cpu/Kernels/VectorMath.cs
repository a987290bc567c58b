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
    public static TVector Exp<TLanes, TVector>(TVector x) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        x = TLanes.Min(TLanes.Create(89), TLanes.Max(TLanes.Create(-87.3f), x));
        // x = n ln 2 + r. The power is 2ⁿ⁻¹, because 2¹²⁸ is not a float.
        TVector shifted = TLanes.MultiplyAdd(x, TLanes.Create(OneOverLn2), TLanes.Create(Shift - 1));
        TVector n = TLanes.Subtract(shifted, TLanes.Create(Shift - 1));
        TVector p = TLanes.Add(TLanes.Create(1), ExpMinusOnePolynomial<TLanes, TVector>(Reduce<TLanes, TVector>(x, n)));
        return TLanes.Multiply(TLanes.Add(p, p), TLanes.PowerOfTwo(shifted));
    }

    /// <summary>eˣ − 1 for x up to 0, within 2 units in the last place, also next to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector ExpMinusOne<TLanes, TVector>(TVector x) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        x = TLanes.Max(TLanes.Create(-87.3f), x);
        TVector shifted = TLanes.MultiplyAdd(x, TLanes.Create(OneOverLn2), TLanes.Create(Shift));
        TVector n = TLanes.Subtract(shifted, TLanes.Create(Shift));
        TVector power = TLanes.PowerOfTwo(shifted);
        TVector p = ExpMinusOnePolynomial<TLanes, TVector>(Reduce<TLanes, TVector>(x, n));
        return TLanes.MultiplyAdd(p, power, TLanes.Subtract(power, TLanes.Create(1)));
    }

    /// <summary>x / (1 + e⁻ˣ), within 3 units in the last place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Silu<TLanes, TVector>(TVector x) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        TVector e = Exp<TLanes, TVector>(TLanes.Subtract(TLanes.Create(0), x));
        return TLanes.Divide(x, TLanes.Add(TLanes.Create(1), e));
    }

    /// <summary>x where positive, eˣ − 1 elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Elu<TLanes, TVector>(TVector x) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        TVector zero = TLanes.Create(0);
        return TLanes.WhereGreater(x, zero, x, ExpMinusOne<TLanes, TVector>(TLanes.Min(zero, x)));
    }

    /// <summary>
    /// x · Φ(x), Φ being the normal distribution's, as max(x, 0) − |x| Φ(−|x|), where nothing cancels. The tail Φ(−a) is e^(−a²/2) times a
    /// polynomial in 1 / (1 + 0.3 a), after Hastings' form of the error function (Abramowitz and Stegun 7.1.26). Absolute error below 2e-7.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Gelu<TLanes, TVector>(TVector x) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        TVector a = TLanes.Abs(x);
        TVector u = TLanes.Divide(TLanes.Create(1), TLanes.MultiplyAdd(TLanes.Create(0.3f), a, TLanes.Create(1)));
        TVector p = TLanes.MultiplyAdd(TLanes.Create(0.0356747634931f), u, TLanes.Create(-0.157203037031f));
        p = TLanes.MultiplyAdd(p, u, TLanes.Create(0.206353425862f));
        p = TLanes.MultiplyAdd(p, u, TLanes.Create(-0.0536835691729f));
        p = TLanes.MultiplyAdd(p, u, TLanes.Create(0.128561586818f));
        p = TLanes.MultiplyAdd(p, u, TLanes.Create(0.0999135040295f));
        p = TLanes.MultiplyAdd(p, u, TLanes.Create(0.120753954173f));
        p = TLanes.MultiplyAdd(p, u, TLanes.Create(0.119629298946f));
        TVector e = Exp<TLanes, TVector>(TLanes.Multiply(TLanes.Multiply(a, TLanes.Create(-0.5f)), a));
        // Beyond 14 the tail is 0; the cut keeps infinity times 0 away.
        TVector tail = TLanes.Multiply(TLanes.Multiply(TLanes.Min(TLanes.Create(14), a), u), TLanes.Multiply(p, e));
        return TLanes.Subtract(TLanes.Max(TLanes.Create(0), x), tail);
    }

    /// <summary>sin²(angle + correction) for angles up to <see cref="LargestReducedAngle"/> and a tiny correction; absolute error below 6e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector SineSquared<TLanes, TVector>(TVector angle, TVector correction) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        // sin² has the period π: r from −π/2 to π/2.
        TVector shift = TLanes.Create(Shift);
        TVector n = TLanes.Subtract(TLanes.MultiplyAdd(angle, TLanes.Create(OneOverPi), shift), shift);
        TVector r = TLanes.MultiplyAdd(n, TLanes.Create(-PiHigh), angle);
        r = TLanes.MultiplyAdd(n, TLanes.Create(-PiMiddle), r);
        r = TLanes.Add(TLanes.MultiplyAdd(n, TLanes.Create(-PiLow), r), correction);
        TVector square = TLanes.Multiply(r, r);
        TVector p = TLanes.MultiplyAdd(TLanes.Create(2.5997517326e-6f), square, TLanes.Create(-0.000198064789388f));
        p = TLanes.MultiplyAdd(p, square, TLanes.Create(0.00833301541741f));
        p = TLanes.MultiplyAdd(p, square, TLanes.Create(-0.166666570206f));
        TVector sine = TLanes.MultiplyAdd(TLanes.Multiply(p, square), r, r);
        return TLanes.Multiply(sine, sine);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Reduce<TLanes, TVector>(TVector x, TVector n) where TLanes : struct, ILanes<TVector> where TVector : unmanaged =>
        TLanes.MultiplyAdd(n, TLanes.Create(-Ln2Low), TLanes.MultiplyAdd(n, TLanes.Create(-Ln2High), x));

    // eʳ − 1 for |r| up to ln 2 / 2.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector ExpMinusOnePolynomial<TLanes, TVector>(TVector r) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        TVector p = TLanes.MultiplyAdd(TLanes.Create(0.00139505399555f), r, TLanes.Create(0.00836891785883f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(0.0416662050725f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(0.166665186027f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(0.500000009541f));
        return TLanes.MultiplyAdd(TLanes.Multiply(p, r), r, r);
    }
}
