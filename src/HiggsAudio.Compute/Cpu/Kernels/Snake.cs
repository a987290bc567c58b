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
                Rows<Lanes512, Vector512<float>>(from, alpha, inverse, to);
            else if (Vector256.IsHardwareAccelerated)
                Rows<Lanes256, Vector256<float>>(from, alpha, inverse, to);
            else if (Vector128.IsHardwareAccelerated)
                Rows<Lanes128, Vector128<float>>(from, alpha, inverse, to);
            else
                Rows<SingleLane, float>(from, alpha, inverse, to);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Rows<TLanes, TVector>(Matrix x, float* alpha, float* inverse, Matrix y) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        int whole = x.Columns - x.Columns % TLanes.Count;
        uint rest = (uint)(x.Columns - whole) * sizeof(float);
        TVector lastAlpha = TLanes.Create(0), lastInverse = lastAlpha, last = lastAlpha;
        Unsafe.CopyBlockUnaligned(&lastAlpha, alpha + whole, rest);
        Unsafe.CopyBlockUnaligned(&lastInverse, inverse + whole, rest);
        for (int r = 0; r < x.Rows; r++)
        {
            float* from = x.Row(r), to = y.Row(r);
            for (int c = 0; c < whole; c += TLanes.Count)
                TLanes.Store(Apply<TLanes, TVector>(TLanes.Load(from + c), TLanes.Load(alpha + c), TLanes.Load(inverse + c)), to + c);
            if (rest == 0)
                continue;
            Unsafe.CopyBlockUnaligned(&last, from + whole, rest);
            TVector result = Apply<TLanes, TVector>(last, lastAlpha, lastInverse);
            Unsafe.CopyBlockUnaligned(to + whole, &result, rest);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Apply<TLanes, TVector>(TVector x, TVector alpha, TVector inverse) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        TVector angle = TLanes.Multiply(x, alpha);
        if (TLanes.AnyGreater(TLanes.Abs(angle), TLanes.Create(VectorMath.LargestReducedAngle)))
            return OneByOne<TLanes, TVector>(x, alpha, inverse);
        // What rounding took from the product, where a fused multiply-add tells.
        TVector correction = TLanes.MultiplyAdd(x, alpha, TLanes.Subtract(TLanes.Create(0), angle));
        return TLanes.MultiplyAdd(VectorMath.SineSquared<TLanes, TVector>(angle, correction), inverse, x);
    }

    // Angles that are too large for a reduction in floats.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TVector OneByOne<TLanes, TVector>(TVector x, TVector alpha, TVector inverse) where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        float* values = (float*)&x, alphas = (float*)&alpha, inverses = (float*)&inverse;
        for (int i = 0; i < TLanes.Count; i++)
        {
            double sine = Math.Sin((double)values[i] * alphas[i]);
            values[i] += (float)(sine * sine * inverses[i]);
        }
        return x;
    }
}
