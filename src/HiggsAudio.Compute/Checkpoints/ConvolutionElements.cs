namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// Some outputs of a convolution's weight, torch's [outputs, inputs, kernel], as <see cref="Backend.Conv1d"/> wants them: [outputs, kernel * inputs].
/// </summary>
/// <param name="stored">The weight, or its directions.</param>
/// <param name="norm">The weight norm, if it has one.</param>
/// <param name="firstOutput">The first output.</param>
/// <param name="outputs">How many.</param>
/// <param name="inputs">Inputs of the stored weight.</param>
/// <param name="kernel">Taps.</param>
internal sealed class ConvolutionElements(CheckpointTensor stored, WeightNorm? norm, int firstOutput, int outputs, int inputs, int kernel) : ComputedElements(stored)
{
    public override nint Address => throw new NotSupportedException($"'{Stored.Name}' is reordered while it is read: it is nowhere in memory.");

    public override void CopyTo(Span<float> destination, long start)
    {
        while (destination.Length > 0)
        {
            (long row, long column) = Math.DivRem(start, (long)kernel * inputs);
            (int tap, int input) = Math.DivRem((int)column, inputs);
            Span<float> values = destination[..Math.Min(destination.Length, inputs - input)];
            int output = firstOutput + (int)row;
            Stored.CopyTo(values, ((long)output * inputs + input) * kernel + tap, kernel);
            norm?.Fold(values, norm.Dimension switch { 0 => output, 1 => input, _ => tap }, norm.Dimension == 1 ? 1 : 0);
            destination = destination[values.Length..];
            start += values.Length;
        }
    }

    public override void Forget() => Stored.Forget((long)firstOutput * inputs * kernel, (long)outputs * inputs * kernel);
}

/// <summary>
/// The weight of a transposed convolution, torch's [inputs, outputs, kernel], as <see cref="Backend.ConvTranspose1d"/> wants it:
/// [stride * outputs, taps * inputs].
/// </summary>
/// <param name="stored">The weight, or its directions.</param>
/// <param name="norm">The weight norm, if it has one.</param>
/// <param name="inputs">Inputs.</param>
/// <param name="outputs">Outputs.</param>
/// <param name="shape">The geometry.</param>
internal sealed class TransposedConvolutionElements(CheckpointTensor stored, WeightNorm? norm, int inputs, int outputs, ConvTranspose1dShape shape) : ComputedElements(stored)
{
    public override nint Address => throw new NotSupportedException($"'{Stored.Name}' is reordered while it is read: it is nowhere in memory.");

    public override void CopyTo(Span<float> destination, long start)
    {
        while (destination.Length > 0)
        {
            (long row, long column) = Math.DivRem(start, (long)shape.Taps * inputs);
            (int phase, int output) = Math.DivRem((int)row, outputs);
            (int window, int input) = Math.DivRem((int)column, inputs);
            Span<float> values = destination[..Math.Min(destination.Length, inputs - input)];
            int tap = phase + (shape.Taps - 1 - window) * shape.Stride;   // reaches the input row so many windows back
            if (tap < shape.Kernel)
            {
                Stored.CopyTo(values, ((long)input * outputs + output) * shape.Kernel + tap, outputs * shape.Kernel);
                norm?.Fold(values, norm.Dimension switch { 0 => input, 1 => output, _ => tap }, norm.Dimension == 0 ? 1 : 0);
            }
            else
                values.Clear();
            destination = destination[values.Length..];
            start += values.Length;
        }
    }
}
