namespace HiggsAudio.Compute.Checkpoints;

/// <summary>An open checkpoint: named tensors in one or more memory-mapped files. Closing it ends the life of its tensors' bytes.</summary>
public abstract class Checkpoint : IDisposable
{
    /// <summary>The file or folder it was opened from.</summary>
    public abstract string Path { get; }

    /// <summary>All tensors by their stored names.</summary>
    public abstract IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; }

    /// <summary>Free text that the file carries beside its tensors (safetensors' <c>__metadata__</c>).</summary>
    public abstract IReadOnlyDictionary<string, string> Metadata { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the files.</summary>
    protected abstract void Dispose(bool disposing);
}
