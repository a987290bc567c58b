using HiggsAudio.Compute;
using HiggsAudio.Cuda.Memory;

namespace HiggsAudio.Cuda.Caches;

/// <summary>
/// What attention needs to know of the rows of a pass, in device memory: made once a pass for all layers, in one upload. The memory stays where it is as long as it is
/// large enough, and sizes grow by powers of two, so that equal steps look equal.
/// </summary>
internal sealed class AttentionTables(CudaContext context) : IDisposable
{
    private const int FewestPages = 8;

    private readonly Dictionary<KvCache, int> _sequences = [];
    private readonly List<CudaKvCache> _caches = [];
    private readonly List<(int First, int Count)> _tasks = [];
    private RowMap? _map;
    private RotaryTable? _rotary;
    private long _mapVersion, _pagesVersion;
    private int _rowsPerTask;
    private nint _data;
    private long _capacity, _slots, _rowSequences, _pages, _hidden, _taskList;

    /// <summary>The map that the tables are of.</summary>
    public RowMap? Map => _map;

    /// <summary>Floats [rows, headDim]: cosines, then sines, of each row.</summary>
    public nint Rotation => _data;

    /// <summary>Integers [rows].</summary>
    public nint Slots => _data + (nint)_slots;

    /// <summary>Integers [rows]: which of the pass's caches.</summary>
    public nint RowSequences => _data + (nint)_rowSequences;

    /// <summary>Addresses [caches, <see cref="PageStride"/>].</summary>
    public nint Pages => _data + (nint)_pages;

    /// <summary>Bits of the pages' slots [caches, <see cref="PageStride"/>]; 0 if no slot is hidden.</summary>
    public nint Hidden => _hidden == 0 ? 0 : _data + (nint)_hidden;

    /// <summary>Pairs [tasks]: first row, number of rows.</summary>
    public nint Tasks => _data + (nint)_taskList;

    /// <summary>Number of tasks.</summary>
    public int TaskCount => _tasks.Count;

    /// <summary>Pages of a cache, rounded up to a power of two.</summary>
    public int PageStride { get; private set; }

    /// <summary>Bytes of all tables.</summary>
    public long Bytes { get; private set; }

    /// <summary>The caches of the pass.</summary>
    public List<CudaKvCache> Caches => _caches;

    /// <summary>Whether the tables are those of a map as it is now.</summary>
    public bool Are(RowMap map, RotaryTable rotary, long pagesVersion, int rowsPerTask) =>
        _map == map && _mapVersion == map.Version && _pagesVersion == pagesVersion && _rotary == rotary && _rowsPerTask == rowsPerTask;

    /// <summary>Lays tables out for a map.</summary>
    /// <param name="map">The rows.</param>
    /// <param name="rotary">The rotation.</param>
    /// <param name="pagesVersion">Of the device's caches.</param>
    /// <param name="rowsPerTask">Most rows of a task.</param>
    /// <param name="settle">Called before device memory that may be in use is freed.</param>
    public void Plan(RowMap map, RotaryTable rotary, long pagesVersion, int rowsPerTask, Action settle)
    {
        (_map, _mapVersion, _pagesVersion, _rotary, _rowsPerTask) = (map, map.Version, pagesVersion, rotary, rowsPerTask);
        PlanSequences(map);
        PlanTasks(map, rowsPerTask);
        bool hidden = false;
        foreach ((KvCache cache, int slot) in (List<(KvCache, int)>)map.Hidden)
            hidden |= _sequences.ContainsKey(cache);
        long at = Padded((long)map.Count * rotary.HeadDim * sizeof(float)), rows = Padded((long)map.Count * sizeof(int)), pages = Padded((long)_caches.Count * PageStride * sizeof(ulong));
        (_slots, _rowSequences, _pages) = (at, at + rows, at + 2 * rows);
        at += 2 * rows + pages;
        _hidden = hidden ? at : 0;
        _taskList = hidden ? at + pages : at;
        Bytes = _taskList + Padded(2L * _tasks.Count * sizeof(int));
        Reserve(settle);
    }

    /// <summary>Writes the tables as they are to be on the device.</summary>
    /// <param name="to"><see cref="Bytes"/> bytes.</param>
    public unsafe void Write(byte* to)
    {
        RowMap map = _map!;
        int dim = _rotary!.HeadDim;
        for (int r = 0; r < map.Count; r++)
        {
            _rotary[map.Positions[r]].CopyTo(new Span<float>((float*)to + (long)r * dim, dim));
            ((int*)(to + _slots))[r] = map.Slots[r];
            ((int*)(to + _rowSequences))[r] = _sequences[map.Caches[r]];
        }
        var pages = (ulong*)(to + _pages);
        for (int s = 0; s < _caches.Count; s++)
            for (int p = 0; p < PageStride; p++)
                pages[(long)s * PageStride + p] = p < _caches[s].PageCount ? (ulong)_caches[s].Page(p) : 0;
        if (_hidden != 0)
            WriteHidden(map, (ulong*)(to + _hidden));
        for (int t = 0; t < _tasks.Count; t++)
            (((int*)(to + _taskList))[2 * t], ((int*)(to + _taskList))[2 * t + 1]) = _tasks[t];
    }

    /// <summary>Forgets the map: its tables are made anew next time.</summary>
    public void Forget() => _map = null;

    public void Dispose()
    {
        if (_data != 0)
            context.Free(_data, _capacity);
        _data = 0;
        _map = null;
    }

    private unsafe void WriteHidden(RowMap map, ulong* hidden)
    {
        new Span<ulong>(hidden, _caches.Count * PageStride).Clear();
        foreach ((KvCache cache, int slot) in (List<(KvCache, int)>)map.Hidden)
            if (_sequences.TryGetValue(cache, out int s) && slot < PageStride * CudaKvCache.PageSlots)
                hidden[(long)s * PageStride + slot / CudaKvCache.PageSlots] |= 1UL << slot % CudaKvCache.PageSlots;
    }

    private void PlanSequences(RowMap map)
    {
        _sequences.Clear();
        _caches.Clear();
        int pages = FewestPages;
        foreach (KvCache cache in map.Caches)
            if (_sequences.TryAdd(cache, _caches.Count))
            {
                var own = cache as CudaKvCache ?? throw new ArgumentException("The cache of a row was made by another device than the lane's.");
                _caches.Add(own);
                while (pages < own.PageCount)
                    pages *= 2;
            }
        PageStride = pages;
    }

    // Runs of rows of one sequence.
    private void PlanTasks(RowMap map, int rowsPerTask)
    {
        _tasks.Clear();
        for (int first = 0; first < map.Count;)
        {
            int count = 1;
            while (count < rowsPerTask && first + count < map.Count && map.Caches[first + count] == map.Caches[first])
                count++;
            _tasks.Add((first, count));
            first += count;
        }
    }

    private void Reserve(Action settle)
    {
        if (Bytes <= _capacity)
            return;
        if (_data != 0)
        {
            settle();
            context.Free(_data, _capacity);
            (_data, _capacity) = (0, 0);
        }
        long capacity = 4096;
        while (capacity < Bytes)
            capacity *= 2;
        _data = context.Allocate(capacity);
        _capacity = capacity;
    }

    private static long Padded(long bytes) => bytes + 63 & -64;
}
