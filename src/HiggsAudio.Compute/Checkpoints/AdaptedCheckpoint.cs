namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// A checkpoint with adapters merged into it: W + Σ weight · s·B·A. Tensors that no adapter changes are the checkpoint's own. The others are
/// computed as they are read, in 32-bit floats, so that a weight that is quantized while loading never exists as a whole before; one that
/// is used as it is stored is made once, in memory of its own, in the stored type (rounded to nearest, as PEFT's <c>merge_and_unload</c> does).
/// </summary>
public sealed class AdaptedCheckpoint : Checkpoint
{
    private readonly Checkpoint _checkpoint;
    private readonly IReadOnlyList<LoraAdapter> _adapters;
    private readonly Dictionary<string, CheckpointTensor> _tensors;
    private readonly List<MergedElements> _merged = [];

    /// <summary>Checks that the adapters fit. Takes over the checkpoint and the adapters, unless it throws.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="adapters">What is added to it, in any order.</param>
    /// <param name="canonicalName">Maps names of tensors, stored or the training code's, to common ones, null for those not needed; null if they are the same.</param>
    /// <exception cref="CheckpointException">An adapter is for another model: a tensor it changes is not there, or has another shape or type.</exception>
    public AdaptedCheckpoint(Checkpoint checkpoint, IReadOnlyList<LoraAdapter> adapters, Func<string, string?>? canonicalName = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(adapters);
        canonicalName ??= name => name;
        (_checkpoint, _adapters) = (checkpoint, adapters);
        _tensors = new Dictionary<string, CheckpointTensor>(checkpoint.Tensors);
        var model = new Dictionary<string, CheckpointTensor>();
        foreach ((string stored, CheckpointTensor tensor) in checkpoint.Tensors)
            if (canonicalName(stored) is { } canonical)
                model.TryAdd(canonical, tensor);   // one that is stored twice is reported by who loads it
        var changes = new Dictionary<string, List<TensorChange>>();
        foreach (LoraAdapter adapter in adapters)
            foreach ((string canonical, TensorChange change) in adapter.Changes(model, canonicalName))
            {
                changes.TryAdd(canonical, []);
                changes[canonical].Add(change);
            }
        foreach ((string canonical, List<TensorChange> parts) in changes)
            Merge(model[canonical], [.. parts]);
    }

    /// <inheritdoc/>
    public override string Path => _checkpoint.Path;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => _checkpoint.Metadata;

    private void Merge(CheckpointTensor tensor, TensorChange[] changes)
    {
        if (tensor.Type is not (TensorType.Float32 or TensorType.BFloat16 or TensorType.Float16))
            throw new CheckpointException(tensor.File, tensor.Name, $"has elements of type {tensor.Type}: adapters change weights of Float32, BFloat16 or Float16");
        var merged = new MergedElements(tensor, changes);
        _merged.Add(merged);
        _tensors[tensor.Name] = new CheckpointTensor(merged);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (MergedElements merged in _merged)
            merged.Dispose();
        foreach (LoraAdapter adapter in _adapters)
            adapter.Dispose();
        _checkpoint.Dispose();
    }
}
