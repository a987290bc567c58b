using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Cpu;

/// <summary>Native memory: 64-byte aligned; large blocks ask for 2 MB pages where the system has them.</summary>
internal static unsafe partial class CpuMemory
{
    public const int Alignment = 64;

    private const int HugePage = 2 << 20;
    private const int AdviseHugePage = 14;

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

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* data, nuint bytes, int advice);
}
