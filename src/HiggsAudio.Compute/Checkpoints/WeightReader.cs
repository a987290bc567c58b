using System.Text;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// Hands the tensors of a checkpoint to the modules of a network: a module asks for a tensor by its name below the module's own and says
/// the shape it expects. Tensors that are missing, misshaped or left over are collected and reported together by <see cref="Complete"/>;
/// until then the weights returned in their place are empty. Straightens what is stored: weight norm is folded, convolutions are
/// reordered to <see cref="Backend.Conv1d"/>'s layout, where they are read. A <see cref="PackedCheckpoint"/> has them straightened.
/// </summary>
public sealed partial class WeightReader
{
    private const int MaxReported = 20;

    private readonly Shared _shared;
    private readonly string _prefix;
    private readonly bool _shapesOnly;

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
        _shared = new Shared(checkpoint.Path, checkpoint is PackedCheckpoint, tensors, device, formatOf, progress);
        _prefix = "";
    }

    private WeightReader(Shared shared, string prefix, bool shapesOnly) => (_shared, _prefix, _shapesOnly) = (shared, prefix, shapesOnly);

    /// <summary>The device that the weights go to.</summary>
    public Device Device => _shared.Device;

    /// <summary>
    /// The weights that were made so far, of the whole checkpoint, by their canonical names; those of a convolution in groups have the number of
    /// the group behind. What <see cref="PackedCheckpoint.Save"/> takes.
    /// </summary>
    public IReadOnlyDictionary<string, Weight> Made => _shared.Made;

    /// <summary>The shapes in the checkpoint of those weights that were reordered: convolutions.</summary>
    public IReadOnlyDictionary<string, long[]> OriginalShapes => _shared.OriginalShapes;

    /// <summary>The reader of a part of the network: names are below <paramref name="name"/>.</summary>
    public WeightReader Scope(string name) => new(_shared, _prefix + name + ".", _shapesOnly);

    /// <summary>
    /// A reader that checks tensors as this one does, and makes empty weights instead of reading them: modules made with it know their sizes only,
    /// and can be made again with this reader when they are needed.
    /// </summary>
    public WeightReader ShapesOnly() => new(_shared, _prefix, shapesOnly: true);

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
        return parts.Contains(null)
            ? new MissingWeight(total, columns)
            : Make(madeName ?? names[0], parts!, total, columns, use, format ?? _shared.FormatOf(_prefix + names[0]));
    }

    /// <summary>A vector by its whole name; any shape with <paramref name="length"/> values whose other dimensions are 1.</summary>
    public Weight Vector(string name, int length)
    {
        if (!_shared.Tensors.TryGetValue(_prefix + name, out CheckpointTensor? tensor))
            return Missing(name, [length], 1, length);
        _shared.Used.Add(_prefix + name);
        if (tensor.Count != length || Longest(tensor.Shape) != length)
            return Misshaped(tensor, [length], 1, length);
        return Make(name, [tensor], 1, length, WeightUse.Vector, WeightFormat.Float32);
    }

    /// <summary>A vector by its whole name, or null if there is none.</summary>
    public Weight? OptionalVector(string name, int length) => Has(name) ? Vector(name, length) : null;

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

    private Weight Make(string name, CheckpointTensor[] parts, int rows, int columns, WeightUse use, WeightFormat format)
    {
        if (_shapesOnly)
            return new MissingWeight(rows, columns);
        Weight weight = _shared.Device.CreateWeight(parts, rows, columns, use, format);
        _shared.Made[_prefix + name] = weight;
        _shared.Count(parts);
        return weight;
    }

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

    private sealed record Shared(string Path, bool IsPacked, Dictionary<string, CheckpointTensor> Tensors, Device Device, Func<string, WeightFormat> FormatOf, Action<double>? Progress)
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

        public Dictionary<string, long[]> OriginalShapes { get; } = [];

        public List<(string Tensor, string Text)> Problems { get; } = [];
    }
}
