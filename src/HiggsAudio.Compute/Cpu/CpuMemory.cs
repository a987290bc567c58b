using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Cpu;

/// <summary>Native memory: 64-byte aligned; large blocks ask for 2 MB pages where the system has them.</summary>
internal static unsafe partial class CpuMemory
{
    public const int Alignment = 64;

    private const int HugePage = 2 << 20;
    private const int AdviseNeeded = 3, AdviseNotNeeded = 4, AdviseHugePage = 14;

    /// <summary>Allocates memory with undefined contents.</summary>
    /// <exception cref="OutOfMemoryException">There is not that much.</exception>
    public static void* Allocate(long bytes)
    {
        if (bytes < 2 * HugePage)
            return NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), Alignment);
        void* data = NativeMemory.AlignedAlloc((nuint)bytes, HugePage);
        if (OperatingSystem.IsLinux())
            _ = Advise(data, (nuint)(bytes & -4096), AdviseHugePage);   // a kernel without huge pages refuses it, and nothing is lost
        return data;
    }

    public static void Free(void* data) => NativeMemory.AlignedFree(data);

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

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* data, nuint bytes, int advice);
}
