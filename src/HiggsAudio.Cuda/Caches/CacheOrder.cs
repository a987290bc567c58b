using HiggsAudio.Cuda.Memory;

namespace HiggsAudio.Cuda.Caches;

/// <summary>
/// One order for all work on the key-value caches of a device, whatever lane it comes from: a stream waits for the one that worked on them before. So
/// a page may be shared, copied, freed and used again without anybody tracking who still reads it.
/// </summary>
internal sealed class CacheOrder(CudaContext context) : IDisposable
{
    private readonly Lock _lock = new();
    private CudaStream? _last, _own;
    private long _pagesVersion;

    /// <summary>Changes whenever a cache's pages do.</summary>
    public long PagesVersion => Interlocked.Read(ref _pagesVersion);

    public void PagesChanged() => Interlocked.Increment(ref _pagesVersion);

    /// <summary>Gives a stream work on caches.</summary>
    public void Submit<TState>(CudaStream stream, TState state, Action<TState> submit)
    {
        lock (_lock)
        {
            if (_last is not null && _last != stream)
                stream.WaitFor(_last);
            _last = stream;
            submit(state);
        }
    }

    /// <summary>Copies a page.</summary>
    public void Copy(nint to, nint from, long bytes)
    {
        lock (_lock)
            Stream().Copy(to, from, bytes);
    }

    /// <summary>Copies some of a page to the host, and waits for it.</summary>
    public unsafe void Read(nint from, Span<byte> to)
    {
        lock (_lock)
            fixed (byte* data = to)
            {
                CudaStream stream = Stream();
                stream.CopyToHost(data, from, to.Length);
                stream.Synchronize();
            }
    }

    /// <summary>Waits for all work on caches.</summary>
    public void Settle()
    {
        lock (_lock)
            context.Settle();
    }

    /// <summary>Lets go of a stream that is about to end.</summary>
    public void Forget(CudaStream stream)
    {
        lock (_lock)
            if (_last == stream)
                _last = null;
    }

    public void Dispose() => _own?.Dispose();

    private CudaStream Stream()
    {
        context.Use();
        return _last ??= _own ??= new CudaStream(context);
    }
}
