namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// Keys and values in pages of some slots for all layers: in a page, [layer][head] and then the keys, [strip of 16 slots][headDim][16 slots],
/// the values, [slot][headDim], and with 8 bits the scales of the keys and of the values, [slot] each. So both sums of attention run over
/// whole vectors: scores over slots, outputs over features. Forks share pages; one that is shared is copied before it is written.
/// </summary>
internal sealed unsafe class CpuKvCache(KvCacheShape shape, CpuPageMemory memory) : KvCache(shape)
{
    /// <summary>Slots of a page.</summary>
    public const int PageSlots = 64;

    /// <summary>Slots of a strip of keys.</summary>
    public const int StripSlots = 16;

    private CpuPage[] _pages = [];
    private int _count;

    public override int Capacity => _count * PageSlots;

    public override long Bytes => _count * PageBytes;

    private long MatrixBytes => (long)PageSlots * Shape.HeadDim * Shape.ElementBytes;

    private long HeadBytes => 2 * MatrixBytes + (Shape.Format == KeyValueFormat.Int8 ? 2 * PageSlots * sizeof(float) : 0);

    private long PageBytes => Shape.Layers * Shape.KeyValueHeads * HeadBytes;

    /// <summary>Keys of a head in the slots page * PageSlots and on.</summary>
    public byte* Keys(int layer, int head, int page) => _pages[page].Data + ((long)layer * Shape.KeyValueHeads + head) * HeadBytes;

    /// <summary>Values of a head in these slots.</summary>
    public byte* Values(int layer, int head, int page) => Keys(layer, head, page) + MatrixBytes;

    /// <summary>Scales of the keys of a head in these slots; only with 8 bits.</summary>
    public float* KeyScales(int layer, int head, int page) => (float*)(Keys(layer, head, page) + 2 * MatrixBytes);

    /// <summary>Scales of the values of a head in these slots; only with 8 bits.</summary>
    public float* ValueScales(int layer, int head, int page) => KeyScales(layer, head, page) + PageSlots;

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
        (int page, int row) = Math.DivRem(slot, PageSlots);
        byte* keys = Keys(layer, head, page), values = Values(layer, head, page);
        float keyScale = 1, valueScale = 1;
        if (Shape.Format == KeyValueFormat.Int8)
        {
            keyScale = KeyScales(layer, head, page)[row] = Scale(key);
            valueScale = ValueScales(layer, head, page)[row] = Scale(value);
        }
        long first = KeyIndex(row, 0);
        Store(key, keys, first, StripSlots, keyScale);
        Store(value, values, (long)row * Shape.HeadDim, 1, valueScale);
    }

    public override void Read(int layer, int slot, Span<float> key, Span<float> value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)layer, (uint)Shape.Layers, nameof(layer));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Capacity, nameof(slot));
        (int page, int row) = Math.DivRem(slot, PageSlots);
        bool scaled = Shape.Format == KeyValueFormat.Int8;
        for (int head = 0; head < Shape.KeyValueHeads; head++)
            for (int d = 0; d < Shape.HeadDim; d++)
            {
                key[head * Shape.HeadDim + d] = Element(Keys(layer, head, page), KeyIndex(row, d)) * (scaled ? KeyScales(layer, head, page)[row] : 1);
                value[head * Shape.HeadDim + d] = Element(Values(layer, head, page), (long)row * Shape.HeadDim + d) * (scaled ? ValueScales(layer, head, page)[row] : 1);
            }
    }

    protected override void Dispose(bool disposing)
    {
        for (; _count > 0; _count--)
            _pages[_count - 1].Release();
    }

    // Where element d of a page's key is.
    private long KeyIndex(int row, int d) => ((long)(row / StripSlots) * Shape.HeadDim + d) * StripSlots + row % StripSlots;

    // What the largest magnitude's code of 127 stands for; not a number if a value is not finite.
    private float Scale(float* values)
    {
        float largest = 0, odd = 0;
        for (int d = 0; d < Shape.HeadDim; d++)
        {
            largest = Math.Max(largest, Math.Abs(values[d]));
            odd += values[d] * 0;
        }
        return largest / 127 + odd;
    }

    private void Store(float* from, byte* to, long at, int step, float scale)
    {
        int count = Shape.HeadDim;
        switch (Shape.Format)
        {
            case KeyValueFormat.Float32:
                for (int d = 0; d < count; d++, at += step)
                    ((float*)to)[at] = from[d];
                break;
            case KeyValueFormat.BFloat16:
                for (int d = 0; d < count; d++, at += step)
                    ((ushort*)to)[at] = BFloat16.Round(from[d]);
                break;
            default:
                float inverse = 1 / scale is var one && float.IsFinite(one) ? one : 0;
                for (int d = 0; d < count; d++, at += step)
                    to[at] = (byte)(sbyte)Math.Clamp(MathF.Round(from[d] * inverse), -127, 127);
                break;
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
