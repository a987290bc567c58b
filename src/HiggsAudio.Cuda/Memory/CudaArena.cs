namespace HiggsAudio.Cuda.Memory;

/// <summary>
/// Scratch memory of one lane, a stack in blocks of device memory that never move. It keeps what it has grown to; when it is empty again,
/// several blocks are replaced by one that would have been enough. So equal passes get equal addresses.
/// </summary>
/// <param name="context">The GPU.</param>
/// <param name="settle">Hands over what the lane has written down, and waits until no kernel uses its memory.</param>
/// <param name="count">Told how much is held.</param>
internal sealed class CudaArena(CudaContext context, Action settle, Action<long> count) : IDisposable
{
    private const int OffsetBits = 44;
    private const long FirstBlock = 4 << 20, Alignment = 256;

    private readonly List<(nint Data, long Size)> _blocks = [];
    private int _block;
    private long _offset;

    /// <summary>The point up to which memory is in use.</summary>
    public long Mark => (long)_block << OffsetBits | _offset;

    /// <summary>Bytes held.</summary>
    public long Bytes { get; private set; }

    /// <summary>Memory with undefined contents, aligned to 256 bytes.</summary>
    /// <exception cref="CudaOutOfMemoryException">There is not that much.</exception>
    public nint Allocate(long bytes)
    {
        bytes = Math.Max(bytes + Alignment - 1 & -Alignment, Alignment);
        if (_blocks.Count == 0 || _offset + bytes > _blocks[_block].Size || Mark == 0 && _blocks.Count > 1)
            Advance(bytes);
        nint data = _blocks[_block].Data + (nint)_offset;
        _offset += bytes;
        return data;
    }

    public void Release(long mark)
    {
        _block = (int)(mark >> OffsetBits);
        _offset = mark & (1L << OffsetBits) - 1;
    }

    public void Dispose() => Clear();

    private void Clear()
    {
        foreach ((nint data, long size) in _blocks)
            context.Free(data, size);
        _blocks.Clear();
        Count(-Bytes);
        Release(0);
    }

    // Moves on to the next block with room, a new one if need be.
    private void Advance(long bytes)
    {
        long held = Bytes;
        if (Mark == 0 && _blocks.Count > 0)
        {
            settle();
            Clear();
        }
        for (int next = _block + 1; next < _blocks.Count; next++)
            if (_blocks[next].Size >= bytes)
            {
                (_block, _offset) = (next, 0);
                return;
            }
        long size = Math.Max(Math.Max(bytes, held), FirstBlock);
        _blocks.Add((context.Allocate(size), size));
        (_block, _offset) = (_blocks.Count - 1, 0);
        Count(size);
    }

    private void Count(long bytes)
    {
        Bytes += bytes;
        count(bytes);
    }
}
