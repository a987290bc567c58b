namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// Scratch memory of one lane: a stack in blocks that never move. It keeps what it has grown to; when it is empty again, several blocks
/// are replaced by one that would have been enough.
/// </summary>
/// <param name="count">Told how much is held; null if nobody wants to know.</param>
/// <param name="threads">Threads whose jobs read this memory: it is not freed before the last of them has let go of it.</param>
internal sealed unsafe class CpuArena(CpuScratchCount? count = null, CpuThreads? threads = null) : IDisposable
{
    private const int OffsetBits = 44;
    private const long FirstBlock = 1 << 20;

    private readonly List<(nint Data, long Size)> _blocks = [];
    private int _block;
    private long _offset;

    /// <summary>Tests: fills what is handed out with NaN, so that a kernel that reads what it should not shows.</summary>
    internal static bool Poison { get; set; }

    /// <summary>The point up to which memory is in use.</summary>
    public long Mark => (long)_block << OffsetBits | _offset;

    /// <summary>Bytes held.</summary>
    public long Bytes { get; private set; }

    /// <summary>Memory for some floats, aligned to 64 bytes, undefined.</summary>
    public float* Allocate(long count)
    {
        long bytes = Math.Max(checked(count * sizeof(float)) + CpuMemory.Alignment - 1 & -CpuMemory.Alignment, CpuMemory.Alignment);
        if (_blocks.Count == 0 || _offset + bytes > _blocks[_block].Size || Mark == 0 && _blocks.Count > 1)
            Advance(bytes);
        var data = (float*)(_blocks[_block].Data + (nint)_offset);
        _offset += bytes;
        if (Poison)
            for (long i = 0; i < bytes / sizeof(float); i++)
                data[i] = float.NaN;
        return data;
    }

    public void Release(long mark)
    {
        _block = (int)(mark >> OffsetBits);
        _offset = mark & (1L << OffsetBits) - 1;
    }

    public void Dispose()
    {
        if (_blocks.Count > 0)
            threads?.Settle();
        foreach ((nint data, _) in _blocks)
            CpuMemory.Free((void*)data);
        _blocks.Clear();
        Count(-Bytes);
        Release(0);
    }

    // Moves on to the next block with room, a new one if need be.
    private void Advance(long bytes)
    {
        long held = Bytes;
        if (Mark == 0)
            Dispose();
        for (int next = _block + 1; next < _blocks.Count; next++)
            if (_blocks[next].Size >= bytes)
            {
                (_block, _offset) = (next, 0);
                return;
            }
        long size = Math.Max(Math.Max(bytes, held), FirstBlock);
        _blocks.Add(((nint)CpuMemory.Allocate(size), size));
        (_block, _offset) = (_blocks.Count - 1, 0);
        Count(size);
    }

    private void Count(long bytes)
    {
        Bytes += bytes;
        count?.Add(bytes);
    }
}

/// <summary>How much scratch memory the lanes of a device hold together. Thread-safe.</summary>
internal sealed class CpuScratchCount
{
    private long _bytes;

    public long Bytes => Interlocked.Read(ref _bytes);

    public void Add(long bytes) => Interlocked.Add(ref _bytes, bytes);
}
