using System.Runtime.InteropServices;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Cuda.Caches;

/// <summary>
/// Keys and values in pages of 64 slots for all layers: in a page, [layer][head] and then the keys [slot][headDim], the values [slot][headDim], and with 8
/// bits the scales of the keys and of the values [slot] each. Forks share pages; one that is shared is copied before it is written.
/// </summary>
internal sealed class CudaKvCache(KvCacheShape shape, CudaPagePool pool, CacheOrder order) : KvCache(shape)
{
    /// <summary>Slots of a page.</summary>
    public const int PageSlots = 64;

    private CudaPage[] _pages = [];
    private int _count;
    private CudaBackend? _lane;
    private long _pass;

    public override int Capacity => _count * PageSlots;

    public override long Bytes => _count * PageBytes;

    /// <summary>Pages that it has.</summary>
    public int PageCount => _count;

    private long MatrixBytes => (long)PageSlots * Shape.HeadDim * Shape.ElementBytes;

    private long HeadBytes => 2 * MatrixBytes + (Shape.Format == KeyValueFormat.Int8 ? 2 * PageSlots * sizeof(float) : 0);

    private long PageBytes => Shape.Layers * Shape.KeyValueHeads * HeadBytes;

    /// <summary>Address of a page.</summary>
    public nint Page(int index) => _pages[index].Data;

    /// <summary>Says that a lane has written down work on this cache.</summary>
    /// <returns>Whether it had not yet in this list.</returns>
    public bool UsedBy(CudaBackend lane)
    {
        bool known = _lane == lane && _pass == lane.Pass;
        (_lane, _pass) = (lane, lane.Pass);
        return !known;
    }

    public override void Reserve(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slots);
        int pages = (int)(((long)slots + PageSlots - 1) / PageSlots);
        if (pages > _pages.Length)
            Array.Resize(ref _pages, Math.Max(pages, 2 * _pages.Length));
        int before = _count;
        try
        {
            for (; _count < pages; _count++)
                _pages[_count] = pool.Take(PageBytes);
        }
        catch
        {
            for (; _count > before; _count--)
                _pages[_count - 1].Release();
            throw;
        }
        if (_count > before)
            order.PagesChanged();
    }

    public override KvCache Fork(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)slots, (uint)Capacity, nameof(slots));
        Settle();
        int pages = (slots + PageSlots - 1) / PageSlots;
        var fork = new CudaKvCache(Shape, pool, order) { _pages = new CudaPage[pages] };
        for (; fork._count < pages; fork._count++)
            fork._pages[fork._count] = _pages[fork._count].Share();
        return fork;
    }

    public override void Own(int slot)
    {
        ref CudaPage page = ref _pages[slot / PageSlots];
        if (!page.IsShared)
            return;
        Settle();
        CudaPage copy = pool.Take(PageBytes);
        order.Copy(copy.Data, page.Data, PageBytes);
        page.Release();
        page = copy;
        order.PagesChanged();
    }

    public override void Read(int layer, int slot, Span<float> key, Span<float> value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)layer, (uint)Shape.Layers, nameof(layer));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Capacity, nameof(slot));
        Settle();
        (int page, int row) = Math.DivRem(slot, PageSlots);
        var head = new byte[HeadBytes];
        for (int h = 0; h < Shape.KeyValueHeads; h++)
        {
            order.Read(Page(page) + (nint)(((long)layer * Shape.KeyValueHeads + h) * HeadBytes), head);
            ReadOnlySpan<float> scales = Shape.Format == KeyValueFormat.Int8 ? MemoryMarshal.Cast<byte, float>(head.AsSpan((int)(2 * MatrixBytes))) : default;
            Elements(head, 0, row, scales.IsEmpty ? 1 : scales[row], key.Slice(h * Shape.HeadDim, Shape.HeadDim));
            Elements(head, MatrixBytes, row, scales.IsEmpty ? 1 : scales[PageSlots + row], value.Slice(h * Shape.HeadDim, Shape.HeadDim));
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Settle();
        _lane = null;
        for (; _count > 0; _count--)
            _pages[_count - 1].Release();
    }

    // What the pages' contents depend on has been given to the GPU.
    private void Settle()
    {
        if (_lane is { } lane && lane.Pass == _pass)
            lane.Flush();
        _lane = null;
    }

    private void Elements(byte[] head, long start, int row, float scale, Span<float> values)
    {
        ReadOnlySpan<byte> bytes = head.AsSpan((int)(start + (long)row * Shape.HeadDim * Shape.ElementBytes), Shape.HeadDim * Shape.ElementBytes);
        for (int d = 0; d < values.Length; d++)
            values[d] = Shape.Format switch
            {
                KeyValueFormat.Float32 => MemoryMarshal.Cast<byte, float>(bytes)[d],
                KeyValueFormat.BFloat16 => BFloat16.ToSingle(MemoryMarshal.Cast<byte, ushort>(bytes)[d]),
                _ => (sbyte)bytes[d] * scale,
            };
    }

    /// <summary>Frees the memory of a cache that nobody disposed: a lane that still works on it holds it.</summary>
    ~CudaKvCache() => Dispose(disposing: false);
}
