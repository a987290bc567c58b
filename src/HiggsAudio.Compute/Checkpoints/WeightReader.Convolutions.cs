using System.Globalization;

namespace HiggsAudio.Compute.Checkpoints;

public sealed partial class WeightReader
{
    private static readonly (string Gain, string Direction)[] WeightNormNames =
    [
        ("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ];

    /// <summary>The weight of a convolution without groups, see <see cref="GroupedConv1d"/>.</summary>
    public Weight Conv1d(string name, int outputs, int inputs, int kernel, WeightFormat? format = null) =>
        GroupedConv1d(name, outputs, inputs, kernel, 1, format)[0];

    /// <summary>
    /// The weight of a convolution, stored as torch's [outputs, inputs / groups, kernel], plain or with weight norm (arXiv:1602.07868).
    /// </summary>
    /// <returns>One weight [outputs / groups, kernel * inputs / groups] per group, in <see cref="Backend.Conv1d"/>'s layout.</returns>
    public Weight[] GroupedConv1d(string name, int outputs, int inputs, int kernel, int groups, WeightFormat? format = null)
    {
        if (groups < 1 || outputs % groups != 0 || inputs % groups != 0)
            throw new ArgumentException($"{inputs} inputs and {outputs} outputs are not {groups} equal groups.", nameof(groups));
        int[] shape = [outputs, inputs / groups, kernel];
        (int rows, int columns) = (outputs / groups, kernel * shape[1]);
        (CheckpointTensor Tensor, WeightNorm? Norm)? found = _shared.IsPacked ? null : Folded(name, shape);
        var weights = new Weight[groups];
        for (int g = 0; g < groups; g++)
        {
            string made = groups == 1 ? $"{name}.weight" : string.Create(CultureInfo.InvariantCulture, $"{name}.weight.{g}");
            weights[g] = _shared.IsPacked ? Packed(made, shape, rows, columns, format)
                : found is { } weight ? Straight(made, name, shape, new ConvolutionElements(weight.Tensor, weight.Norm, g * rows, rows, shape[1], kernel), rows, columns, format)
                : new MissingWeight(rows, columns);
        }
        return weights;
    }

    /// <summary>The weight of a transposed convolution, stored as torch's [inputs, outputs, kernel], plain or with weight norm.</summary>
    /// <returns>[stride * outputs, taps * inputs] in <see cref="Backend.ConvTranspose1d"/>'s layout.</returns>
    public Weight ConvTranspose1d(string name, int inputs, int outputs, int kernel, int stride, WeightFormat? format = null)
    {
        var geometry = new ConvTranspose1dShape(kernel, stride);
        int[] shape = [inputs, outputs, kernel];
        (int rows, int columns) = (stride * outputs, geometry.Taps * inputs);
        return _shared.IsPacked ? Packed($"{name}.weight", shape, rows, columns, format)
            : Folded(name, shape) is { } weight ? Straight($"{name}.weight", name, shape, new TransposedConvolutionElements(weight.Tensor, weight.Norm, inputs, outputs, geometry), rows, columns, format)
            : new MissingWeight(rows, columns);
    }

    /// <summary>A vector by its whole name, cut into equal parts: the bias of a convolution in groups.</summary>
    public Weight[] GroupedVector(string name, int length, int groups)
    {
        int size = length / groups;
        float[]? values = Vector(name, length) is MissingWeight ? null : _shared.Tensors[_prefix + name].ToFloats();
        var parts = new Weight[groups];
        for (int g = 0; g < groups; g++)
            parts[g] = values is null
                ? new MissingWeight(1, size)
                : _shared.Device.CreateWeight(values.AsSpan(g * size, size), 1, size, WeightUse.Vector, WeightFormat.Float32);
        return parts;
    }

    // As a packed checkpoint has it: reordered, and of the shape that it had.
    private Weight Packed(string name, int[] shape, int rows, int columns, WeightFormat? format)
    {
        if (!_shared.Tensors.TryGetValue(_prefix + name, out CheckpointTensor? tensor))
            return Missing(name, shape, rows, columns);
        _shared.Used.Add(_prefix + name);
        if (!tensor.Shape.SequenceEqual([rows, columns]) || !tensor.OriginalShape.SequenceEqual([shape[0], shape[1], shape[2]]))
            return Misshaped(tensor, shape, rows, columns);
        return Convolution(name, tensor, shape, rows, columns, format ?? _shared.FormatOf(_prefix + name));
    }

    // Folded and reordered values are new numbers: 32-bit floats unless bfloat16 was asked for.
    private Weight Straight(string made, string name, int[] shape, ComputedElements elements, int rows, int columns, WeightFormat? format)
    {
        format ??= _shared.FormatOf($"{_prefix}{name}.weight");
        return Convolution(made, new CheckpointTensor(elements, rows, columns), shape, rows, columns, format == WeightFormat.BFloat16 ? WeightFormat.BFloat16 : WeightFormat.Float32);
    }

    private Weight Convolution(string name, CheckpointTensor tensor, int[] shape, int rows, int columns, WeightFormat format)
    {
        _shared.OriginalShapes[_prefix + name] = [.. shape];
        return Make(name, [tensor], rows, columns, WeightUse.Linear, format);
    }

    // The values [d0, d1, d2] of a convolution, or the directions and norms (torch's older or newer names).
    private (CheckpointTensor Tensor, WeightNorm? Norm)? Folded(string name, int[] shape)
    {
        foreach ((string gain, string direction) in WeightNormNames)
            if (Has($"{name}.{gain}") || Has($"{name}.{direction}"))
                return Folded($"{name}.{gain}", $"{name}.{direction}", shape);
        return Find($"{name}.weight", shape) is { } tensor ? (tensor, null) : null;
    }

    private (CheckpointTensor Tensor, WeightNorm? Norm)? Folded(string gainName, string directionName, int[] shape)
    {
        CheckpointTensor? direction = Find(directionName, shape);
        if (!_shared.Tensors.TryGetValue(_prefix + gainName, out CheckpointTensor? gain))
        {
            Missing(gainName, [shape[0], 1, 1], 0, 0);
            return null;
        }
        _shared.Used.Add(_prefix + gainName);
        int kept = -1;
        for (int d = 0; d < shape.Length; d++)
            if (gain.Shape.Length == shape.Length && gain.Shape[d] == shape[d] && gain.Count == shape[d])
                kept = d;
        if (kept < 0)
        {
            Misshaped(gain, [shape[0], 1, 1], 0, 0);
            return null;
        }
        return direction is null ? null : (direction, _shapesOnly ? null : WeightNorm.Of(gain, direction, shape, kept));
    }
}
