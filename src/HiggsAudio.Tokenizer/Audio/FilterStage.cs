using System.Numerics;
using System.Runtime.InteropServices;

namespace HiggsAudio.Audio;

/// <summary>
/// One step of a resampler: a filter whose output m is a weighted sum of the input samples around m · <see cref="Down"/> / <see cref="Up"/>.
/// The weights depend on the position between two input samples only (its phase), and are tabulated.
/// </summary>
/// <param name="up">Output samples of a period.</param>
/// <param name="down">Input samples of a period; no common factor with <paramref name="up"/>.</param>
internal abstract class FilterStage(int up, int down)
{
    /// <summary>Output samples of a period.</summary>
    public int Up => up;

    /// <summary>Input samples of a period.</summary>
    public int Down => down;

    /// <summary>Input samples that an output reads, trailing zero weights included: a multiple of <see cref="Unroll"/>.</summary>
    public abstract int Taps { get; }

    /// <summary>Taps are padded to a multiple of this with zeros, so that no sum has a remainder.</summary>
    protected static int Unroll => 2 * Vector<float>.Count;

    /// <summary>The first input sample that an output reads; may be negative.</summary>
    public abstract long FirstInput(long output);

    /// <summary>Computes consecutive outputs.</summary>
    /// <param name="input">Input samples from <see cref="FirstInput"/> of the first output to <see cref="Taps"/> after that of the last one.</param>
    /// <param name="first">The first output's index.</param>
    /// <param name="output">The outputs.</param>
    public abstract void Apply(ReadOnlySpan<float> input, long first, Span<float> output);

    /// <summary>The number of input samples that <see cref="Apply"/> needs for <paramref name="count"/> outputs.</summary>
    public int InputLength(long first, int count) => checked((int)(FirstInput(first + count - 1) + Taps - FirstInput(first)));

    /// <summary>Σ x[i] · weights[i]; the number of weights is a multiple of <see cref="Unroll"/>.</summary>
    protected static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        ReadOnlySpan<Vector<float>> w = MemoryMarshal.Cast<float, Vector<float>>(weights);
        ReadOnlySpan<Vector<float>> v = MemoryMarshal.Cast<float, Vector<float>>(x)[..w.Length];
        Vector<float> sum0 = Vector<float>.Zero, sum1 = sum0, sum2 = sum0, sum3 = sum0;
        int i = 0;
        for (; i <= w.Length - 4; i += 4)
        {
            sum0 = Vector.FusedMultiplyAdd(v[i], w[i], sum0);
            sum1 = Vector.FusedMultiplyAdd(v[i + 1], w[i + 1], sum1);
            sum2 = Vector.FusedMultiplyAdd(v[i + 2], w[i + 2], sum2);
            sum3 = Vector.FusedMultiplyAdd(v[i + 3], w[i + 3], sum3);
        }
        for (; i < w.Length; i += 2)
        {
            sum0 = Vector.FusedMultiplyAdd(v[i], w[i], sum0);
            sum1 = Vector.FusedMultiplyAdd(v[i + 1], w[i + 1], sum1);
        }
        return Vector.Sum(sum0 + sum1 + (sum2 + sum3));
    }

    /// <summary><see cref="Dot"/> for four places of the input at once, so that weights are read once.</summary>
    /// <param name="x">The input from the first place on.</param>
    /// <param name="distance">Distance between two places.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="y">Room for the first sum; the others follow at distances of <paramref name="yDistance"/>.</param>
    /// <param name="yDistance">Distance between two results.</param>
    protected static void Dot4(ReadOnlySpan<float> x, int distance, ReadOnlySpan<float> weights, Span<float> y, int yDistance)
    {
        ReadOnlySpan<Vector<float>> w = MemoryMarshal.Cast<float, Vector<float>>(weights);
        ReadOnlySpan<Vector<float>> x0 = MemoryMarshal.Cast<float, Vector<float>>(x)[..w.Length];
        ReadOnlySpan<Vector<float>> x1 = MemoryMarshal.Cast<float, Vector<float>>(x[distance..])[..w.Length];
        ReadOnlySpan<Vector<float>> x2 = MemoryMarshal.Cast<float, Vector<float>>(x[(2 * distance)..])[..w.Length];
        ReadOnlySpan<Vector<float>> x3 = MemoryMarshal.Cast<float, Vector<float>>(x[(3 * distance)..])[..w.Length];
        Vector<float> a0 = Vector<float>.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        for (int i = 0; i < w.Length - 1; i += 2)
        {
            Vector<float> even = w[i], odd = w[i + 1];
            a0 = Vector.FusedMultiplyAdd(x0[i], even, a0);
            a1 = Vector.FusedMultiplyAdd(x1[i], even, a1);
            a2 = Vector.FusedMultiplyAdd(x2[i], even, a2);
            a3 = Vector.FusedMultiplyAdd(x3[i], even, a3);
            b0 = Vector.FusedMultiplyAdd(x0[i + 1], odd, b0);
            b1 = Vector.FusedMultiplyAdd(x1[i + 1], odd, b1);
            b2 = Vector.FusedMultiplyAdd(x2[i + 1], odd, b2);
            b3 = Vector.FusedMultiplyAdd(x3[i + 1], odd, b3);
        }
        y[3 * yDistance] = Vector.Sum(a3 + b3);
        y[2 * yDistance] = Vector.Sum(a2 + b2);
        y[yDistance] = Vector.Sum(a1 + b1);
        y[0] = Vector.Sum(a0 + b0);
    }

    /// <summary>Rounds a number of taps up to a multiple of <see cref="Unroll"/>.</summary>
    protected static int Padded(int taps) => (taps + Unroll - 1) / Unroll * Unroll;
}

/// <summary>A filter stage that has a row of weights for every phase: exact.</summary>
internal sealed class PolyphaseStage : FilterStage
{
    private readonly float[] _weights;  // [up, taps]
    private readonly int[] _firstInput; // [up]: relative to the period's first input sample

    /// <summary>Samples a continuous impulse response.</summary>
    /// <param name="up">Output samples of a period.</param>
    /// <param name="down">Input samples of a period.</param>
    /// <param name="kernel">The impulse response at a time in input samples.</param>
    /// <param name="halfWidth">Half the length of the impulse response, in input samples.</param>
    public PolyphaseStage(int up, int down, Func<double, double> kernel, double halfWidth)
        : this(up, down, (phase, input) => kernel((double)phase * down / up - input), halfWidth)
    {
    }

    /// <summary>Tabulates weights.</summary>
    /// <param name="up">Output samples of a period.</param>
    /// <param name="down">Input samples of a period.</param>
    /// <param name="weight">The weight of an input sample of the period (before or after it, too) in one of the period's output samples.</param>
    /// <param name="halfWidth">How far from an output sample an input sample may be, in input samples.</param>
    public PolyphaseStage(int up, int down, Func<int, int, double> weight, double halfWidth) : base(up, down)
    {
        const double Rounding = 1e-9; // weights that are exactly at the end belong to the kernel
        Taps = Padded((int)Math.Floor(2 * (halfWidth + Rounding)) + 1);
        _weights = new float[checked(up * Taps)];
        _firstInput = new int[up];
        for (int phase = 0; phase < up; phase++)
        {
            double center = (double)phase * down / up;
            _firstInput[phase] = (int)Math.Ceiling(center - halfWidth - Rounding);
            Span<float> row = _weights.AsSpan(phase * Taps, Taps);
            for (int i = 0; i < Taps && _firstInput[phase] + i <= center + halfWidth + Rounding; i++)
                row[i] = (float)weight(phase, _firstInput[phase] + i);
        }
    }

    /// <inheritdoc/>
    public override int Taps { get; }

    /// <inheritdoc/>
    public override long FirstInput(long output)
    {
        (long period, long phase) = Math.DivRem(output, Up);
        return period * Down + _firstInput[phase];
    }

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<float> input, long first, Span<float> output)
    {
        int phase = (int)(first % Up), position = -_firstInput[phase]; // of the current period's first input sample in the span
        for (int m = 0; m < output.Length;)
        {
            if (phase == 0 && output.Length - m >= 4 * (long)Up)
            {
                for (; phase < Up; phase++)
                    Dot4(input[(position + _firstInput[phase])..], Down, Weights(phase), output[(m + phase)..], Up);
                m += 4 * Up;
                position += 4 * Down;
                phase = 0;
                continue;
            }
            output[m++] = Dot(input[(position + _firstInput[phase])..], Weights(phase));
            if (++phase == Up)
            {
                phase = 0;
                position += Down;
            }
        }
    }

    private ReadOnlySpan<float> Weights(int phase) => _weights.AsSpan(phase * Taps, Taps);
}

/// <summary>
/// A filter stage for ratios of large numbers: weights are tabulated at a fixed number of phases, and an output is interpolated linearly
/// between those of the two nearest phases.
/// </summary>
internal sealed class InterpolatedStage : FilterStage
{
    // Linear interpolation of a kernel of bandwidth π per sample errs by (π / phases)² / 8 at most: −143 dB.
    private const int Phases = 4096;
    private readonly float[] _weights; // [Phases + 1, taps]
    private readonly int _firstInput;

    /// <summary>Samples a continuous impulse response; the parameters are those of <see cref="PolyphaseStage"/>.</summary>
    public InterpolatedStage(int up, int down, Func<double, double> kernel, double halfWidth) : base(up, down)
    {
        int reach = (int)Math.Ceiling(halfWidth);
        _firstInput = -reach;
        Taps = Padded(2 * reach + 2);
        _weights = new float[(Phases + 1) * Taps];
        for (int phase = 0; phase <= Phases; phase++)
            for (int i = 0; i < 2 * reach + 2; i++)
            {
                double time = (double)phase / Phases - (_firstInput + i);
                _weights[phase * Taps + i] = Math.Abs(time) <= halfWidth ? (float)kernel(time) : 0;
            }
    }

    /// <inheritdoc/>
    public override int Taps { get; }

    /// <inheritdoc/>
    public override long FirstInput(long output) => output * Down / Up + _firstInput;

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<float> input, long first, Span<float> output)
    {
        long remainder = first * Down % Up;
        int position = 0;
        for (int m = 0; m < output.Length; m++)
        {
            double phase = (double)remainder * Phases / Up;
            int row = (int)phase;
            ReadOnlySpan<float> x = input[position..];
            float before = Dot(x, _weights.AsSpan(row * Taps, Taps));
            float after = Dot(x, _weights.AsSpan((row + 1) * Taps, Taps));
            output[m] = before + (float)(phase - row) * (after - before);
            remainder += Down;
            position += (int)(remainder / Up);
            remainder %= Up;
        }
    }
}
