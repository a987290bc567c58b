namespace HiggsAudio.Cuda.Memory;

/// <summary>Host memory that the GPU can copy from and to without the driver's help.</summary>
internal sealed unsafe class PinnedBlock : IDisposable
{
    private readonly CudaContext _context;
    private byte* _data;

    public PinnedBlock(CudaContext context, long bytes)
    {
        (_context, Bytes) = (context, bytes);
        context.Use();
        void* data = null;
        context.Driver.Check(context.Driver.MemHostAlloc(&data, (nuint)bytes, 0), "cuMemHostAlloc");
        _data = (byte*)data;
    }

    public byte* Data => _data;

    public long Bytes { get; }

    public void Dispose()
    {
        if (_data == null)
            return;
        _context.Settle();
        lock (_context.Gate)
            _ = _context.Driver.MemFreeHost(_data);
        _data = null;
    }
}
