using HiggsAudio.Compute;
using HiggsAudio.Cuda.Caches;
using HiggsAudio.Cuda.Compilation;
using HiggsAudio.Cuda.Execution;

namespace HiggsAudio.Cuda;

// Attention. A block has some queries of one head of keys and values, and 64 slots at a time.
internal sealed partial class CudaBackend
{
    private const int FewQueries = 4, ManyQueries = 16, MostHeadDim = 256;

    private readonly AttentionTables?[] _tables = new AttentionTables?[4];
    private int _nextTables;
    private nint _counters;
    private int _counterCount;

    protected override void RotateAppendAttendKernel(Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer, Matrix y)
    {
        int dim = rotary.HeadDim, group = q.Columns / k.Columns, keyValueHeads = k.Columns / dim;
        CheckHeadDim(dim);
        bool decode = group <= FewQueries && OneRowEach(rows);
        int queries = decode ? FewQueries : ManyQueries;
        AttentionTables tables = TablesOf(rows, rotary, decode ? 1 : Math.Max(1, queries / Math.Min(group, queries)));
        KeyValueFormat format = rows.Caches[0].Shape.Format;
        foreach (CudaKvCache cache in tables.Caches)
        {
            if (cache.Shape.Format != format)
                throw new ArgumentException($"RotateAppendAttend: caches of {format} and of {cache.Shape.Format} in one pass.");
            if (cache.UsedBy(this))
                _usedCaches.Add(cache);
        }
        if (decode && tables.Caches.Count == rows.Count && _device.Options.FuseOperations)
        {
            Decode(KernelNames.Decode[format], q, k, v, tables, layer, keyValueHeads, group, dim, y);
            return;
        }
        Launch(KernelNames.Append[format], new Extent(q.Rows, Parts(keyValueHeads, 4)), 128, 0,
            k.Data, k.RowStride, v.Data, v.RowStride, tables.Rotation, tables.Slots, tables.RowSequences, tables.Pages, tables.PageStride, layer, keyValueHeads, dim);
        Attend(decode ? KernelNames.AttendFew[format] : KernelNames.AttendMany[format], queries, q, tables, layer, keyValueHeads, group, dim, y);
    }

    protected override void SelfAttentionKernel(Matrix q, Matrix k, Matrix v, int heads, Matrix y)
    {
        int dim = q.Columns / heads;
        CheckHeadDim(dim);
        Launch(KernelNames.SelfAttend, new Extent(Parts(q.Rows, ManyQueries), heads), BlockThreads(dim), SharedBytes(dim, ManyQueries),
            q.Data, q.RowStride, k.Data, k.RowStride, v.Data, v.RowStride, q.Rows, heads, dim, y.Data, y.RowStride);
    }

    // All of it in one launch: the last block of a row and head to be done combines the parts.
    private void Decode(KernelName kernel, Matrix q, Matrix k, Matrix v, AttentionTables tables, int layer, int keyValueHeads, int group, int dim, Matrix y)
    {
        int splits = tables.PageStride;
        ReserveCounters(q.Rows * keyValueHeads);
        long mark = _arena.Mark;
        nint partials = Allocate((long)q.Rows * keyValueHeads * group * splits * (dim + 2) * sizeof(float));
        Launch(kernel, new Extent(q.Rows, keyValueHeads, splits), BlockThreads(dim), SharedBytes(dim, FewQueries),
            q.Data, q.RowStride, k.Data, k.RowStride, v.Data, v.RowStride, tables.Rotation, tables.Slots, tables.RowSequences, tables.Pages, tables.Hidden, tables.PageStride,
            layer, keyValueHeads, group, dim, y.Data, y.RowStride, partials, _counters);
        _arena.Release(mark);
    }

    // Zeros, which the kernels leave as zeros.
    private void ReserveCounters(int count)
    {
        if (count <= _counterCount)
            return;
        if (_counters != 0)
        {
            Settle();
            _context.Free(_counters, _counterCount * sizeof(int));
            (_counters, _counterCount) = (0, 0);
        }
        int capacity = Math.Max(1024, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count));
        _counters = _context.Allocate(capacity * sizeof(int));
        _counterCount = capacity;
        LetGo();
        _commands.Fill(_counters, 0, capacity);
    }

    // With few blocks, each page of a cache is another block's, and the parts are combined; the result is the same.
    private void Attend(KernelName kernel, int queries, Matrix q, AttentionTables tables, int layer, int keyValueHeads, int group, int dim, Matrix y)
    {
        int across = keyValueHeads * Parts(group, queries), heads = keyValueHeads * group;
        int splits = (long)tables.TaskCount * across >= 4L * _context.Multiprocessors ? 1 : tables.PageStride;
        long mark = _arena.Mark;
        nint partials = splits == 1 ? 0 : Allocate((long)q.Rows * heads * splits * (dim + 2) * sizeof(float));
        Launch(kernel, new Extent(tables.TaskCount, across, splits), BlockThreads(dim), SharedBytes(dim, queries),
            q.Data, q.RowStride, tables.Rotation, tables.Slots, tables.RowSequences, tables.Pages, tables.Hidden, tables.PageStride, tables.Tasks,
            layer, keyValueHeads, group, dim, y.Data, y.RowStride, partials);
        if (splits > 1)
            Launch(KernelNames.AttendCombine, new Extent(q.Rows, heads), BlockThreads(dim), 0, partials, tables.Slots, splits, heads, dim, y.Data, y.RowStride);
        _arena.Release(mark);
    }

    // The tables of a map, uploaded once a pass.
    private unsafe AttentionTables TablesOf(RowMap rows, RotaryTable rotary, int rowsPerTask)
    {
        long version = _device.CacheOrder.PagesVersion;
        AttentionTables? tables = null;
        foreach (AttentionTables? one in _tables)
            if (one?.Map == rows)
                tables = one;
        if (tables is null)
        {
            tables = _tables[_nextTables] ??= new AttentionTables(_context);
            _nextTables = (_nextTables + 1) % _tables.Length;
        }
        if (tables.Are(rows, rotary, version, rowsPerTask))
            return tables;
        tables.Plan(rows, rotary, version, rowsPerTask, _settle);
        if (tables.Bytes > UploadRing.Most)
        {
            var whole = new byte[tables.Bytes];
            fixed (byte* data = whole)
            {
                tables.Write(data);
                Upload(tables.Rotation, data, tables.Bytes);
            }
            return tables;
        }
        LetGo();
        byte* staging = Stage(tables.Bytes);
        tables.Write(staging);
        _commands.Upload(tables.Rotation, staging, tables.Bytes);
        return tables;
    }

    private static bool OneRowEach(RowMap rows)
    {
        for (int r = 1; r < rows.Count; r++)
            if (rows.Caches[r] == rows.Caches[r - 1])
                return false;
        return true;
    }

    private static int BlockThreads(int dim) => dim <= 128 ? 128 : 256;

    private static int SharedBytes(int dim, int queries)
    {
        int padded = (dim + 3) / 4 * 4 + 4;
        return sizeof(float) * (2 * CudaKvCache.PageSlots * padded + queries * padded + queries * CudaKvCache.PageSlots + 2 * queries);
    }

    private static void CheckHeadDim(int dim)
    {
        if (dim > MostHeadDim)
            throw new NotSupportedException($"Attention on a GPU has heads of at most {MostHeadDim} features; found {dim}.");
    }
}
