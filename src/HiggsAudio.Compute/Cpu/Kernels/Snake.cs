using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>x + sin²(alpha · x) / (alpha + 1e-9), alpha per column (arXiv:2006.08195).</summary>
internal static unsafe class Snake
{
    private const int SliceColumns = 2048;

    /// <summary>Applies it to all rows; y may be x.</summary>
    public static void Run(CpuThreads threads, Matrix x, float* alpha, Matrix y)
    {
        float* inverse = stackalloc float[Math.Min(SliceColumns, x.Columns)];
        for (int c = 0; c < x.Columns; c += SliceColumns)
        {
            int columns = Math.Min(SliceColumns, x.Columns - c);
            for (int i = 0; i < columns; i++)
                inverse[i] = 1 / (alpha[c + i] + 1e-9f);
            int rowsPerChunk = (long)x.Rows * columns < Elementwise.WorthSharing ? x.Rows : Math.Max(1, Elementwise.Chunk / columns);
            var job = new Job(x.Slice(c, columns), alpha + c, inverse, y.Slice(c, columns), rowsPerChunk);
            threads.Run(job, (x.Rows + rowsPerChunk - 1) / rowsPerChunk);
        }
    }

    private readonly struct Job(Matrix x, float* alpha, float* inverse, Matrix y, int rowsPerChunk) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            int first = chunk * rowsPerChunk, rows = Math.Min(rowsPerChunk, x.Rows - first);
            Matrix from = x[first..(first + rows)], to = y[first..(first + rows)];
            if (Vector512.IsHardwareAccelerated)
                Rows<Simd512, Vector512<float>>(from, alpha, inverse, to);
            else if (Vector256.IsHardwareAccelerated)
                Rows<Simd256, Vector256<float>>(from, alpha, inverse, to);
            else if (Vector128.IsHardwareAccelerated)
                Rows<Simd128, Vector128<float>>(from, alpha, inverse, to);
            else
                Rows<Simd32, float>(from, alpha, inverse, to);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Rows<TSimd, TVector>(Matrix x, float* alpha, float* inverse, Matrix y) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        int whole = x.Columns - x.Columns % TSimd.Width;
        uint rest = (uint)(x.Columns - whole) * sizeof(float);
        TVector lastAlpha = TSimd.Broadcast(0), lastInverse = lastAlpha, last = lastAlpha;
        Unsafe.CopyBlockUnaligned(&lastAlpha, alpha + whole, rest);
        Unsafe.CopyBlockUnaligned(&lastInverse, inverse + whole, rest);
        for (int r = 0; r < x.Rows; r++)
        {
            float* from = x.Row(r), to = y.Row(r);
            for (int c = 0; c < whole; c += TSimd.Width)
                TSimd.Store(to + c, Apply<TSimd, TVector>(TSimd.Load(from + c), TSimd.Load(alpha + c), TSimd.Load(inverse + c)));
            if (rest == 0)
                continue;
            Unsafe.CopyBlockUnaligned(&last, from + whole, rest);
            TVector result = Apply<TSimd, TVector>(last, lastAlpha, lastInverse);
            Unsafe.CopyBlockUnaligned(to + whole, &result, rest);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Apply<TSimd, TVector>(TVector x, TVector alpha, TVector inverse) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        TVector angle = TSimd.Multiply(x, alpha);
        if (TSimd.AnyGreater(TSimd.Abs(angle), TSimd.Broadcast(VectorMath.LargestReducedAngle)))
            return OneByOne<TSimd, TVector>(x, alpha, inverse);
        // What rounding took from the product, where a fused multiply-add tells.
        TVector correction = TSimd.MultiplyAdd(x, alpha, TSimd.Subtract(TSimd.Broadcast(0), angle));
        return TSimd.MultiplyAdd(VectorMath.SineSquared<TSimd, TVector>(angle, correction), inverse, x);
    }

    // Angles that are too large for a reduction in floats.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TVector OneByOne<TSimd, TVector>(TVector x, TVector alpha, TVector inverse) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        float* values = (float*)&x, alphas = (float*)&alpha, inverses = (float*)&inverse;
        for (int i = 0; i < TSimd.Width; i++)
        {
            double sine = Math.Sin((double)values[i] * alphas[i]);
            values[i] += (float)(sine * sine * inverses[i]);
        }
        return x;
    }
}
