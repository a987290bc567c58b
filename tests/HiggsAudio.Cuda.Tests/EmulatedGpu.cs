using System.Diagnostics;
using System.Runtime.InteropServices;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>
/// A GPU that is not there: libraries with the functions of the CUDA driver and of NVRTC, built from Emulator/ by the system's C++ compiler, that run the package's
/// kernels on the CPU. Where there is no compiler, tests that need it are skipped.
/// </summary>
internal static unsafe class EmulatedGpu
{
    private static readonly Lazy<string?> Problem = new(Build);
    private static readonly Lazy<nint> Library = new(() => NativeLibrary.Load(DriverLibrary));

    /// <summary>Where the libraries are.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "emulated-gpu");

    public static string DriverLibrary => Path.Combine(Folder, "libcuda.so.1");

    public static string NvrtcLibrary => Path.Combine(Folder, "libnvrtc.so.12");

    /// <summary>Options that use it, with a kernel cache that lasts as long as the libraries.</summary>
    public static CudaOptions Options => new() { DriverLibrary = DriverLibrary, NvrtcLibrary = NvrtcLibrary, KernelCacheFolder = Path.Combine(Folder, "kernels") };

    /// <summary>Bytes of device memory in use.</summary>
    public static ulong MemoryInUse => ((delegate* unmanaged<ulong>)Export("emulator_memory_in_use"))();

    /// <summary>Bytes of pinned host memory in use.</summary>
    public static ulong PinnedInUse => ((delegate* unmanaged<ulong>)Export("emulator_pinned_in_use"))();

    /// <summary>Streams, events, graphs and modules that are alive.</summary>
    public static int Objects => ((delegate* unmanaged<int>)Export("emulator_objects"))();

    /// <summary>Primary contexts that are held.</summary>
    public static int Contexts => ((delegate* unmanaged<int>)Export("emulator_contexts"))();

    /// <summary>Kernels that were launched, those of graphs included.</summary>
    public static ulong Launches => ((delegate* unmanaged<ulong>)Export("emulator_launches"))();

    /// <summary>Graphs that were launched.</summary>
    public static ulong GraphLaunches => ((delegate* unmanaged<ulong>)Export("emulator_graph_launches"))();

    /// <summary>Why the last call failed.</summary>
    public static string? LastError => Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export("emulator_last_error"))());

    /// <summary>Builds it; skips the test where that is not possible.</summary>
    public static void Require()
    {
        if (Problem.Value is { } problem)
            Assert.Ignore(problem);
    }

    /// <summary>Gives it some memory.</summary>
    public static void SetMemoryLimit(ulong bytes) => ((delegate* unmanaged<ulong, void>)Export("emulator_set_memory_limit"))(bytes);

    /// <summary>Makes it another machine.</summary>
    public static void SetDevice(int devices, int multiprocessors, int major, int minor) =>
        ((delegate* unmanaged<int, int, int, int, void>)Export("emulator_set_device"))(devices, multiprocessors, major, minor);

    /// <summary>Lets a function fail from now on; 0 takes it back.</summary>
    public static void Fail(string function, int result, int skip = 0)
    {
        nint name = Marshal.StringToCoTaskMemUTF8(function);
        ((delegate* unmanaged<nint, int, int, void>)Export("emulator_fail_after"))(name, skip, result);
        Marshal.FreeCoTaskMem(name);
    }

    /// <summary>Forgets limits, failures and errors.</summary>
    public static void Reset() => ((delegate* unmanaged<void>)Export("emulator_reset"))();

    private static nint Export(string name) => NativeLibrary.GetExport(Library.Value, name);

    private static string? Build()
    {
        if (!OperatingSystem.IsLinux())
            return "The emulated GPU is for Linux.";
        string script = Path.Combine(AppContext.BaseDirectory, "Emulator", "build.sh");
        string? compiler = Environment.GetEnvironmentVariable("CXX") ?? Find("c++") ?? Find("g++") ?? Find("clang++");
        if (compiler is null)
            return "No C++ compiler (c++, g++, clang++) is installed: the emulated GPU cannot be built.";
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(script);
        start.ArgumentList.Add(Folder);
        start.Environment["CXX"] = compiler;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"The emulated GPU was not built: {output.Result}{errors.Result}");
        return null;
    }

    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
