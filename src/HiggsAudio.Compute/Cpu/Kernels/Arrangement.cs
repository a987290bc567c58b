using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// The order in which <see cref="RowTiles{S, V, F}"/> want the columns of the rows: contiguous, padded with zeros to whole steps of two
/// vectors, and for a bfloat16 weight the even columns of a step before the odd ones. Rows whose distance is a large power of two would
/// evict each other from the nearest cache, so they are copied too.
/// </summary>
internal static unsafe class Arrangement
{
    private const int WorthAChunk = 1 << 15, ManyOutputs = 256;

    private static int StepColumns => 2 * (Vector512.IsHardwareAccelerated ? Simd512.Width : Vector256.IsHardwareAccelerated ? Simd256.Width : Simd128.Width);

    /// <summary>Whether windows are in order as they are, or near enough for the few times that they are read.</summary>
    public static bool IsRight(in Windows x, int rows, CpuWeight weight) => weight.Layout == WeightLayout.Panels
        ? x.Taps > 1 || rows < 12 || weight.Rows < ManyOutputs || !Collides(x.RowStride)
        : !weight.IsBFloat16 && x.Taps == 1 && x.Columns % StepColumns == 0 && (weight.Rows < ManyOutputs || !Collides(x.RowStride));

    // Whether rows at this distance (in elements) fall into the same few places of a cache.
    private static bool Collides(nint rowStride) => rowStride % 512 == 0;

    /// <summary>Elements from one arranged row to the next.</summary>
    public static int Stride(CpuWeight weight) => Width(weight) is var width && Collides(width) ? width + 16 : width;

    private static int Width(CpuWeight weight) => (weight.Columns + StepColumns - 1) / StepColumns * StepColumns;

    /// <summary>Copies rows in order.</summary>
    public static void Arrange(CpuThreads threads, in Windows x, int rows, CpuWeight weight, float* arranged)
    {
        int perChunk = Math.Max(1, WorthAChunk / weight.Columns);
        threads.Run(new Job(x, rows, perChunk, Width(weight), Stride(weight), weight is { IsBFloat16: true, Layout: WeightLayout.Rows }, arranged), (rows + perChunk - 1) / perChunk);
    }

    private readonly struct Job(Windows x, int rows, int perChunk, int width, int stride, bool evenFirst, float* arranged) : IChunkedJob
    {
        private readonly float* _arranged = arranged;

        public void Execute(int chunk)
        {
            for (int row = chunk * perChunk; row < Math.Min(rows, (chunk + 1) * perChunk); row++)
            {
                float* y = _arranged + (nint)row * stride;
                new Span<float>(y + x.Columns, width - x.Columns).Clear();
                for (int tap = 0; tap < x.Taps; tap++)
                    new ReadOnlySpan<float>(x.Data + row * x.RowStride + tap * x.TapStride, x.Inputs).CopyTo(new Span<float>(y + tap * x.Inputs, x.Inputs));
                if (evenFirst && Vector512.IsHardwareAccelerated)
                    EvenFirst<Simd512, Vector512<float>>(y, width);
                else if (evenFirst && Vector256.IsHardwareAccelerated)
                    EvenFirst<Simd256, Vector256<float>>(y, width);
                else if (evenFirst)
                    EvenFirst<Simd128, Vector128<float>>(y, width);
            }
        }
    }

    private static void EvenFirst<S, V>(float* x, int width) where S : struct, ISimd<V> where V : struct
    {
        for (float* end = x + width; x < end; x += 2 * S.Width)
            S.EvenFirst(x);
    }
}
