using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Compute;

/// <summary>
/// A place to compute: it keeps weights, makes sequence state (<see cref="KvCache"/>) and lanes (<see cref="Backend"/>).
/// Thread-safe. Disposing it frees all weights it made; caches and lanes are disposed by whoever asked for them, before.
/// </summary>
public abstract class Device : IDisposable
{
    /// <summary>The device's name, such as <c>cpu</c> or <c>cuda:0</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Takes over tensors of a checkpoint, stacked by rows, as one weight.</summary>
    /// <param name="parts">Tensors that together have <paramref name="rows"/> × <paramref name="columns"/> values. The checkpoint must stay open as long as the device.</param>
    /// <param name="rows">Outputs, or entries of a table.</param>
    /// <param name="columns">Inputs, or width of a table.</param>
    /// <param name="use">What it is used for.</param>
    /// <param name="format">The format to keep it in.</param>
    public abstract Weight CreateWeight(ReadOnlySpan<CheckpointTensor> parts, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored);

    /// <summary>Copies values, row by row, into a new weight.</summary>
    /// <param name="values"><paramref name="rows"/> × <paramref name="columns"/> values.</param>
    /// <param name="rows">Outputs, or entries of a table.</param>
    /// <param name="columns">Inputs, or width of a table.</param>
    /// <param name="use">What it is used for.</param>
    /// <param name="format">The format to keep it in; <see cref="WeightFormat.AsStored"/> means 32-bit floats here.</param>
    public abstract Weight CreateWeight(ReadOnlySpan<float> values, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored);

    /// <summary>Bytes of memory that the device's caches hold together, shared memory counted once.</summary>
    public abstract long KvCacheBytes { get; }

    /// <summary>Bytes of scratch memory that the device's lanes hold together; 0 where it is not known.</summary>
    public virtual long ScratchBytes => 0;

    /// <summary>
    /// Brings weights that the device computes on in mapped files into memory, in the order in which they were made, so that the first steps do not stop at
    /// every page. Only a matter of speed; a device without such weights does nothing. May run beside everything but disposing the device and closing
    /// the checkpoint.
    /// </summary>
    /// <param name="cancellationToken">Ends it within milliseconds, without an exception.</param>
    public virtual void ReadAhead(CancellationToken cancellationToken)
    {
    }

    /// <summary>Makes the empty cache of one sequence.</summary>
    public abstract KvCache CreateKvCache(KvCacheShape shape);

    /// <summary>Makes a lane: what one caller at a time computes with.</summary>
    public abstract Backend CreateLane();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the weights.</summary>
    protected abstract void Dispose(bool disposing);
}
