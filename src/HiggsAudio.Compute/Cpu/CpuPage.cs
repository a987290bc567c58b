namespace HiggsAudio.Compute.Cpu;

/// <summary>Memory of some slots of one or more caches; freed when the last of them lets go of it.</summary>
internal sealed unsafe class CpuPage
{
    private readonly CpuPageMemory _memory;
    private readonly long _bytes;
    private int _owners = 1;

    public CpuPage(CpuPageMemory memory, byte* data, long bytes)
    {
        (_memory, _bytes) = (memory, bytes);
        Data = data;
    }

    public byte* Data { get; }

    /// <summary>Whether another cache reads it. It does not become shared but by its only owner.</summary>
    public bool IsShared => Volatile.Read(ref _owners) > 1;

    /// <summary>Adds an owner.</summary>
    public CpuPage Share()
    {
        Interlocked.Increment(ref _owners);
        return this;
    }

    /// <summary>Takes an owner away.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
            _memory.Free(Data, _bytes);
    }
}

/// <summary>Where a device's pages come from; knows how much they hold together.</summary>
internal sealed unsafe class CpuPageMemory
{
    private long _bytes;

    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>A page of undefined contents.</summary>
    /// <exception cref="OutOfMemoryException">There is not that much.</exception>
    public CpuPage Allocate(long bytes)
    {
        var page = new CpuPage(this, (byte*)CpuMemory.Allocate(bytes), bytes);
        Interlocked.Add(ref _bytes, bytes);
        return page;
    }

    public void Free(byte* data, long bytes)
    {
        CpuMemory.Free(data);
        Interlocked.Add(ref _bytes, -bytes);
    }
}
