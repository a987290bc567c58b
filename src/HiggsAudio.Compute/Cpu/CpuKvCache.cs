namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// Keys and values in pages of some slots for all layers: in a page, [layer][keys, values][head][slot][headDim], so that a head's keys of a
/// page are one contiguous matrix. Forks share pages; one that is shared is copied before it is written.
/// </summary>
internal sealed unsafe class CpuKvCache(KvCacheShape shape, CpuPageMemory memory) : KvCache(shape)
{
    /// <summary>Slots of a page.</summary>
    public const int PageSlots = 64;

    private CpuPage[] _pages = [];
    private int _count;

    public override int Capacity => _count * PageSlots;

    public override long Bytes => _count * PageFloats * sizeof(float);

    private long MatrixFloats => (long)PageSlots * Shape.HeadDim;

    private long PageFloats => 2L * Shape.Layers * Shape.KeyValueHeads * MatrixFloats;

    /// <summary>Keys of a head in slots page * PageSlots and on: [PageSlots, headDim].</summary>
    public float* Keys(int layer, int head, int page) => _pages[page].Data + (2L * layer * Shape.KeyValueHeads + head) * MatrixFloats;

    /// <summary>Values of a head in slots page * PageSlots and on: [PageSlots, headDim].</summary>
    public float* Values(int layer, int head, int page) => _pages[page].Data + ((2L * layer + 1) * Shape.KeyValueHeads + head) * MatrixFloats;

    public override void Reserve(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slots);
        int pages = (int)(((long)slots + PageSlots - 1) / PageSlots);
        if (pages > _pages.Length)
            Array.Resize(ref _pages, Math.Max(pages, 2 * _pages.Length));
        for (; _count < pages; _count++)
            _pages[_count] = memory.Allocate(PageFloats);
    }

    public override KvCache Fork(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)slots, (uint)Capacity, nameof(slots));
        int pages = (slots + PageSlots - 1) / PageSlots;
        var fork = new CpuKvCache(Shape, memory) { _pages = new CpuPage[pages] };
        for (; fork._count < pages; fork._count++)
            fork._pages[fork._count] = _pages[fork._count].Share();
        return fork;
    }

    public override void Own(int slot)
    {
        ref CpuPage page = ref _pages[slot / PageSlots];
        if (!page.IsShared)
            return;
        CpuPage copy = memory.Allocate(PageFloats);
        Buffer.MemoryCopy(page.Data, copy.Data, PageFloats * sizeof(float), PageFloats * sizeof(float));
        page.Release();
        page = copy;
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
            _pages[_count - 1].Release();
    }

    /// <summary>Frees the memory of a cache that nobody disposed.</summary>
    ~CpuKvCache() => Dispose(disposing: false);
}
