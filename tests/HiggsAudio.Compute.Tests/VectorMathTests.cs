using System.Runtime.Intrinsics;
using HiggsAudio.Compute.Cpu.Kernels;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

/// <summary>The error bounds that VectorMath promises, in every vector width, against double precision.</summary>
[TestFixture(typeof(Simd32), typeof(float))]
[TestFixture(typeof(Simd128), typeof(Vector128<float>))]
[TestFixture(typeof(Simd256), typeof(Vector256<float>))]
[TestFixture(typeof(Simd512), typeof(Vector512<float>))]
internal sealed unsafe class VectorMathTests<TSimd, TVector> where TSimd : struct, ISimd<TVector> where TVector : unmanaged
{
    private const int Steps = 20_000;

    private delegate TVector Function(TVector x);

    // f in one lane, with other numbers in the other lanes.
    private static float At(Function f, float x)
    {
        float* lanes = stackalloc float[TSimd.Width];
        for (int i = 0; i < TSimd.Width; i++)
            lanes[i] = i;
        lanes[TSimd.Width / 2] = x;
        TSimd.Store(lanes, f(TSimd.Load(lanes)));
        return lanes[TSimd.Width / 2];
    }

    private static IEnumerable<float> Between(double low, double high) =>
        Enumerable.Range(0, Steps + 1).Select(i => (float)(low + (high - low) * i / Steps));

    // Numbers of all magnitudes, of both signs.
    private static IEnumerable<float> Magnitudes(double largest) =>
        Enumerable.Range(0, Steps).Select(i => (float)((i % 2 == 0 ? 1 : -1) * largest * Math.Pow(10, -30.0 * i / Steps)));

    private static double Units(float value, double exact) => Math.Abs(value - exact) / (MathF.BitIncrement(MathF.Abs((float)exact)) - MathF.Abs((float)exact));

    [Test]
    public void Exp_is_within_one_and_a_half_units()
    {
        foreach (float x in Between(-86.6, 88.7).Concat(Magnitudes(86)))
            Assert.That(Units(At(VectorMath.Exp<TSimd, TVector>, x), Math.Exp(x)), Is.LessThan(1.5), () => $"{x:R}");
    }

    [Test]
    public void Exp_ends_in_zero_and_infinity()
    {
        Assert.That(At(VectorMath.Exp<TSimd, TVector>, 0), Is.EqualTo(1f));
        foreach (float x in new[] { -88f, -104f, -1e4f, float.MinValue, float.NegativeInfinity })
            Assert.That(At(VectorMath.Exp<TSimd, TVector>, x), Is.EqualTo(0f));
        foreach (float x in new[] { 88.73f, 89f, 1e4f, float.MaxValue, float.PositiveInfinity })
            Assert.That(At(VectorMath.Exp<TSimd, TVector>, x), Is.EqualTo(float.PositiveInfinity));
        Assert.That(At(VectorMath.Exp<TSimd, TVector>, float.NaN), Is.NaN);
        Assert.That(At(VectorMath.Exp<TSimd, TVector>, BitConverter.Int32BitsToSingle(0x7FC00001)), Is.NaN);
    }

    [Test]
    public void ExpMinusOne_is_within_two_units()
    {
        foreach (float x in Between(-30, 0).Concat(Magnitudes(1).Where(x => x < 0)))
            Assert.That(Units(At(VectorMath.ExpMinusOne<TSimd, TVector>, x), ExactExpMinusOne(x)), Is.LessThan(2), () => $"{x:R}");
        Assert.That(At(VectorMath.ExpMinusOne<TSimd, TVector>, float.NegativeInfinity), Is.EqualTo(-1f));
        Assert.That(At(VectorMath.ExpMinusOne<TSimd, TVector>, float.NaN), Is.NaN);
    }

    private static double ExactExpMinusOne(double x) => Math.Abs(x) < 1e-4 ? x + x * x / 2 + x * x * x / 6 : Math.Exp(x) - 1;

    [Test]
    public void Silu_is_within_three_units()
    {
        foreach (float x in Between(-85, 1000).Concat(Magnitudes(80)))
            Assert.That(Units(At(VectorMath.Silu<TSimd, TVector>, x), x / (1 + Math.Exp(-x))), Is.LessThan(3), () => $"{x:R}");
        Assert.That(At(VectorMath.Silu<TSimd, TVector>, -1e4f), Is.EqualTo(0f));
        Assert.That(At(VectorMath.Silu<TSimd, TVector>, float.PositiveInfinity), Is.EqualTo(float.PositiveInfinity));
        Assert.That(At(VectorMath.Silu<TSimd, TVector>, float.NaN), Is.NaN);
    }

    [Test]
    public void Gelu_is_within_two_tenths_of_a_millionth()
    {
        foreach (float x in Between(-15, 15).Concat(Magnitudes(10)))
        {
            double exact = x * Normal(x);
            Assert.That(At(VectorMath.Gelu<TSimd, TVector>, x), Is.EqualTo(exact).Within(2e-7 * Math.Max(1, Math.Abs(exact))), () => $"{x:R}");
            if (x is < 0 and > -4)
                Assert.That(At(VectorMath.Gelu<TSimd, TVector>, x) / exact, Is.EqualTo(1).Within(3e-6), () => $"{x:R}");
        }
        Assert.That(At(VectorMath.Gelu<TSimd, TVector>, float.PositiveInfinity), Is.EqualTo(float.PositiveInfinity));
        Assert.That(At(VectorMath.Gelu<TSimd, TVector>, -1e30f), Is.EqualTo(0f));
        Assert.That(At(VectorMath.Gelu<TSimd, TVector>, float.NaN), Is.NaN);
    }

    // Φ by its series and, for the tail, Laplace's continued fraction (Abramowitz & Stegun 26.2.11 and 26.2.14).
    private static double Normal(double x)
    {
        double a = Math.Abs(x), density = Math.Exp(-a * a / 2) / Math.Sqrt(2 * Math.PI), tail;
        if (a < 2.5)
        {
            double term = a, sum = a;
            for (int n = 3; term > 1e-18 * sum; n += 2)
                sum += term *= a * a / n;
            tail = 0.5 - density * sum;
        }
        else
        {
            double fraction = a;
            for (int n = 200; n > 0; n--)
                fraction = a + n / fraction;
            tail = density / fraction;
        }
        return x > 0 ? 1 - tail : tail;
    }

    [Test]
    public void Sine_squared_is_within_half_a_millionth()
    {
        foreach (float x in Between(-VectorMath.LargestReducedAngle, VectorMath.LargestReducedAngle).Concat(Between(-20, 20)).Concat(Magnitudes(9000)))
        {
            double sine = Math.Sin(x);
            Assert.That(At(v => VectorMath.SineSquared<TSimd, TVector>(v, TSimd.Broadcast(0)), x), Is.EqualTo(sine * sine).Within(5e-7), () => $"{x:R}");
        }
        Assert.That(At(v => VectorMath.SineSquared<TSimd, TVector>(v, TSimd.Broadcast(0)), float.NaN), Is.NaN);
    }

    [Test]
    public void All_lanes_and_widths_give_the_same_bits()
    {
        Function[] functions = [VectorMath.Exp<TSimd, TVector>, VectorMath.Silu<TSimd, TVector>, VectorMath.Gelu<TSimd, TVector>, VectorMath.Elu<TSimd,
            TVector>, v => VectorMath.SineSquared<TSimd, TVector>(v, v)];
        Func<float, float>[] single = [VectorMath.Exp<Simd32, float>, VectorMath.Silu<Simd32, float>, VectorMath.Gelu<Simd32, float>, VectorMath.Elu<Simd32,
            float>, v => VectorMath.SineSquared<Simd32, float>(v, v)];
        float* lanes = stackalloc float[TSimd.Width];
        for (int f = 0; f < functions.Length; f++)
            foreach (float x in Between(-50, 50))
            {
                for (int i = 0; i < TSimd.Width; i++)
                    lanes[i] = x + i;
                TSimd.Store(lanes, functions[f](TSimd.Load(lanes)));
                for (int i = 0; i < TSimd.Width; i++)
                    Assert.That(lanes[i], Is.EqualTo(single[f](x + i)), () => $"function {f} of {x:R}");
            }
    }
}
