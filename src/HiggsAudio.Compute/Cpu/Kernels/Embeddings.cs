using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Look-ups of rows.</summary>
internal static unsafe class Embeddings
{
    public static void Embed(CpuThreads threads, CpuWeight table, ReadOnlySpan<int> ids, Matrix y) => EmbedSum(threads, table, ids, 1, average: false, y);

    public static void EmbedSum(CpuThreads threads, CpuWeight table, ReadOnlySpan<int> ids, int perRow, bool average, Matrix y)
    {
        if (y.Rows == 0 || y.Columns == 0)
            return;
        fixed (int* all = ids)
        {
            int rows = RowsPerChunk(y);
            threads.Run(new SumJob(table.Data, table.IsBFloat16, all, perRow, average ? perRow : 1, y, rows), (y.Rows + rows - 1) / rows);
        }
    }

    public static void TakeRows(CpuThreads threads, Matrix x, ReadOnlySpan<int> rows, Matrix y)
    {
        if (y.Rows == 0)
            return;
        fixed (int* all = rows)
        {
            int perChunk = RowsPerChunk(y);
            threads.Run(new TakeJob(x, all, y, perChunk), (y.Rows + perChunk - 1) / perChunk);
        }
    }

    /// <summary>Converts some values of a table to floats.</summary>
    public static void Widen(void* table, bool bfloat16, nint first, float* y, int count)
    {
        if (!bfloat16)
            new ReadOnlySpan<float>((float*)table + first, count).CopyTo(new Span<float>(y, count));
        else if (Vector512.IsHardwareAccelerated)
            Accumulate<Simd512, Vector512<float>>(table, bfloat16, first, y, count, add: false, 1);
        else if (Vector256.IsHardwareAccelerated)
            Accumulate<Simd256, Vector256<float>>(table, bfloat16, first, y, count, add: false, 1);
        else if (Vector128.IsHardwareAccelerated)
            Accumulate<Simd128, Vector128<float>>(table, bfloat16, first, y, count, add: false, 1);
        else
            Accumulate<Simd32, float>(table, bfloat16, first, y, count, add: false, 1);
    }

    private static int RowsPerChunk(Matrix y) => (long)y.Rows * y.Columns < Elementwise.WorthSharing ? y.Rows : Math.Max(1, Elementwise.Chunk / y.Columns);

    private readonly struct TakeJob(Matrix x, int* rows, Matrix y, int perChunk) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            for (int r = chunk * perChunk, end = Math.Min(y.Rows, r + perChunk); r < end; r++)
                new ReadOnlySpan<float>(x.Row(rows[r]), y.Columns).CopyTo(new Span<float>(y.Row(r), y.Columns));
        }
    }

    private readonly struct SumJob(void* table, bool bfloat16, int* ids, int perRow, int divisor, Matrix y, int rows) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            for (int r = chunk * rows, end = Math.Min(y.Rows, r + rows); r < end; r++)
            {
                if (Vector512.IsHardwareAccelerated)
                    Row<Simd512, Vector512<float>>(r);
                else if (Vector256.IsHardwareAccelerated)
                    Row<Simd256, Vector256<float>>(r);
                else if (Vector128.IsHardwareAccelerated)
                    Row<Simd128, Vector128<float>>(r);
                else
                    Row<Simd32, float>(r);
            }
        }

        private void Row<TSimd, TVector>(int row) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
        {
            for (int i = 0; i < perRow; i++)
            {
                int id = ids[(nint)row * perRow + i];
                if (id < 0)
                    new Span<float>(y.Row(row), y.Columns).Clear();
                else
                    Accumulate<TSimd, TVector>(table, bfloat16, (nint)id * y.Columns, y.Row(row), y.Columns, i > 0, i == perRow - 1 ? divisor : 1);
            }
        }
    }

    // y = (table row [+ y]) / divisor
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate<TSimd, TVector>(void* table, bool bfloat16, nint first, float* y, int count, bool add, float divisor)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        float* floats = (float*)table + first;
        ushort* bits = (ushort*)table + first;
        TVector divisors = TSimd.Broadcast(divisor);
        int c = 0;
        for (; c <= count - TSimd.Width; c += TSimd.Width)
        {
            TVector value = bfloat16 ? TSimd.LoadBFloat16(bits + c) : TSimd.Load(floats + c);
            if (add)
                value = TSimd.Add(TSimd.Load(y + c), value);
            if (divisor != 1)
                value = TSimd.Divide(value, divisors);
            TSimd.Store(y + c, value);
        }
        for (; c < count; c++)
        {
            float value = bfloat16 ? BFloat16.ToSingle(bits[c]) : floats[c];
            y[c] = (add ? y[c] + value : value) / divisor;
        }
    }
}
