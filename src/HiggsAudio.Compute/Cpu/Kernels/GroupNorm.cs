using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Normalisation of groups of columns over all rows (arXiv:1803.08494). The rows are cut into sections that depend on the matrix alone;
/// each section's columns give a mean and a sum of squared distances from it (twice over the section while it is in the cache), and those
/// are joined in double precision, in the order of the sections.
/// </summary>
internal static unsafe class GroupNorm
{
    private const int SectionElements = 65_536;
    private const int SectionRows = 512;        // so few that sums of floats are exact enough
    private const int SliceColumns = 1024;

    public static void Run(CpuThreads threads, CpuArena scratch, Matrix x, int groups, float* gain, float* bias, float epsilon, Matrix y)
    {
        if (x.Columns == 0)
            return;
        int columns = x.Columns, slices = (columns + SliceColumns - 1) / SliceColumns;
        int rows = Math.Clamp(SectionElements / Math.Min(columns, SliceColumns), 1, SectionRows), sections = (x.Rows + rows - 1) / rows;
        long mark = scratch.Mark;
        var means = (double*)scratch.Allocate(2L * sections * columns);      // [sections, columns]
        var squares = (double*)scratch.Allocate(2L * sections * columns);    // [sections, columns]
        float* mean = scratch.Allocate(3L * columns);

        bool alone = (long)x.Rows * columns < Elementwise.WorthSharing;
        Share(threads, new StatisticsJob(x, rows, slices, means, squares), sections * slices, alone);
        Share(threads, new JoinJob(x, groups, rows, sections, means, squares, gain, epsilon, mean), groups, alone);
        Share(threads, new NormalizeJob(x, rows, mean, bias, y), sections, alone);
        scratch.Release(mark);
    }

    private static void Share<TJob>(CpuThreads threads, in TJob job, int chunks, bool alone) where TJob : struct, IChunkedJob
    {
        if (!alone)
            threads.Run(job, chunks);
        for (int chunk = 0; alone && chunk < chunks; chunk++)
            job.Execute(chunk);
    }

    // Means and sums of squared distances of a section's columns, a slice of columns at a time.
    private readonly struct StatisticsJob(Matrix x, int rows, int slices, double* means, double* squares) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            (int section, int slice) = Math.DivRem(chunk, slices);
            int first = section * rows, column = slice * SliceColumns;
            Matrix part = x[first..Math.Min(x.Rows, first + rows)].Slice(column, Math.Min(SliceColumns, x.Columns - column));
            nint at = (nint)section * x.Columns + column;
            if (Vector512.IsHardwareAccelerated)
                Measure<Simd512, Vector512<float>>(part, means + at, squares + at);
            else if (Vector256.IsHardwareAccelerated)
                Measure<Simd256, Vector256<float>>(part, means + at, squares + at);
            else if (Vector128.IsHardwareAccelerated)
                Measure<Simd128, Vector128<float>>(part, means + at, squares + at);
            else
                Measure<Simd32, float>(part, means + at, squares + at);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Measure<TSimd, TVector>(Matrix x, double* means, double* squares) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        int columns = x.Columns;
        float* buffer = stackalloc float[3 * SliceColumns];
        float* rough = buffer, rest = buffer + SliceColumns, square = buffer + 2 * SliceColumns;
        new Span<float>(buffer, 3 * SliceColumns).Clear();
        for (int r = 0; r < x.Rows; r++)
        {
            float* row = x.Row(r);
            int c = 0;
            for (; c <= columns - TSimd.Width; c += TSimd.Width)
                TSimd.Store(rough + c, TSimd.Add(TSimd.Load(rough + c), TSimd.Load(row + c)));
            for (; c < columns; c++)
                rough[c] += row[c];
        }
        for (int c = 0; c < columns; c++)
            rough[c] /= x.Rows;
        for (int r = 0; r < x.Rows; r++)
        {
            float* row = x.Row(r);
            int c = 0;
            for (; c <= columns - TSimd.Width; c += TSimd.Width)
            {
                TVector distance = TSimd.Subtract(TSimd.Load(row + c), TSimd.Load(rough + c));
                TSimd.Store(rest + c, TSimd.Add(TSimd.Load(rest + c), distance));
                TSimd.Store(square + c, TSimd.MultiplyAdd(distance, distance, TSimd.Load(square + c)));
            }
            for (; c < columns; c++)
            {
                rest[c] += row[c] - rough[c];
                square[c] += (row[c] - rough[c]) * (row[c] - rough[c]);
            }
        }
        for (int c = 0; c < columns; c++)
        {
            means[c] = rough[c] + (double)rest[c] / x.Rows;
            squares[c] = square[c] - (double)rest[c] * rest[c] / x.Rows;
        }
    }

    // The mean (in two parts) and the factor of a group's columns.
    private readonly struct JoinJob(Matrix x, int groups, int rows, int sections, double* means, double* squares, float* gain, float epsilon, float* mean)
        : IChunkedJob
    {
        public void Execute(int chunk)
        {
            int size = x.Columns / groups, first = chunk * size;
            double count = (double)x.Rows * size, sum = 0, total = 0;
            for (int s = 0; s < sections; s++)
                for (int c = first; c < first + size; c++)
                    sum += means[(nint)s * x.Columns + c] * RowsOf(s);
            double middle = sum / count;
            for (int s = 0; s < sections; s++)
                for (int c = first; c < first + size; c++)
                {
                    double distance = means[(nint)s * x.Columns + c] - middle;
                    total += squares[(nint)s * x.Columns + c] + distance * distance * RowsOf(s);
                }
            double scale = 1 / Math.Sqrt(Math.Max(0, total / count) + epsilon);
            for (int c = first; c < first + size; c++)
            {
                mean[c] = (float)middle;
                mean[x.Columns + c] = (float)(middle - mean[c]);
                mean[2 * x.Columns + c] = (float)(scale * gain[c]);
            }
        }

        private int RowsOf(int section) => Math.Min(rows, x.Rows - section * rows);
    }

    private readonly struct NormalizeJob(Matrix x, int rows, float* mean, float* bias, Matrix y) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            Range section = (chunk * rows)..Math.Min(x.Rows, (chunk + 1) * rows);
            if (Vector512.IsHardwareAccelerated)
                Normalize<Simd512, Vector512<float>>(x[section], mean, bias, y[section]);
            else if (Vector256.IsHardwareAccelerated)
                Normalize<Simd256, Vector256<float>>(x[section], mean, bias, y[section]);
            else if (Vector128.IsHardwareAccelerated)
                Normalize<Simd128, Vector128<float>>(x[section], mean, bias, y[section]);
            else
                Normalize<Simd32, float>(x[section], mean, bias, y[section]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalize<TSimd, TVector>(Matrix x, float* mean, float* bias, Matrix y) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        float* rest = mean + x.Columns, scale = rest + x.Columns;
        for (int r = 0; r < x.Rows; r++)
        {
            float* from = x.Row(r), to = y.Row(r);
            int c = 0;
            for (; c <= x.Columns - TSimd.Width; c += TSimd.Width)
            {
                TVector distance = TSimd.Subtract(TSimd.Subtract(TSimd.Load(from + c), TSimd.Load(mean + c)), TSimd.Load(rest + c));
                TSimd.Store(to + c, TSimd.MultiplyAdd(distance, TSimd.Load(scale + c), TSimd.Load(bias + c)));
            }
            for (; c < x.Columns; c++)
                to[c] = float.MultiplyAddEstimate(from[c] - mean[c] - rest[c], scale[c], bias[c]);
        }
    }
}
