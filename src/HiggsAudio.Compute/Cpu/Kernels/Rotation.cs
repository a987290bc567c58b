using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Rotary position embedding (arXiv:2104.09864) of queries and keys in place; keys and values are then written to the cache.</summary>
internal static unsafe class Rotation
{
    public static void RotateAndAppend(CpuThreads threads, Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer)
    {
        int width = q.Columns + 2 * k.Columns;
        int perChunk = (long)q.Rows * width < Elementwise.WorthSharing ? q.Rows : Math.Max(1, Elementwise.Chunk / width);
        threads.Run(new Job(q, k, v, rotary, rows, layer, perChunk), (q.Rows + perChunk - 1) / perChunk);
    }

    private readonly struct Job(Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer, int perChunk) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            for (int r = chunk * perChunk, end = Math.Min(q.Rows, r + perChunk); r < end; r++)
                Row(r);
        }

        private void Row(int row)
        {
            var cache = (CpuKvCache)rows.Caches[row];
            int dim = rotary.HeadDim;
            fixed (float* cosines = rotary[rows.Positions[row]])
            {
                for (int c = 0; c < q.Columns; c += dim)
                    Rotate(q.Row(row) + c, cosines, dim / 2, q.Row(row) + c);
                for (int c = 0; c < k.Columns; c += dim)
                {
                    Rotate(k.Row(row) + c, cosines, dim / 2, k.Row(row) + c);
                    cache.Write(layer, c / dim, rows.Slots[row], k.Row(row) + c, v.Row(row) + c);
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
