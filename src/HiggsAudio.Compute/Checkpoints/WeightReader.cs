using System.Text;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// Hands the tensors of a checkpoint to the modules of a network: a module asks for a tensor by its name below the module's own and says
/// the shape it expects. Tensors that are missing, misshaped or left over are collected and reported together by <see cref="Complete"/>;
/// until then the weights returned in their place are empty. Straightens what is stored: weight norm is folded, convolutions are
/// reordered to <see cref="Backend.Conv1d"/>'s layout.
/// </summary>
public sealed class WeightReader
{
    private static readonly (string Gain, string Direction)[] WeightNormNames =
    [
        ("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ];

    private const int MaxReported = 20;

    private readonly Shared _shared;
    private readonly string _prefix;

    /// <param name="checkpoint">The checkpoint; it must stay open as long as the device.</param>
    /// <param name="device">Where the weights go.</param>
    /// <param name="canonicalName">Maps a stored name to the name the modules ask for; null to skip the tensor on purpose.</param>
    /// <param name="format">The format of linear weights and tables, unless a call says otherwise.</param>
    public WeightReader(Checkpoint checkpoint, Device device, Func<string, string?>? canonicalName = null, WeightFormat format = WeightFormat.AsStored)
        : this(checkpoint, device, canonicalName, _ => format)
    {
    }

    /// <param name="checkpoint">The checkpoint; it must stay open as long as the device.</param>
    /// <param name="device">Where the weights go.</param>
    /// <param name="canonicalName">Maps a stored name to the name the modules ask for; null to skip the tensor on purpose.</param>
    /// <param name="formatOf">The format of a linear weight or table by its canonical name, unless a call says otherwise.</param>
    /// <param name="progress">Told after every weight the part of the wanted bytes that is done, from 0 to 1; it may throw, to end the work.</param>
    public WeightReader(Checkpoint checkpoint, Device device, Func<string, string?>? canonicalName, Func<string, WeightFormat> formatOf,
        Action<double>? progress = null)
    {
        var tensors = new Dictionary<string, CheckpointTensor>(checkpoint.Tensors.Count);
        foreach ((string name, CheckpointTensor tensor) in checkpoint.Tensors)
            if ((canonicalName is null ? name : canonicalName(name)) is { } canonical && !tensors.TryAdd(canonical, tensor))
                throw new CheckpointException(checkpoint.Path, name, $"is stored twice: '{tensors[canonical].Name}' is the same tensor");
        _shared = new Shared(checkpoint.Path, tensors, device, formatOf, progress);
        _prefix = "";
    }

    private WeightReader(Shared shared, string prefix) => (_shared, _prefix) = (shared, prefix);

    /// <summary>The device that the weights go to.</summary>
    public Device Device => _shared.Device;

    /// <summary>The weights that were made of whole tensors so far, of the whole checkpoint, by their canonical names.</summary>
    public IReadOnlyDictionary<string, Weight> Made => _shared.Made;

    /// <summary>The reader of a part of the network: names are below <paramref name="name"/>.</summary>
    public WeightReader Scope(string name) => new(_shared, _prefix + name + ".");

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool Has(string name) => _shared.Tensors.ContainsKey(_prefix + name);

    /// <summary>The shape of a tensor.</summary>
    /// <exception cref="CheckpointException">There is no such tensor.</exception>
    public ReadOnlySpan<long> ShapeOf(string name) =>
        _shared.Tensors.TryGetValue(_prefix + name, out CheckpointTensor? tensor)
            ? tensor.Shape
            : throw new CheckpointException(_shared.Path, _prefix + name, "is missing");

    /// <summary>Says that tensors below a name (or that tensor itself) are not needed.</summary>
    public void Skip(string name)
    {
        string whole = _prefix + name;
        _shared.Used.Add(whole);
        foreach (string stored in _shared.Tensors.Keys)
            if (stored.StartsWith(whole + ".", StringComparison.Ordinal))
                _shared.Used.Add(stored);
    }

    /// <summary>The weight <c>{name}.weight</c> of a linear layer, [outputs, inputs].</summary>
    public Weight Linear(string name, int outputs, int inputs, WeightFormat? format = null) =>
        Stacked([$"{name}.weight"], [outputs], inputs, WeightUse.Linear, format);

    /// <summary>A table, [rows, columns], by its whole name.</summary>
    public Weight Table(string name, int rows, int columns, WeightFormat? format = null) =>
        Stacked([name], [rows], columns, WeightUse.Table, format);

    /// <summary>Tensors [rows, columns] stacked by rows.</summary>
    /// <param name="names">Whole names below this reader's.</param>
    /// <param name="rows">The rows of each.</param>
    /// <param name="columns">The columns of all.</param>
    /// <param name="use">What the weight is used for.</param>
    /// <param name="format">The format, if not the reader's.</param>
    /// <param name="madeName">The name of the whole in <see cref="Made"/>, if not that of the first.</param>
    public Weight Stacked(ReadOnlySpan<string> names, ReadOnlySpan<int> rows, int columns, WeightUse use, WeightFormat? format = null, string? madeName = null)
    {
        if (names.Length != rows.Length)
            throw new ArgumentException($"{names.Length} names and {rows.Length} numbers of rows.", nameof(rows));
        var parts = new CheckpointTensor?[names.Length];
        int total = 0;
        for (int i = 0; i < names.Length; i++, total += rows[i - 1])
            parts[i] = Find(names[i], [rows[i], columns]);
        if (parts.Contains(null))
            return new MissingWeight(total, columns);
        Weight weight = _shared.Device.CreateWeight(parts!, total, columns, use, format ?? _shared.FormatOf(_prefix + names[0]));
        _shared.Count(parts!);
        return _shared.Made[_prefix + (madeName ?? names[0])] = weight;
    }

    /// <summary>A vector by its whole name; any shape with <paramref name="length"/> values whose other dimensions are 1.</summary>
    public Weight Vector(string name, int length)
    {
        if (!_shared.Tensors.TryGetValue(_prefix + name, out CheckpointTensor? tensor))
            return Missing(name, [length], 1, length);
        _shared.Used.Add(_prefix + name);
        if (tensor.Count != length || Longest(tensor.Shape) != length)
            return Misshaped(tensor, [length], 1, length);
        return _shared.Made[_prefix + name] = _shared.Device.CreateWeight([tensor], 1, length, WeightUse.Vector, WeightFormat.Float32);
    }

    /// <summary>A vector by its whole name, or null if there is none.</summary>
    public Weight? OptionalVector(string name, int length) => Has(name) ? Vector(name, length) : null;

    /// <summary>A vector by its whole name, cut into equal parts: the bias of a convolution in groups.</summary>
    public Weight[] GroupedVector(string name, int length, int groups)
    {
        float[]? values = Find(name, [length])?.ToFloats();
        int size = length / groups;
        var parts = new Weight[groups];
        for (int g = 0; g < groups; g++)
            parts[g] = values is null
                ? new MissingWeight(1, size)
                : _shared.Device.CreateWeight(values.AsSpan(g * size, size), 1, size, WeightUse.Vector, WeightFormat.Float32);
        return parts;
    }

    /// <summary>
    /// The weight of a convolution, stored as torch's [outputs, inputs / groups, kernel], plain or with weight norm (arXiv:1602.07868).
    /// </summary>
    /// <returns>One weight [outputs / groups, kernel * inputs / groups] per group, in <see cref="Backend.Conv1d"/>'s layout.</returns>
    public Weight[] GroupedConv1d(string name, int outputs, int inputs, int kernel, int groups, WeightFormat? format = null)
    {
        if (groups < 1 || outputs % groups != 0 || inputs % groups != 0)
            throw new ArgumentException($"{inputs} inputs and {outputs} outputs are not {groups} equal groups.", nameof(groups));
        (int groupOutputs, int groupInputs) = (outputs / groups, inputs / groups);
        float[]? values = Folded(name, [outputs, groupInputs, kernel]);
        var weights = new Weight[groups];
        for (int g = 0; g < groups; g++)
        {
            if (values is null)
            {
                weights[g] = new MissingWeight(groupOutputs, kernel * groupInputs);
                continue;
            }
            int size = groupOutputs * groupInputs * kernel;
            float[] ordered = TapsFirst(values.AsSpan(g * size, size), groupOutputs, groupInputs, kernel);
            weights[g] = _shared.Device.CreateWeight(ordered, groupOutputs, kernel * groupInputs, WeightUse.Linear, FormatOfMade(name, format));
        }
        return weights;
    }

    /// <summary>The weight of a convolution without groups, see <see cref="GroupedConv1d"/>.</summary>
    public Weight Conv1d(string name, int outputs, int inputs, int kernel, WeightFormat? format = null) =>
        GroupedConv1d(name, outputs, inputs, kernel, 1, format)[0];

    /// <summary>The weight of a transposed convolution, stored as torch's [inputs, outputs, kernel], plain or with weight norm.</summary>
    /// <returns>[stride * outputs, taps * inputs] in <see cref="Backend.ConvTranspose1d"/>'s layout.</returns>
    public Weight ConvTranspose1d(string name, int inputs, int outputs, int kernel, int stride, WeightFormat? format = null)
    {
        int taps = new ConvTranspose1dShape(kernel, stride).Taps;
        if (Folded(name, [inputs, outputs, kernel]) is not { } values)
            return new MissingWeight(stride * outputs, taps * inputs);
        var ordered = new float[stride * outputs * taps * inputs];
        for (int input = 0; input < inputs; input++)
            for (int output = 0; output < outputs; output++)
                for (int k = 0; k < kernel; k++)
                {
                    (int age, int phase) = Math.DivRem(k, stride);   // tap k reaches the input row `age` rows back
                    int row = phase * outputs + output, column = (taps - 1 - age) * inputs + input;
                    ordered[row * taps * inputs + column] = values[(input * outputs + output) * kernel + k];
                }
        return _shared.Device.CreateWeight(ordered, stride * outputs, taps * inputs, WeightUse.Linear, FormatOfMade(name, format));
    }

    /// <summary>
    /// Reports every tensor that was asked for and not there, had another shape, or was not asked for, of the whole checkpoint. Missing
    /// tensors have the names that modules ask for, others their stored names.
    /// </summary>
    /// <exception cref="CheckpointException">There is any; its <see cref="CheckpointException.Tensor"/> is the first.</exception>
    public void Complete()
    {
        string[] leftOver = [.. _shared.Tensors.Where(t => !_shared.Used.Contains(t.Key)).Select(t => t.Value.Name).Order(StringComparer.Ordinal)];
        if (_shared.Problems.Count == 0 && leftOver.Length == 0)
            return;
        var text = new StringBuilder("the tensors are not those of the model: ");
        text.AppendJoin("; ", _shared.Problems.Take(MaxReported).Select(p => p.Text));
        if (_shared.Problems.Count > MaxReported)
            text.Append($"; and {_shared.Problems.Count - MaxReported} more");
        if (leftOver.Length > 0)
            text.Append(_shared.Problems.Count > 0 ? "; " : "").Append("left over: ").AppendJoin(", ", leftOver.Take(MaxReported));
        if (leftOver.Length > MaxReported)
            text.Append($" and {leftOver.Length - MaxReported} more");
        string? first = _shared.Problems.Count > 0 ? _shared.Problems[0].Tensor : leftOver[0];
        throw new CheckpointException(_shared.Path, first, text.ToString());
    }

    // Values [d0, d1, d2] of a convolution, weight norm folded if it has one (torch's older or newer names).
    private float[]? Folded(string name, ReadOnlySpan<int> shape)
    {
        foreach ((string gain, string direction) in WeightNormNames)
            if (Has($"{name}.{gain}") || Has($"{name}.{direction}"))
                return Folded($"{name}.{gain}", $"{name}.{direction}", shape);
        return Find($"{name}.weight", shape) is { } tensor ? Values(tensor) : null;
    }

    // w = g * v / |v|, the norm over the dimensions in which g is 1.
    private float[]? Folded(string gainName, string directionName, ReadOnlySpan<int> shape)
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
        return direction is null ? null : FoldWeightNorm(Values(gain), Values(direction), shape, kept);
    }

    // A copy: the file's own pages are not needed any more.
    private static float[] Values(CheckpointTensor tensor)
    {
        float[] values = tensor.ToFloats();
        tensor.Forget();
        return values;
    }

    private static float[] FoldWeightNorm(float[] gain, float[] values, ReadOnlySpan<int> shape, int kept)
    {
        int inner = kept == 0 ? shape[1] * shape[2] : kept == 1 ? shape[2] : 1;   // values are [outer, gains, inner]
        var squares = new double[gain.Length];
        for (int i = 0, g = 0; i < values.Length; i += inner, g = g + 1 == gain.Length ? 0 : g + 1)
            foreach (float v in values.AsSpan(i, inner))
                squares[g] += (double)v * v;
        for (int i = 0, g = 0; i < values.Length; i += inner, g = g + 1 == gain.Length ? 0 : g + 1)
        {
            double scale = gain[g] / Math.Sqrt(squares[g]);
            foreach (ref float v in values.AsSpan(i, inner))
                v = (float)(v * scale);
        }
        return values;
    }

    // [outputs, inputs, kernel] -> [outputs, kernel, inputs]
    private static float[] TapsFirst(ReadOnlySpan<float> values, int outputs, int inputs, int kernel)
    {
        var ordered = new float[values.Length];
        for (int o = 0; o < outputs; o++)
            for (int i = 0; i < inputs; i++)
                for (int k = 0; k < kernel; k++)
                    ordered[(o * kernel + k) * inputs + i] = values[(o * inputs + i) * kernel + k];
        return ordered;
    }

    // Folded and reordered values are new numbers: 32-bit floats unless bfloat16 was asked for.
    private WeightFormat FormatOfMade(string name, WeightFormat? format) =>
        (format ?? _shared.FormatOf($"{_prefix}{name}.weight")) is var f && f is WeightFormat.AsStored or WeightFormat.Int8 or WeightFormat.Int4 ? WeightFormat.Float32 : f;

    private CheckpointTensor? Find(string name, ReadOnlySpan<int> shape)
    {
        if (!_shared.Tensors.TryGetValue(_prefix + name, out CheckpointTensor? tensor))
        {
            Missing(name, shape, 0, 0);
            return null;
        }
        _shared.Used.Add(_prefix + name);
        bool same = tensor.Shape.Length == shape.Length;
        for (int d = 0; same && d < shape.Length; d++)
            same = tensor.Shape[d] == shape[d];
        if (same)
            return tensor;
        Misshaped(tensor, shape, 0, 0);
        return null;
    }

    private MissingWeight Missing(string name, ReadOnlySpan<int> expected, int rows, int columns)
    {
        _shared.Problems.Add((_prefix + name, $"'{_prefix}{name}' is missing (expected [{string.Join(", ", expected.ToArray())}])"));
        return new MissingWeight(rows, columns);
    }

    private MissingWeight Misshaped(CheckpointTensor tensor, ReadOnlySpan<int> expected, int rows, int columns)
    {
        _shared.Problems.Add((tensor.Name, $"'{tensor.Name}' is [{string.Join(", ", tensor.Shape.ToArray())}], expected [{string.Join(", ", expected.ToArray())}]"));
        return new MissingWeight(rows, columns);
    }

    private static long Longest(ReadOnlySpan<long> shape)
    {
        long longest = 1;
        foreach (long d in shape)
            longest = Math.Max(longest, d);
        return longest;
    }

    private sealed class MissingWeight(int rows, int columns) : Weight(rows, columns, WeightFormat.AsStored);

    private sealed record Shared(string Path, Dictionary<string, CheckpointTensor> Tensors, Device Device, Func<string, WeightFormat> FormatOf, Action<double>? Progress)
    {
        private readonly long _all = Tensors.Values.Sum(tensor => tensor.ByteLength);
        private long _done;

        public void Count(ReadOnlySpan<CheckpointTensor> parts)
        {
            foreach (CheckpointTensor part in parts)
                _done += part.ByteLength;
            Progress?.Invoke((double)_done / _all);
        }

        public HashSet<string> Used { get; } = [];

        public Dictionary<string, Weight> Made { get; } = [];

        public List<(string Tensor, string Text)> Problems { get; } = [];
    }
}
