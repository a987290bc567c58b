using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Benchmarks;

/// <summary>What the memory of this machine gives to plain reading: every thread reads a part of its own, in order, far more than caches hold.</summary>
internal sealed unsafe class TrueSizeProbe : IDisposable
{
    private const long Size = 1L << 30;

    private readonly byte* _data = (byte*)CpuMemory.Allocate(Size);

    public TrueSizeProbe() => new Span<byte>(_data, 1 << 30).Fill(1);

    /// <summary>Reads everything once.</summary>
    /// <returns>Bytes per second.</returns>
    public double Measure(int threads)
    {
        using var start = new Barrier(threads + 1);
        Thread[] readers = [.. Enumerable.Range(0, threads).Select(t => new Thread(() =>
        {
            start.SignalAndWait();
            Read(_data + Size / threads * t, Size / threads);
        }))];
        foreach (Thread reader in readers)
            reader.Start();
        start.SignalAndWait();
        long begin = Stopwatch.GetTimestamp();
        foreach (Thread reader in readers)
            reader.Join();
        return Size / Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    public void Dispose() => CpuMemory.Free(_data);

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static long Read(byte* data, long bytes)
    {
        Vector256<long> a = default, b = default, c = default, d = default;
        for (byte* end = data + (bytes & -128); data < end; data += 128)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(data + 4096);
                Sse.Prefetch0(data + 4096 + 64);
            }
            a += Vector256.Load((long*)data);
            b += Vector256.Load((long*)(data + 32));
            c += Vector256.Load((long*)(data + 64));
            d += Vector256.Load((long*)(data + 96));
        }
        return Vector256.Sum(a + b + c + d);
    }
}
