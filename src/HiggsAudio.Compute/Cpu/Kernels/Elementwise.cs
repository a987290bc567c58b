using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>A function of single elements, written for any vector width.</summary>
internal interface IElementFunction
{
    /// <summary>The function; it may leave one of its arguments out.</summary>
    TVector Apply<TSimd, TVector>(TVector a, TVector b) where TSimd : struct, ISimd<TVector> where TVector : unmanaged;
}

/// <summary>Applies a function to the elements of two matrices: in vectors, on all cores where there are enough of them.</summary>
internal static unsafe class Elementwise
{
    /// <summary>Elements below which waking other threads costs more than it saves.</summary>
    public const int WorthSharing = 32_768;

    /// <summary>About as many elements make a chunk.</summary>
    public const int Chunk = 16_384;

    /// <summary>y = f(a, b); y may be one of them.</summary>
    public static void Run<TFunction>(CpuThreads threads, TFunction function, Matrix a, Matrix b, Matrix y) where TFunction : struct, IElementFunction
    {
        long count = (long)y.Rows * y.Columns;
        if (count == 0)
            return;
        // Matrices without gaps are one long row, cut anywhere.
        bool flat = y.Rows == 1 || (a.RowStride == a.Columns && b.RowStride == b.Columns && y.RowStride == y.Columns);
        long perChunk = count < WorthSharing ? count : flat ? Chunk : Math.Max(1, Chunk / y.Columns) * (long)y.Columns;
        var job = new Job<TFunction>(function, a, b, y, flat, perChunk);
        threads.Run(job, (int)((count + perChunk - 1) / perChunk));
    }

    // A chunk is perChunk elements in a row, or the whole rows that have so many.
    private readonly struct Job<TFunction>(TFunction function, Matrix a, Matrix b, Matrix y, bool flat, long perChunk) : IChunkedJob
        where TFunction : struct, IElementFunction
    {
        public void Execute(int chunk)
        {
            if (flat)
            {
                nint first = (nint)(chunk * perChunk);
                Row(function, (float*)a.Data + first, (float*)b.Data + first, (float*)y.Data + first,
                    (nint)Math.Min(perChunk, (long)y.Rows * y.Columns - first));
                return;
            }
            int rows = (int)(perChunk / y.Columns), end = (int)Math.Min(y.Rows, (chunk + 1L) * rows);
            for (int r = chunk * rows; r < end; r++)
                Row(function, a.Row(r), b.Row(r), y.Row(r), y.Columns);
        }
    }

    private static void Row<TFunction>(TFunction function, float* a, float* b, float* y, nint count) where TFunction : struct, IElementFunction
    {
        if (Vector512.IsHardwareAccelerated)
            Row<TFunction, Simd512, Vector512<float>>(function, a, b, y, count);
        else if (Vector256.IsHardwareAccelerated)
            Row<TFunction, Simd256, Vector256<float>>(function, a, b, y, count);
        else if (Vector128.IsHardwareAccelerated)
            Row<TFunction, Simd128, Vector128<float>>(function, a, b, y, count);
        else
            Row<TFunction, Simd32, float>(function, a, b, y, count);
    }

    /// <summary>One row in vectors of one width; the last, partial one goes through a buffer, so that all elements are treated alike.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Row<TFunction, TSimd, TVector>(TFunction function, float* a, float* b, float* y, nint count)
        where TFunction : struct, IElementFunction where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        nint i = 0, whole = count - count % TSimd.Width;
        for (; i < whole; i += TSimd.Width)
            TSimd.Store(y + i, function.Apply<TSimd, TVector>(TSimd.Load(a + i), TSimd.Load(b + i)));
        if (i == count)
            return;
        nuint rest = (nuint)(count - i) * sizeof(float);
        TVector lastA = TSimd.Broadcast(0), lastB = TSimd.Broadcast(0);
        Unsafe.CopyBlockUnaligned(&lastA, a + i, (uint)rest);
        Unsafe.CopyBlockUnaligned(&lastB, b + i, (uint)rest);
        lastA = function.Apply<TSimd, TVector>(lastA, lastB);
        Unsafe.CopyBlockUnaligned(y + i, &lastA, (uint)rest);
    }
}
