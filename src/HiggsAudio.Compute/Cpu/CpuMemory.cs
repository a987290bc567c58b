using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// Native memory: 64-byte aligned; large blocks ask for 2 MB pages where the system has them. On Linux all but small blocks are mappings of their own,
/// which go back to the system when they are freed: the C library's heaps, of which every thread has one, keep what they have once grown to, and callers
/// that come and go on many threads would hold many times what they use.
/// </summary>
internal static unsafe partial class CpuMemory
{
    public const int Alignment = 64;

    private const int HugePage = 2 << 20;
    private const long OwnMapping = 128 << 10;
    private const int ReadWrite = 3, PrivateAnonymous = 0x22;
    private const int AdviseNeeded = 3, AdviseNotNeeded = 4, AdviseHugePage = 14, AdvisePopulateRead = 22;

    private static readonly ConcurrentDictionary<nint, nint> Mappings = new();   // address, bytes

    /// <summary>Allocates memory with undefined contents.</summary>
    /// <exception cref="OutOfMemoryException">There is not that much.</exception>
    public static void* Allocate(long bytes)
    {
        bool large = bytes >= 2 * HugePage;
        void* data = OperatingSystem.IsLinux() && Environment.Is64BitProcess && bytes >= OwnMapping
            ? Map(bytes, large ? HugePage : Environment.SystemPageSize)
            : NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), (nuint)(large ? HugePage : Alignment));
        if (large && OperatingSystem.IsLinux())
            _ = Advise(data, (nuint)(bytes & -4096), AdviseHugePage);   // a kernel without huge pages refuses it, and nothing is lost
        return data;
    }

    public static void Free(void* data)
    {
        if (Mappings.TryRemove((nint)data, out nint bytes))
            _ = Unmap((nint)data, (nuint)bytes);
        else
            NativeMemory.AlignedFree(data);
    }

    private static void* Map(long bytes, nint alignment)
    {
        nint page = Environment.SystemPageSize, size = checked((nint)bytes + page - 1) & -page, all = checked(size + alignment - page);
        nint mapped = Map(0, (nuint)all, ReadWrite, PrivateAnonymous, -1, 0);
        if (mapped == -1)
            return NativeMemory.AlignedAlloc((nuint)bytes, (nuint)alignment);   // which says what is wrong
        // What lies before and after the aligned block is given back.
        nint data = mapped + alignment - 1 & -alignment, before = data - mapped, after = all - before - size;
        if (before > 0)
            _ = Unmap(mapped, (nuint)before);
        if (after > 0)
            _ = Unmap(data + size, (nuint)after);
        Mappings[data] = size;
        return (void*)data;
    }

    /// <summary>
    /// Gives the whole pages among some bytes of a mapped file back to the system, which has them in the file. They may be read again, and come
    /// back then. Does nothing where the system does not offer it.
    /// </summary>
    public static void Forget(void* mapped, long bytes)
    {
        nint page = Environment.SystemPageSize, start = (nint)mapped + page - 1 & -page, end = (nint)mapped + (nint)bytes & -page;
        if (OperatingSystem.IsLinux() && end > start)
            _ = Advise((void*)start, (nuint)(end - start), AdviseNotNeeded);
    }

    /// <summary>Says that some bytes of a mapped file are wanted soon, so that the system reads them in long pieces. As <see cref="Forget"/>.</summary>
    public static void Expect(void* mapped, long bytes)
    {
        nint page = Environment.SystemPageSize, start = (nint)mapped & -page, end = (nint)mapped + (nint)bytes;
        if (OperatingSystem.IsLinux() && end > start)
            _ = Advise((void*)start, (nuint)(end - start), AdviseNeeded);
    }

    /// <summary>
    /// Brings the pages of some bytes of a mapped file into memory and returns when they are there, so that reading them does not stop at every page.
    /// Does nothing where the system does not offer it (Linux before 5.14).
    /// </summary>
    public static void Populate(void* mapped, long bytes)
    {
        nint page = Environment.SystemPageSize, start = (nint)mapped & -page, end = (nint)mapped + (nint)bytes;
        if (OperatingSystem.IsLinux() && end > start)
            _ = Advise((void*)start, (nuint)(end - start), AdvisePopulateRead);
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint bytes, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint bytes);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* data, nuint bytes, int advice);
}
