using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>The nearest entry of a table: the largest −(|x|² − 2x·e + |e|²), the first of equals. Rows lie in lanes, entries are broadcast.</summary>
internal static unsafe class NearestRow
{
    private const int LargestTile = 32, TileElements = 8192;

    public static void Find(CpuThreads threads, Matrix x, CpuWeight table, Span<int> indices)
    {
        if (table.Rows == 0)
        {
            indices.Clear();
            return;
        }
        fixed (int* found = indices)
        {
            if (Vector512.IsHardwareAccelerated)
                Run<Simd512, Vector512<float>>(threads, x, table, found);
            else if (Vector256.IsHardwareAccelerated)
                Run<Simd256, Vector256<float>>(threads, x, table, found);
            else if (Vector128.IsHardwareAccelerated)
                Run<Simd128, Vector128<float>>(threads, x, table, found);
            else
                Run<Simd32, float>(threads, x, table, found);
        }
    }

    private static void Run<TSimd, TVector>(CpuThreads threads, Matrix x, CpuWeight table, int* found) where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        int width = x.Rows > TSimd.Width ? 2 * TSimd.Width : TSimd.Width;
        int chunks = (x.Rows + width - 1) / width;
        threads.Run(new Job<TSimd, TVector>(x, table.Data, table.IsBFloat16, table.Rows, width, found), chunks);
    }

    private readonly struct Job<TSimd, TVector>(Matrix x, void* table, bool bfloat16, int entries, int width, int* found) : IChunkedJob
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        [SkipLocalsInit]
        public void Execute(int chunk)
        {
            int first = chunk * width, count = Math.Min(width, x.Rows - first), dim = x.Columns;
            int tile = Math.Clamp(TileElements / Math.Max(1, dim), 1, LargestTile);
            long buffered = bfloat16 ? (long)tile * dim : 0;
            var memory = new WorkMemory((long)dim * width + (tile + 4) * width + buffered);
            byte* stack = stackalloc byte[memory.StackBytes];
            float* lanes = memory.Open(stack);                  // [dim, width]
            float* products = lanes + (nint)dim * width;        // [tile, width]
            float* norms = products + tile * width;             // [width], then best scores and their entries
            float* widened = norms + 4 * width;                 // [tile, dim]

            Transpose(first, count, lanes, norms);
            for (int entry = 0; entry < entries; entry += tile)
            {
                int now = Math.Min(tile, entries - entry);
                float* rows = (float*)table + (nint)entry * dim;
                if (bfloat16)
                    Embeddings.Widen(table, bfloat16, (nint)entry * dim, rows = widened, now * dim);
                LaneProducts.Compute<TSimd, TVector>(lanes, width, rows, dim, now, dim, 1, products, rows, rows);
                for (int i = 0; i < now; i++)
                    Compare(entry + i, SquaredNorm(rows + (nint)i * dim, dim), products + i * width, norms);
            }
            for (int i = 0; i < count; i++)
                found[first + i] = (int)norms[2 * width + i];
            memory.Close(lanes);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Transpose(int first, int count, float* lanes, float* norms)
        {
            new Span<float>(lanes, x.Columns * width).Clear();
            new Span<float>(norms, width).Clear();
            new Span<float>(norms + width, width).Fill(float.NegativeInfinity);
            new Span<float>(norms + 2 * width, width).Clear();
            for (int i = 0; i < count; i++)
            {
                float* row = x.Row(first + i);
                for (int d = 0; d < x.Columns; d++)
                    lanes[(nint)d * width + i] = row[d];
                norms[i] = SquaredNorm(row, x.Columns);
            }
        }

        // score = −(norm − 2 product + square), each operation rounded, as the reference has it.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Compare(int entry, float square, float* products, float* norms)
        {
            for (int i = 0; i < width; i += TSimd.Width)
            {
                TVector product = TSimd.Load(products + i), distance = TSimd.Subtract(TSimd.Load(norms + i), TSimd.Add(product, product));
                TVector score = TSimd.Subtract(TSimd.Broadcast(0), TSimd.Add(distance, TSimd.Broadcast(square))), best = TSimd.Load(norms + width + i);
                TSimd.Store(norms + 2 * width + i, TSimd.WhereGreater(score, best, TSimd.Broadcast(entry), TSimd.Load(norms + 2 * width + i)));
                TSimd.Store(norms + width + i, TSimd.WhereGreater(score, best, score, best));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float SquaredNorm(float* row, int dim)
        {
            TVector sum = TSimd.Broadcast(0);
            int d = 0;
            for (; d <= dim - TSimd.Width; d += TSimd.Width)
                sum = TSimd.MultiplyAdd(TSimd.Load(row + d), TSimd.Load(row + d), sum);
            float total = TSimd.Sum(sum);
            for (; d < dim; d++)
                total += row[d] * row[d];
            return total;
        }
    }
}
