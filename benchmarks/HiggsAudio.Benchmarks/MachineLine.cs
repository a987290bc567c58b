using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Benchmarks;

/// <summary>What a result was measured on.</summary>
internal static class MachineLine
{
    /// <summary>Writes processor, cores, threads, vectors and runtime in one line.</summary>
    /// <param name="threads">Threads that compute; 0 for one per core.</param>
    public static void Print(int threads)
    {
        string processor = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "?"
            : RuntimeInformation.ProcessArchitecture.ToString();
        string vectors = Vector512.IsHardwareAccelerated ? "512" : Vector256.IsHardwareAccelerated ? "256" : "128";
        Console.WriteLine($"machine: {processor}, {Environment.ProcessorCount} cores, {(threads == 0 ? Environment.ProcessorCount : threads)} threads, " +
            $"{vectors}-bit vectors{(AvxVnni.IsSupported ? ", AVX-VNNI" : "")}, {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}");
    }
}
