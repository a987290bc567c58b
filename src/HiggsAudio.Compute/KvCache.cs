namespace HiggsAudio.Compute;

/// <summary>The sizes of a key-value cache.</summary>
/// <param name="Layers">Number of attention layers.</param>
/// <param name="KeyValueHeads">Key and value heads of a layer.</param>
/// <param name="HeadDim">Features of a head.</param>
public readonly record struct KvCacheShape(int Layers, int KeyValueHeads, int HeadDim);

/// <summary>
/// Keys (after rotation) and values of one sequence, all layers. A slot holds one row's key and value; layers need not fill the same
/// number of slots. It grows by pages: nothing that is in it moves. <see cref="Backend.RotateAppendAttend"/> writes and reads it.
/// </summary>
/// <param name="shape">The sizes.</param>
public abstract class KvCache(KvCacheShape shape) : IDisposable
{
    /// <summary>The sizes.</summary>
    public KvCacheShape Shape { get; } = shape;

    /// <summary>Slots for which there is memory.</summary>
    public abstract int Capacity { get; }

    /// <summary>Bytes of memory held; what is shared with a fork counts in both.</summary>
    public abstract long Bytes { get; }

    /// <summary>Makes room for <paramref name="slots"/> slots in every layer.</summary>
    public abstract void Reserve(int slots);

    /// <summary>
    /// A cache of its own that begins with the first slots of this one, in every layer. Memory is shared until either writes into it, so that
    /// neither ever changes the other, and is free when both are disposed, in any order.
    /// </summary>
    /// <param name="slots">Slots to keep: 0 to <see cref="Capacity"/>. Slots after them hold nothing of use.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many slots.</exception>
    public abstract KvCache Fork(int slots);

    /// <summary>Makes the memory of a slot this cache's alone. <see cref="Backend.RotateAppendAttend"/> does it for every slot it writes.</summary>
    /// <param name="slot">Below <see cref="Capacity"/>.</param>
    public abstract void Own(int slot);

    /// <summary>Copies out one slot, for tests and for saving: [keyValueHeads * headDim] each.</summary>
    public abstract void Read(int layer, int slot, Span<float> key, Span<float> value);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory.</summary>
    protected abstract void Dispose(bool disposing);
}
