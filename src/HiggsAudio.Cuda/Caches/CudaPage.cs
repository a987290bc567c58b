using HiggsAudio.Cuda.Memory;

namespace HiggsAudio.Cuda.Caches;

/// <summary>Device memory of some slots of one or more caches; goes back to the pool when the last of them lets go of it.</summary>
internal sealed class CudaPage(CudaPagePool pool, nint data, long bytes)
{
    private int _owners = 1;

    public nint Data { get; } = data;

    /// <summary>Whether another cache reads it. It does not become shared but by its only owner.</summary>
    public bool IsShared => Volatile.Read(ref _owners) > 1;

    /// <summary>Adds an owner.</summary>
    public CudaPage Share()
    {
        Interlocked.Increment(ref _owners);
        return this;
    }

    /// <summary>Takes an owner away.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
            pool.Return(Data, bytes);
    }
}

/// <summary>
/// Where a device's pages come from. Pages that nobody uses are kept, for a sequence's pages come and go with it and allocating waits for the GPU; they are given
/// back to the GPU where it has no memory left. Thread-safe.
/// </summary>
internal sealed class CudaPagePool(CudaContext context, CacheOrder order) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Stack<nint>> _free = [];
    private long _bytes;
    private bool _disposed;

    /// <summary>Bytes of the pages in use.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>A page of undefined contents.</summary>
    /// <exception cref="CudaOutOfMemoryException">There is not that much.</exception>
    public CudaPage Take(long bytes)
    {
        if (!TryTakeFree(bytes, out nint data))
            data = context.Allocate(bytes);
        Interlocked.Add(ref _bytes, bytes);
        return new CudaPage(this, data, bytes);
    }

    public void Return(nint data, long bytes)
    {
        Interlocked.Add(ref _bytes, -bytes);
        lock (_lock)
        {
            if (!_disposed)
            {
                if (!_free.TryGetValue(bytes, out Stack<nint>? pages))
                    _free[bytes] = pages = [];
                pages.Push(data);
                return;
            }
        }
        context.Free(data, bytes);
    }

    /// <summary>Gives the pages that nobody uses back to the GPU.</summary>
    /// <returns>Whether there were any.</returns>
    public bool Trim()
    {
        lock (_lock)
        {
            bool any = _free.Values.Any(pages => pages.Count > 0);
            if (any)
                order.Settle();
            foreach ((long bytes, Stack<nint> pages) in _free)
                while (pages.TryPop(out nint data))
                    context.Free(data, bytes);
            return any;
        }
    }

    public void Dispose()
    {
        Trim();
        lock (_lock)
            _disposed = true;
    }

    private bool TryTakeFree(long bytes, out nint data)
    {
        data = 0;
        lock (_lock)
            return _free.TryGetValue(bytes, out Stack<nint>? pages) && pages.TryPop(out data);
    }
}
