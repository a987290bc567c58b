using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// The order in which <see cref="RowTiles{S, V, F}"/> want the columns of the rows: contiguous, padded with zeros to whole steps of two
/// vectors, and for a bfloat16 weight the even columns of a step before the odd ones.
/// </summary>
internal static unsafe class Arrangement
{
    private const int WorthAChunk = 1 << 15;

    private static int StepColumns => 2 * (Vector512.IsHardwareAccelerated ? Simd512.Width : Vector256.IsHardwareAccelerated ? Simd256.Width : Simd128.Width);

    /// <summary>Whether windows are in order as they are.</summary>
    public static bool IsRight(in Windows x, CpuWeight weight) => !weight.IsBFloat16 && x.Taps == 1 && x.Columns % StepColumns == 0;

    /// <summary>Elements of an arranged row.</summary>
    public static int Width(CpuWeight weight) => (weight.Columns + StepColumns - 1) / StepColumns * StepColumns;

    /// <summary>Copies rows in order: [rows, Width].</summary>
    public static void Arrange(CpuThreads threads, in Windows x, int rows, CpuWeight weight, float* arranged)
    {
        int perChunk = Math.Max(1, WorthAChunk / weight.Columns);
        threads.Run(new Job(x, rows, perChunk, Width(weight), weight.IsBFloat16, arranged), (rows + perChunk - 1) / perChunk);
    }

    private readonly struct Job(Windows x, int rows, int perChunk, int width, bool evenFirst, float* arranged) : IChunkedJob
    {
        private readonly float* _arranged = arranged;

        public void Execute(int chunk)
        {
            for (int row = chunk * perChunk; row < Math.Min(rows, (chunk + 1) * perChunk); row++)
            {
                float* y = _arranged + (nint)row * width;
                new Span<float>(y + x.Columns, width - x.Columns).Clear();
                for (int tap = 0; tap < x.Taps; tap++)
                    new ReadOnlySpan<float>(x.Data + row * x.RowStride + tap * x.TapStride, x.Inputs).CopyTo(new Span<float>(y + tap * x.Inputs, x.Inputs));
                if (evenFirst)
                    for (int start = 0; start < width; start += StepColumns)
                        EvenFirst(y + start, StepColumns / 2);
            }
        }
    }

    private static void EvenFirst(float* x, int half)
    {
        float* odd = stackalloc float[16];
        for (int i = 0; i < half; i++)
        {
            x[i] = x[2 * i];
            odd[i] = x[2 * i + 1];
        }
        new ReadOnlySpan<float>(odd, half).CopyTo(new Span<float>(x + half, half));
    }
}
