using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Compute;

/// <summary>How far a quantized weight is from the values that it was made of.</summary>
/// <param name="RelativeSquaredError">Sum of the squared differences, divided by the sum of the squared values.</param>
/// <param name="NaiveRelativeSquaredError">The same if every block's scale brought its largest magnitude to the largest code (127 or 7).</param>
/// <param name="LargestError">The largest difference of a value.</param>
public readonly record struct QuantizationError(double RelativeSquaredError, double NaiveRelativeSquaredError, double LargestError)
{
    private const int Size = BlockQuantization.Size;

    /// <summary>Compares a weight with its tensor.</summary>
    /// <param name="tensor">The original, [rows, columns].</param>
    /// <param name="weight">A weight of a <see cref="CpuDevice"/> that was made of it, quantized.</param>
    /// <exception cref="ArgumentException">The weight is not quantized, or has not the tensor's size.</exception>
    public static QuantizationError Measure(CheckpointTensor tensor, Weight weight)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (weight is not CpuWeight { Layout: WeightLayout.QuantizedPanels } quantized || tensor.Count != (long)weight.Rows * weight.Columns)
            throw new ArgumentException($"A quantized weight of {tensor.Count} values was expected, found {weight}.", nameof(weight));
        Sums all = default;
        Lock gate = new();
        Parallel.For(0, weight.Rows, static () => default(Sums), (row, _, sums) => Add(tensor, quantized, row, sums), sums =>
        {
            lock (gate)
                all = new Sums(all.Squares + sums.Squares, all.Error + sums.Error, all.Naive + sums.Naive, Math.Max(all.Largest, sums.Largest));
        });
        tensor.Forget();
        double size = all.Squares == 0 ? 1 : all.Squares;
        return new QuantizationError(all.Error / size, all.Naive / size, all.Largest);
    }

    private readonly record struct Sums(double Squares, double Error, double Naive, double Largest);

    private static Sums Add(CheckpointTensor tensor, CpuWeight weight, int row, Sums sums)
    {
        Span<float> values = stackalloc float[Size], kept = stackalloc float[Size];
        float most = weight.Format == WeightFormat.Int8 ? 127 : 7;
        (double squares, double error, double naive, double largest) = sums;
        for (int column = 0; column < weight.Columns; column += Size)
        {
            int count = Math.Min(Size, weight.Columns - column);
            tensor.CopyTo(values[..count], (long)row * weight.Columns + column);
            weight.Read(row, column, kept[..count]);
            float extreme = 0;
            foreach (float value in values[..count])
                extreme = Math.Max(extreme, Math.Abs(value));
            float scale = extreme / most, inverse = scale > 0 ? 1 / scale : 0;
            for (int i = 0; i < count; i++)
            {
                double difference = values[i] - kept[i], naiveDifference = values[i] - MathF.Round(values[i] * inverse) * scale;
                squares += (double)values[i] * values[i];
                error += difference * difference;
                naive += naiveDifference * naiveDifference;
                largest = Math.Max(largest, Math.Abs(difference));
            }
        }
        return new Sums(squares, error, naive, largest);
    }
}
