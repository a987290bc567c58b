using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Rotary position embedding (arXiv:2104.09864) of queries and keys in place; keys and values are then written to the cache.</summary>
internal static unsafe class Rotation
{
    // Elements below which a thread is not woken: what is appended lies on lines of its own, which come from memory one by one.
    private const int WorthAThread = 1024;

    public static void RotateAndAppend(CpuThreads threads, Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer)
    {
        int width = q.Columns + 2 * k.Columns, heads = k.Columns / rotary.HeadDim;
        int perChunk = (long)q.Rows * width < Elementwise.WorthSharing ? q.Rows : Math.Max(1, Elementwise.Chunk / width);
        // A few rows are shared by heads.
        int parts = perChunk < q.Rows ? 1 : (int)Math.Clamp((long)q.Rows * width / WorthAThread, 1, Math.Min(heads, threads.Count));
        int headsPerPart = (heads + parts - 1) / parts;
        threads.Run(new Job(q, k, v, rotary, rows, layer, perChunk, parts, headsPerPart), (q.Rows + perChunk - 1) / perChunk * parts);
    }

    // A chunk is some rows of some key-value heads, with their queries.
    private readonly struct Job(Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer, int perChunk, int parts, int headsPerPart) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            (int rowChunk, int part) = Math.DivRem(chunk, parts);
            int firstHead = part * headsPerPart, endHead = Math.Min(k.Columns / rotary.HeadDim, firstHead + headsPerPart);
            for (int r = rowChunk * perChunk, end = Math.Min(q.Rows, r + perChunk); r < end; r++)
                Row(r, firstHead, endHead);
        }

        private void Row(int row, int firstHead, int endHead)
        {
            var cache = (CpuKvCache)rows.Caches[row];
            int dim = rotary.HeadDim, group = q.Columns / k.Columns;
            fixed (float* cosines = rotary[rows.Positions[row]])
            {
                for (int head = firstHead * group; head < endHead * group; head++)
                    Rotate(q.Row(row) + head * dim, cosines, dim / 2, q.Row(row) + head * dim);
                for (int head = firstHead; head < endHead; head++)
                {
                    float* key = k.Row(row) + head * dim;
                    Rotate(key, cosines, dim / 2, key);
                    cache.Write(layer, head, rows.Slots[row], key, v.Row(row) + head * dim);
                }
            }
        }
    }

    private static void Rotate(float* x, float* cosines, int half, float* y)
    {
        if (Vector512.IsHardwareAccelerated)
            Rotate<Simd512, Vector512<float>>(x, cosines, half, y);
        else if (Vector256.IsHardwareAccelerated)
            Rotate<Simd256, Vector256<float>>(x, cosines, half, y);
        else if (Vector128.IsHardwareAccelerated)
            Rotate<Simd128, Vector128<float>>(x, cosines, half, y);
        else
            Rotate<Simd32, float>(x, cosines, half, y);
    }

    // Cosines, then sines; products are rounded before they are added, as the reference does.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rotate<TSimd, TVector>(float* x, float* cosines, int half, float* y) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        float* sines = cosines + half;
        int i = 0;
        for (; i <= half - TSimd.Width; i += TSimd.Width)
        {
            TVector a = TSimd.Load(x + i), b = TSimd.Load(x + half + i), cosine = TSimd.Load(cosines + i), sine = TSimd.Load(sines + i);
            TSimd.Store(y + i, TSimd.Subtract(TSimd.Multiply(a, cosine), TSimd.Multiply(b, sine)));
            TSimd.Store(y + half + i, TSimd.Add(TSimd.Multiply(b, cosine), TSimd.Multiply(a, sine)));
        }
        for (; i < half; i++)
            (y[i], y[half + i]) = (x[i] * cosines[i] - x[half + i] * sines[i], x[half + i] * cosines[i] + x[i] * sines[i]);
    }
}
