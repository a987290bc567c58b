namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// Keys and values in pages of some slots for all layers: in a page, [layer][keys, values][head][slot][headDim], so that a head's keys of a
/// page are one contiguous matrix.
/// </summary>
internal sealed unsafe class CpuKvCache(KvCacheShape shape) : KvCache(shape)
{
    /// <summary>Slots of a page.</summary>
    public const int PageSlots = 64;

    private nint[] _pages = [];
    private int _count;

    public override int Capacity => _count * PageSlots;

    public override long Bytes => _count * PageFloats * sizeof(float);

    private long MatrixFloats => (long)PageSlots * Shape.HeadDim;

    private long PageFloats => 2L * Shape.Layers * Shape.KeyValueHeads * MatrixFloats;

    /// <summary>Keys of a head in slots page * PageSlots and on: [PageSlots, headDim].</summary>
    public float* Keys(int layer, int head, int page) => (float*)_pages[page] + (2L * layer * Shape.KeyValueHeads + head) * MatrixFloats;

    /// <summary>Values of a head in slots page * PageSlots and on: [PageSlots, headDim].</summary>
    public float* Values(int layer, int head, int page) => (float*)_pages[page] + ((2L * layer + 1) * Shape.KeyValueHeads + head) * MatrixFloats;

    public override void Reserve(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slots);
        int pages = (int)(((long)slots + PageSlots - 1) / PageSlots);
        if (pages > _pages.Length)
            Array.Resize(ref _pages, Math.Max(pages, 2 * _pages.Length));
        for (; _count < pages; _count++)
            _pages[_count] = (nint)CpuMemory.Allocate(checked(PageFloats * sizeof(float)));
    }

    public override void Read(int layer, int slot, Span<float> key, Span<float> value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)layer, (uint)Shape.Layers, nameof(layer));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Capacity, nameof(slot));
        (int page, int row) = Math.DivRem(slot, PageSlots);
        for (int head = 0; head < Shape.KeyValueHeads; head++)
        {
            int width = Shape.HeadDim;
            new ReadOnlySpan<float>(Keys(layer, head, page) + row * width, width).CopyTo(key[(head * width)..]);
            new ReadOnlySpan<float>(Values(layer, head, page) + row * width, width).CopyTo(value[(head * width)..]);
        }
    }

    protected override void Dispose(bool disposing)
    {
        for (; _count > 0; _count--)
            CpuMemory.Free((void*)_pages[_count - 1]);
    }

    /// <summary>Frees the memory of a cache that nobody disposed.</summary>
    ~CpuKvCache() => Dispose(disposing: false);
}
