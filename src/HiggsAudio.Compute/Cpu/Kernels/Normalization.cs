using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Normalisations of rows: RMS norm (arXiv:1910.07467) and layer norm (arXiv:1607.06450).</summary>
internal static unsafe class Normalization
{
    public static void RmsNorm(CpuThreads threads, Matrix x, float* gain, float epsilon, Matrix y) => Run(threads, x, gain, null, epsilon, y);

    public static void LayerNorm(CpuThreads threads, Matrix x, float* gain, float* bias, float epsilon, Matrix y) => Run(threads, x, gain, bias, epsilon, y);

    private static void Run(CpuThreads threads, Matrix x, float* gain, float* bias, float epsilon, Matrix y)
    {
        if (x.Columns == 0)
            return;
        int rowsPerChunk = (long)x.Rows * x.Columns < Elementwise.WorthSharing ? x.Rows : Math.Max(1, Elementwise.Chunk / x.Columns);
        threads.Run(new Job(x, gain, bias, epsilon, y, rowsPerChunk), (x.Rows + rowsPerChunk - 1) / rowsPerChunk);
    }

    // Without a bias it is RMS norm.
    private readonly struct Job(Matrix x, float* gain, float* bias, float epsilon, Matrix y, int rowsPerChunk) : IChunkedJob
    {
        public void Execute(int chunk)
        {
            int first = chunk * rowsPerChunk, end = Math.Min(x.Rows, first + rowsPerChunk);
            if (Vector512.IsHardwareAccelerated)
                Rows<Simd512, Vector512<float>>(first, end);
            else if (Vector256.IsHardwareAccelerated)
                Rows<Simd256, Vector256<float>>(first, end);
            else if (Vector128.IsHardwareAccelerated)
                Rows<Simd128, Vector128<float>>(first, end);
            else
                Rows<Simd32, float>(first, end);
        }

        private void Rows<TSimd, TVector>(int first, int end) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
        {
            for (int r = first; r < end; r++)
            {
                if (bias == null)
                    RmsNormRow<TSimd, TVector>(x.Row(r), gain, epsilon, y.Row(r), x.Columns);
                else
                    LayerNormRow<TSimd, TVector>(x.Row(r), gain, bias, epsilon, y.Row(r), x.Columns);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RmsNormRow<TSimd, TVector>(float* x, float* gain, float epsilon, float* y, int count)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        float scale = Scale(SquaredDistances<TSimd, TVector>(x, 0, count), count, epsilon);
        TVector scales = TSimd.Broadcast(scale);
        int c = 0;
        for (; c <= count - TSimd.Width; c += TSimd.Width)
            TSimd.Store(y + c, TSimd.Multiply(TSimd.Multiply(TSimd.Load(x + c), scales), TSimd.Load(gain + c)));
        for (; c < count; c++)
            y[c] = x[c] * scale * gain[c];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LayerNormRow<TSimd, TVector>(float* x, float* gain, float* bias, float epsilon, float* y, int count)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        // The first element as a rough mean, and a mean in two parts, keep rows exact that are far from 0.
        double exactMean = x[0] + SummedDistances<TSimd, TVector>(x, x[0], count) / count;
        float mean = (float)exactMean, rest = (float)(exactMean - mean);
        float scale = Scale(SquaredDistances<TSimd, TVector>(x, mean, count) - (double)rest * rest * count, count, epsilon);
        TVector scales = TSimd.Broadcast(scale), means = TSimd.Broadcast(mean), rests = TSimd.Broadcast(rest);
        int c = 0;
        for (; c <= count - TSimd.Width; c += TSimd.Width)
        {
            TVector normalized = TSimd.Multiply(TSimd.Subtract(TSimd.Subtract(TSimd.Load(x + c), means), rests), scales);
            TSimd.Store(y + c, TSimd.MultiplyAdd(normalized, TSimd.Load(gain + c), TSimd.Load(bias + c)));
        }
        for (; c < count; c++)
            y[c] = float.MultiplyAddEstimate((x[c] - mean - rest) * scale, gain[c], bias[c]);
    }

    private static float Scale(double squares, int count, float epsilon) => (float)(1 / Math.Sqrt(Math.Max(0, squares / count) + epsilon));

    // Σ (x − origin), in four vectors of partial sums.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double SummedDistances<TSimd, TVector>(float* x, float origin, int count) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        TVector o = TSimd.Broadcast(origin), s0 = TSimd.Broadcast(0), s1 = s0, s2 = s0, s3 = s0;
        int c = 0, n = TSimd.Width;
        for (; c <= count - 4 * n; c += 4 * n)
        {
            s0 = TSimd.Add(s0, TSimd.Subtract(TSimd.Load(x + c), o));
            s1 = TSimd.Add(s1, TSimd.Subtract(TSimd.Load(x + c + n), o));
            s2 = TSimd.Add(s2, TSimd.Subtract(TSimd.Load(x + c + 2 * n), o));
            s3 = TSimd.Add(s3, TSimd.Subtract(TSimd.Load(x + c + 3 * n), o));
        }
        for (; c <= count - n; c += n)
            s0 = TSimd.Add(s0, TSimd.Subtract(TSimd.Load(x + c), o));
        double sum = TSimd.Sum(TSimd.Add(TSimd.Add(s0, s1), TSimd.Add(s2, s3)));
        for (; c < count; c++)
            sum += x[c] - origin;
        return sum;
    }

    // Σ (x − origin)², in four vectors of partial sums.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double SquaredDistances<TSimd, TVector>(float* x, float origin, int count) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        TVector o = TSimd.Broadcast(origin), s0 = TSimd.Broadcast(0), s1 = s0, s2 = s0, s3 = s0;
        int c = 0, n = TSimd.Width;
        for (; c <= count - 4 * n; c += 4 * n)
        {
            TVector d0 = TSimd.Subtract(TSimd.Load(x + c), o), d1 = TSimd.Subtract(TSimd.Load(x + c + n), o);
            TVector d2 = TSimd.Subtract(TSimd.Load(x + c + 2 * n), o), d3 = TSimd.Subtract(TSimd.Load(x + c + 3 * n), o);
            s0 = TSimd.MultiplyAdd(d0, d0, s0);
            s1 = TSimd.MultiplyAdd(d1, d1, s1);
            s2 = TSimd.MultiplyAdd(d2, d2, s2);
            s3 = TSimd.MultiplyAdd(d3, d3, s3);
        }
        for (; c <= count - n; c += n)
        {
            TVector d = TSimd.Subtract(TSimd.Load(x + c), o);
            s0 = TSimd.MultiplyAdd(d, d, s0);
        }
        double sum = TSimd.Sum(TSimd.Add(TSimd.Add(s0, s1), TSimd.Add(s2, s3)));
        for (; c < count; c++)
            sum += (double)(x[c] - origin) * (x[c] - origin);
        return sum;
    }
}
