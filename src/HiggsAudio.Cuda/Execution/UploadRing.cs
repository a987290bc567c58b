using HiggsAudio.Cuda.Memory;

namespace HiggsAudio.Cuda.Execution;

/// <summary>Pinned memory from which a lane's uploads are copied. It begins anew when the GPU has done everything, so equal passes use equal places.</summary>
internal sealed unsafe class UploadRing(CudaContext context) : IDisposable
{
    private const long Size = 4 << 20, Alignment = 64;

    private PinnedBlock? _block;
    private long _offset;

    /// <summary>Most bytes that <see cref="TryTake"/> gives at once.</summary>
    public static long Most => Size;

    /// <summary>Room for some bytes, until <see cref="Reset"/>; null if there is none now.</summary>
    public byte* TryTake(long bytes)
    {
        _block ??= new PinnedBlock(context, Size);
        if (_offset + bytes > Size)
            return null;
        byte* data = _block.Data + _offset;
        _offset += bytes + Alignment - 1 & -Alignment;
        return data;
    }

    /// <summary>Forgets what was taken: the GPU has copied all of it.</summary>
    public void Reset() => _offset = 0;

    public void Dispose() => _block?.Dispose();
}
