using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// Weight norm (arXiv:1602.07868): a weight stored as directions v and gains g, w = g · v/‖v‖, the norm over the dimensions in which g is 1.
/// </summary>
internal sealed class WeightNorm
{
    private const int Piece = 4096;

    private readonly double[] _scales;   // g / ‖v‖

    private WeightNorm(double[] scales, int dimension) => (_scales, Dimension) = (scales, dimension);

    /// <summary>The dimension that the gains keep.</summary>
    public int Dimension { get; }

    /// <summary>Computes the norms.</summary>
    /// <param name="gain">As many values as the shape has in the dimension that is kept.</param>
    /// <param name="direction">[d0, d1, d2]</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="dimension">The dimension that the gains keep.</param>
    public static WeightNorm Of(CheckpointTensor gain, CheckpointTensor direction, int[] shape, int dimension)
    {
        float[] gains = gain.ToFloats();
        var squares = new double[gains.Length];
        int inner = dimension == 0 ? shape[1] * shape[2] : dimension == 1 ? shape[2] : 1;   // values are [outer, gains, inner]
        if (dimension == 0)
            Parallel.For(0, gains.Length, g => AddSquares(direction, (long)g * inner, inner, squares.AsSpan(g, 1), inner));
        else
            AddSquares(direction, 0, direction.Count, squares, inner);
        for (int g = 0; g < gains.Length; g++)
            squares[g] = gains[g] / Math.Sqrt(squares[g]);
        return new WeightNorm(squares, dimension);
    }

    /// <summary>Multiplies directions with their scales.</summary>
    /// <param name="values">Some directions.</param>
    /// <param name="first">Place of the first one in <see cref="Dimension"/>.</param>
    /// <param name="step">How far the next one is: 0 or 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Fold(Span<float> values, int first, int step)
    {
        ReadOnlySpan<double> scales = _scales.AsSpan(first);
        if (step == 0)
            foreach (ref float value in values)
                value = (float)(value * scales[0]);
        else
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)(values[i] * scales[i]);
    }

    // One after the other, so that a norm has the same bits on all machines.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddSquares(CheckpointTensor direction, long start, long count, Span<double> squares, int inner)
    {
        Span<float> piece = stackalloc float[Piece];
        int gain = 0, left = inner;
        for (long done = 0; done < count; done += Piece)
        {
            Span<float> values = piece[..(int)Math.Min(Piece, count - done)];
            direction.CopyTo(values, start + done);
            while (values.Length > 0)
            {
                int run = Math.Min(left, values.Length);
                double sum = squares[gain];
                foreach (float v in values[..run])
                    sum += (double)v * v;
                squares[gain] = sum;
                values = values[run..];
                if ((left -= run) == 0)
                    (gain, left) = (gain + 1 == squares.Length ? 0 : gain + 1, inner);
            }
        }
    }
}
