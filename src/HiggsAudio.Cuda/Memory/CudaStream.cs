using HiggsAudio.Cuda.Interop;

namespace HiggsAudio.Cuda.Memory;

/// <summary>A queue of work on the GPU, and an event to say how far it has come.</summary>
internal sealed unsafe class CudaStream : IDisposable
{
    private readonly CudaContext _context;
    private readonly CudaDriver _driver;
    private nint _stream, _event;

    public CudaStream(CudaContext context)
    {
        (_context, _driver) = (context, context.Driver);
        context.Use();
        nint stream = 0, done = 0;
        _driver.Check(_driver.StreamCreate(&stream, CudaDriver.NonBlockingStream), "cuStreamCreate");
        _stream = stream;
        int result = _driver.EventCreate(&done, CudaDriver.EventWithoutTiming);
        if (result != 0)
            _ = _driver.StreamDestroy(stream);
        _driver.Check(result, "cuEventCreate");
        _event = done;
    }

    public nint Handle => _stream;

    public void CopyToDevice(nint to, void* from, long bytes)
    {
        if (bytes > 0)
            _driver.Check(_driver.MemcpyHtoDAsync(to, from, (nuint)bytes, _stream), "cuMemcpyHtoDAsync");
    }

    public void CopyToHost(void* to, nint from, long bytes) =>
        _driver.Check(_driver.MemcpyDtoHAsync(to, from, (nuint)bytes, _stream), "cuMemcpyDtoHAsync");

    public void Copy(nint to, nint from, long bytes) =>
        _driver.Check(_driver.MemcpyDtoDAsync(to, from, (nuint)bytes, _stream), "cuMemcpyDtoDAsync");

    /// <summary>Sets 32-bit words.</summary>
    public void Fill(nint to, uint word, long words) =>
        _driver.Check(_driver.MemsetD32Async(to, word, (nuint)words, _stream), "cuMemsetD32Async");

    /// <summary>Lets what follows here wait for what another stream has been given so far.</summary>
    public void WaitFor(CudaStream other)
    {
        _driver.Check(_driver.EventRecord(other._event, other._stream), "cuEventRecord");
        _driver.Check(_driver.StreamWaitEvent(_stream, other._event, 0), "cuStreamWaitEvent");
    }

    /// <summary>Waits until all is done. Errors of kernels come to light here.</summary>
    public void Synchronize() => _driver.Check(_driver.StreamSynchronize(_stream), "cuStreamSynchronize");

    public void Dispose()
    {
        if (_stream == 0)
            return;
        _context.Settle();
        _ = _driver.EventDestroy(_event);
        _ = _driver.StreamDestroy(_stream);
        _stream = _event = 0;
    }
}
