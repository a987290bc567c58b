using HiggsAudio.Compute.Cpu.Kernels;

namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// Keys and values in pages of some slots for all layers: in a page, [layer][head][strip of 32 slots], and in a strip the keys, [headDim][32
/// slots], the values, [slot][headDim], and with 8 bits the scales of the keys and of the values, [slot] each. So both sums of attention run
/// over whole vectors, scores over slots and outputs over features, and a head is read from a page in order. In bfloat16 the slots of a strip,
/// and every 32 features of a value, lie in the order 0, 16, 1, 17, …: see <see cref="BFloat16KeyValues"/>. Forks share pages; one that is
/// shared is copied before it is written.
/// </summary>
internal sealed unsafe class CpuKvCache(KvCacheShape shape, CpuPageMemory memory) : KvCache(shape)
{
    /// <summary>Slots of a page.</summary>
    public const int PageSlots = 64;

    /// <summary>Slots of a strip.</summary>
    public const int StripSlots = KeyValueGroup.Size;

    private CpuPage[] _pages = [];
    private int _count;

    public override int Capacity => _count * PageSlots;

    public override long Bytes => _count * PageBytes;

    private long MatrixBytes => (long)StripSlots * Shape.HeadDim * Shape.ElementBytes;

    private long StripBytes => 2 * MatrixBytes + (Shape.Format == KeyValueFormat.Int8 ? 2 * StripSlots * sizeof(float) : 0);

    private long PageBytes => (long)Shape.Layers * Shape.KeyValueHeads * (PageSlots / StripSlots) * StripBytes;

    /// <summary>Keys of a head in the strip of a slot.</summary>
    public byte* Keys(int layer, int head, int slot)
    {
        (int page, int row) = Math.DivRem(slot, PageSlots);
        return _pages[page].Data + (((long)layer * Shape.KeyValueHeads + head) * (PageSlots / StripSlots) + row / StripSlots) * StripBytes;
    }

    /// <summary>Values of a head in the strip of a slot.</summary>
    public byte* Values(int layer, int head, int slot) => Keys(layer, head, slot) + MatrixBytes;

    /// <summary>Scales of the keys of a head in the strip of a slot; only with 8 bits.</summary>
    public float* KeyScales(int layer, int head, int slot) => (float*)(Keys(layer, head, slot) + 2 * MatrixBytes);

    /// <summary>Scales of the values of a head in the strip of a slot; only with 8 bits.</summary>
    public float* ValueScales(int layer, int head, int slot) => KeyScales(layer, head, slot) + StripSlots;

    public override void Reserve(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slots);
        int pages = (int)(((long)slots + PageSlots - 1) / PageSlots);
        if (pages > _pages.Length)
            Array.Resize(ref _pages, Math.Max(pages, 2 * _pages.Length));
        for (; _count < pages; _count++)
            _pages[_count] = memory.Allocate(PageBytes);
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
        CpuPage copy = memory.Allocate(PageBytes);
        Buffer.MemoryCopy(page.Data, copy.Data, PageBytes, PageBytes);
        page.Release();
        page = copy;
    }

    /// <summary>Writes the key and the value of a head, in the cache's format.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="head">The head.</param>
    /// <param name="slot">The slot, which must be this cache's own.</param>
    /// <param name="key">[headDim]</param>
    /// <param name="value">[headDim]</param>
    public void Write(int layer, int head, int slot, float* key, float* value)
    {
        int row = slot % StripSlots;
        byte* keys = Keys(layer, head, slot), values = keys + MatrixBytes;
        float keyScale = 1, valueScale = 1;
        if (Shape.Format == KeyValueFormat.Int8)
        {
            keyScale = KeyScales(layer, head, slot)[row] = KeyValueCodes.Scale(key, Shape.HeadDim);
            valueScale = ValueScales(layer, head, slot)[row] = KeyValueCodes.Scale(value, Shape.HeadDim);
        }
        uint* codes = stackalloc uint[KeyValueGroup.Size];
        for (int first = 0; first < Shape.HeadDim; first += KeyValueGroup.Size)
        {
            int count = Math.Min(KeyValueGroup.Size, Shape.HeadDim - first);
            KeyValueCodes.Encode(Shape.Format, key + first, count, keyScale, codes);
            StoreKey(codes, count, keys, KeyIndex(row, first));
            KeyValueCodes.Encode(Shape.Format, value + first, count, valueScale, codes);
            StoreValue(codes, count, values, (long)row * Shape.HeadDim + first);
        }
    }

    public override void Read(int layer, int slot, Span<float> key, Span<float> value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)layer, (uint)Shape.Layers, nameof(layer));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Capacity, nameof(slot));
        int row = slot % StripSlots;
        bool scaled = Shape.Format == KeyValueFormat.Int8;
        for (int head = 0; head < Shape.KeyValueHeads; head++)
            for (int d = 0; d < Shape.HeadDim; d++)
            {
                key[head * Shape.HeadDim + d] = Element(Keys(layer, head, slot), KeyIndex(row, d)) * (scaled ? KeyScales(layer, head, slot)[row] : 1);
                value[head * Shape.HeadDim + d] = Element(Values(layer, head, slot), ValueIndex(row, d)) * (scaled ? ValueScales(layer, head, slot)[row] : 1);
            }
    }

    protected override void Dispose(bool disposing)
    {
        for (; _count > 0; _count--)
            _pages[_count - 1].Release();
    }

    // Where element d of a strip's key is.
    private long KeyIndex(int row, int d) => (long)d * StripSlots + KeyValueGroup.Place(Shape.Format, row);

    // Where element d of a strip's value is.
    private long ValueIndex(int row, int d) =>
        (long)row * Shape.HeadDim + (InPairs ? d - d % KeyValueGroup.Size + KeyValueGroup.Place(Shape.Format, d % KeyValueGroup.Size) : d);

    // Whether two features of a value share a word.
    private bool InPairs => Shape.Format == KeyValueFormat.BFloat16 && Shape.HeadDim % KeyValueGroup.Size == 0;

    // Features of a slot's key, which are a strip's width apart.
    private void StoreKey(uint* codes, int count, byte* to, long at)
    {
        for (int d = 0; d < count; d++, at += StripSlots)
            switch (Shape.ElementBytes)
            {
                case sizeof(uint): ((uint*)to)[at] = codes[d]; break;
                case sizeof(ushort): ((ushort*)to)[at] = (ushort)codes[d]; break;
                default: to[at] = (byte)codes[d]; break;
            }
    }

    private void StoreValue(uint* codes, int count, byte* to, long at)
    {
        if (InPairs)
            for (int i = 0; i < KeyValueGroup.Half; i++)
                ((uint*)((ushort*)to + at))[i] = codes[i] | codes[i + KeyValueGroup.Half] << 16;
        else
            for (int d = 0; d < count; d++)
                switch (Shape.ElementBytes)
                {
                    case sizeof(uint): ((uint*)to)[at + d] = codes[d]; break;
                    case sizeof(ushort): ((ushort*)to)[at + d] = (ushort)codes[d]; break;
                    default: to[at + d] = (byte)codes[d]; break;
                }
    }

    private float Element(byte* data, long at) => Shape.Format switch
    {
        KeyValueFormat.Float32 => ((float*)data)[at],
        KeyValueFormat.BFloat16 => BFloat16.ToSingle(((ushort*)data)[at]),
        _ => (sbyte)data[at],
    };

    /// <summary>Frees the memory of a cache that nobody disposed.</summary>
    ~CpuKvCache() => Dispose(disposing: false);
}
