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

    /// <summary>Reads everything, in two ways, and takes the faster one: which it is depends on the processor.</summary>
    /// <returns>Bytes per second.</returns>
    public double Measure(int threads) => Math.Max(Measure(threads, ahead: 0), Measure(threads, ahead: 4096));

    private double Measure(int threads, int ahead)
    {
        using var start = new Barrier(threads + 1);
        Thread[] readers = [.. Enumerable.Range(0, threads).Select(t => new Thread(() =>
        {
            start.SignalAndWait();
            Read(_data + Size / threads * t, Size / threads, ahead);
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
    private static long Read(byte* data, long bytes, int ahead)
    {
        Vector512<long> a = default, b = default, c = default, d = default;
        for (byte* end = data + (bytes & -256); data < end; data += 256)
        {
            if (Sse.IsSupported && ahead > 0)
                for (int line = ahead; line < ahead + 256; line += 64)
                    Sse.Prefetch0(data + line);
            a += Vector512.Load((long*)data);
            b += Vector512.Load((long*)(data + 64));
            c += Vector512.Load((long*)(data + 128));
            d += Vector512.Load((long*)(data + 192));
        }
        return Vector512.Sum(a + b + c + d);
    }
}
