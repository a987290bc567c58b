namespace HiggsAudio.Compute;

/// <summary>The number format in which a cache keeps keys and values. Attention itself always computes in 32-bit floats.</summary>
public enum KeyValueFormat
{
    /// <summary>32-bit floats: nothing is lost.</summary>
    Float32,

    /// <summary>bfloat16: half the memory; each value within 0.4 %.</summary>
    BFloat16,

    /// <summary>8-bit integers, with one 32-bit scale for the key and one for the value of a head in a slot: about a quarter of the memory.</summary>
    Int8,
}

/// <summary>The sizes of a key-value cache.</summary>
/// <param name="Layers">Number of attention layers.</param>
/// <param name="KeyValueHeads">Key and value heads of a layer.</param>
/// <param name="HeadDim">Features of a head.</param>
/// <param name="Format">The format of keys and values.</param>
public readonly record struct KvCacheShape(int Layers, int KeyValueHeads, int HeadDim, KeyValueFormat Format = KeyValueFormat.Float32)
{
    /// <summary>Bytes that the keys and values of one slot take in all layers.</summary>
    public long BytesPerSlot => 2L * Layers * KeyValueHeads * (HeadDim * ElementBytes + (Format == KeyValueFormat.Int8 ? sizeof(float) : 0));

    /// <summary>Bytes of one element of a key or value.</summary>
    internal int ElementBytes => Format switch
    {
        KeyValueFormat.Float32 => sizeof(float),
        KeyValueFormat.BFloat16 => sizeof(ushort),
        _ => sizeof(sbyte),
    };
}

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

    /// <summary>Copies out one slot as the numbers that attention computes with, for tests: [keyValueHeads * headDim] each.</summary>
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
