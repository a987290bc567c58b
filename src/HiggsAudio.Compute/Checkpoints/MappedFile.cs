using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>A whole file mapped into memory for reading. The bytes are valid until it is disposed; the file must not shrink meanwhile.</summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    private MappedFile(string path, long length, MemoryMappedFile file)
    {
        (Path, Length, _file) = (path, length, file);
        _view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        Address = _view.SafeMemoryMappedViewHandle.DangerousGetHandle() + (nint)_view.PointerOffset;
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>Address of the first byte.</summary>
    public nint Address { get; }

    /// <summary>What keeps the bytes mapped.</summary>
    public SafeHandle Handle => _view.SafeMemoryMappedViewHandle;

    /// <summary>Maps a file that is not empty.</summary>
    /// <exception cref="CheckpointException">It cannot be opened or is empty.</exception>
    public static MappedFile Open(string path)
    {
        try
        {
            if (Directory.Exists(path))
                throw new CheckpointException(path, null, "is a folder, a file was expected");
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            long length = stream.Length;
            if (length == 0)
                throw new CheckpointException(path, null, "is empty");
            MemoryMappedFile file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            try
            {
                return new MappedFile(path, length, file);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is not CheckpointException && CheckpointException.IsAccessError(e))
        {
            throw CheckpointException.CannotOpen(path, e);
        }
    }

    /// <summary>Some of its bytes.</summary>
    public ReadOnlySpan<byte> Bytes(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - start);
        ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
        return new ReadOnlySpan<byte>((byte*)Address + start, length);
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
