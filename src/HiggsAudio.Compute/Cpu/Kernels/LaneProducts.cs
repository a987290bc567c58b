using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Products of many rows with a few others that lie transposed, one per lane: [dim][lanes]. Every element of a row meets all lanes at once,
/// and no vector has to be summed. A product is one chain of multiply-adds from the first element to the last, whatever is computed beside it.
/// </summary>
internal static unsafe class LaneProducts
{
    /// <summary>products[row, lane] = scale · Σ rows[row, d] · lanes[d, lane].</summary>
    /// <param name="lanes">[dim, width]</param>
    /// <param name="width">One or two vectors.</param>
    /// <param name="rows">The first row.</param>
    /// <param name="stride">Elements between the starts of two rows.</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="dim">Elements of a row.</param>
    /// <param name="scale">The factor.</param>
    /// <param name="products">[count, width]</param>
    /// <param name="next">What is read soon after: fetched meanwhile, as much as there are rows here.</param>
    /// <param name="other">The same for something else.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute<TSimd, TVector>(float* lanes, int width, float* rows, nint stride, int count, int dim, float scale, float* products,
        float* next, float* other)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        bool narrow = width == TSimd.Width;
        int together = (narrow ? 8 : 4) * (TSimd.Registers >= 32 ? 2 : 1);
        for (int row = 0; row < count; row += together)
        {
            if (count < together)
            {
                for (; row < count; row++)
                    One<TSimd, TVector>(lanes, width, rows + row * stride, dim, scale, products + (nint)row * width);
                break;
            }
            // The last rows are computed together with some that were done before: with the same result.
            int first = Math.Min(row, count - together);
            float* from = rows + first * stride, to = products + (nint)first * width;
            float* soon = row + together < count ? from + together * stride : next, beside = other + row * stride;
            if (narrow && TSimd.Registers >= 32)
                SixteenByOne<TSimd, TVector>(lanes, from, stride, dim, scale, to, soon, beside);
            else if (narrow)
                EightByOne<TSimd, TVector>(lanes, from, stride, dim, scale, to, soon, beside);
            else if (TSimd.Registers >= 32)
                EightByTwo<TSimd, TVector>(lanes, from, stride, dim, scale, to, soon, beside);
            else
                FourByTwo<TSimd, TVector>(lanes, from, stride, dim, scale, to, soon, beside);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByTwo<TSimd, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products, float* soon, float* beside)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        int n = TSimd.Width;
        TVector a0 = TSimd.Broadcast(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        nint d = 0, end = dim;
        for (nint d1 = stride, d2 = d1 + stride, d3 = d2 + stride; d < end; d++, d1++, d2++, d3++)
        {
            Fetch(((d & 4) == 0 ? soon : beside) + (d & 3) * stride + d);
            TVector low = TSimd.Load(lanes), high = TSimd.Load(lanes + n);
            lanes += 2 * n;
            TVector element;
            element = TSimd.Broadcast(row[d]);
            a0 = TSimd.MultiplyAdd(low, element, a0);
            b0 = TSimd.MultiplyAdd(high, element, b0);
            element = TSimd.Broadcast(row[d1]);
            a1 = TSimd.MultiplyAdd(low, element, a1);
            b1 = TSimd.MultiplyAdd(high, element, b1);
            element = TSimd.Broadcast(row[d2]);
            a2 = TSimd.MultiplyAdd(low, element, a2);
            b2 = TSimd.MultiplyAdd(high, element, b2);
            element = TSimd.Broadcast(row[d3]);
            a3 = TSimd.MultiplyAdd(low, element, a3);
            b3 = TSimd.MultiplyAdd(high, element, b3);
        }
        TVector factor = TSimd.Broadcast(scale);
        TSimd.Store(products, TSimd.Multiply(a0, factor));
        TSimd.Store(products + n, TSimd.Multiply(b0, factor));
        TSimd.Store(products + 2 * n, TSimd.Multiply(a1, factor));
        TSimd.Store(products + 3 * n, TSimd.Multiply(b1, factor));
        TSimd.Store(products + 4 * n, TSimd.Multiply(a2, factor));
        TSimd.Store(products + 5 * n, TSimd.Multiply(b2, factor));
        TSimd.Store(products + 6 * n, TSimd.Multiply(a3, factor));
        TSimd.Store(products + 7 * n, TSimd.Multiply(b3, factor));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightByTwo<TSimd, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products, float* soon, float* beside)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        int n = TSimd.Width;
        float* row4 = row + 4 * stride;
        TVector a0 = TSimd.Broadcast(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0,
            b5 = a0, b6 = a0, b7 = a0;
        nint d = 0, end = dim;
        for (nint d1 = stride, d2 = d1 + stride, d3 = d2 + stride; d < end; d++, d1++, d2++, d3++)
        {
            Fetch(((d & 8) == 0 ? soon : beside) + (d & 7) * stride + d);
            TVector low = TSimd.Load(lanes), high = TSimd.Load(lanes + n);
            lanes += 2 * n;
            TVector element;
            element = TSimd.Broadcast(row[d]);
            a0 = TSimd.MultiplyAdd(low, element, a0);
            b0 = TSimd.MultiplyAdd(high, element, b0);
            element = TSimd.Broadcast(row[d1]);
            a1 = TSimd.MultiplyAdd(low, element, a1);
            b1 = TSimd.MultiplyAdd(high, element, b1);
            element = TSimd.Broadcast(row[d2]);
            a2 = TSimd.MultiplyAdd(low, element, a2);
            b2 = TSimd.MultiplyAdd(high, element, b2);
            element = TSimd.Broadcast(row[d3]);
            a3 = TSimd.MultiplyAdd(low, element, a3);
            b3 = TSimd.MultiplyAdd(high, element, b3);
            element = TSimd.Broadcast(row4[d]);
            a4 = TSimd.MultiplyAdd(low, element, a4);
            b4 = TSimd.MultiplyAdd(high, element, b4);
            element = TSimd.Broadcast(row4[d1]);
            a5 = TSimd.MultiplyAdd(low, element, a5);
            b5 = TSimd.MultiplyAdd(high, element, b5);
            element = TSimd.Broadcast(row4[d2]);
            a6 = TSimd.MultiplyAdd(low, element, a6);
            b6 = TSimd.MultiplyAdd(high, element, b6);
            element = TSimd.Broadcast(row4[d3]);
            a7 = TSimd.MultiplyAdd(low, element, a7);
            b7 = TSimd.MultiplyAdd(high, element, b7);
        }
        TVector factor = TSimd.Broadcast(scale);
        TSimd.Store(products, TSimd.Multiply(a0, factor));
        TSimd.Store(products + n, TSimd.Multiply(b0, factor));
        TSimd.Store(products + 2 * n, TSimd.Multiply(a1, factor));
        TSimd.Store(products + 3 * n, TSimd.Multiply(b1, factor));
        TSimd.Store(products + 4 * n, TSimd.Multiply(a2, factor));
        TSimd.Store(products + 5 * n, TSimd.Multiply(b2, factor));
        TSimd.Store(products + 6 * n, TSimd.Multiply(a3, factor));
        TSimd.Store(products + 7 * n, TSimd.Multiply(b3, factor));
        TSimd.Store(products + 8 * n, TSimd.Multiply(a4, factor));
        TSimd.Store(products + 9 * n, TSimd.Multiply(b4, factor));
        TSimd.Store(products + 10 * n, TSimd.Multiply(a5, factor));
        TSimd.Store(products + 11 * n, TSimd.Multiply(b5, factor));
        TSimd.Store(products + 12 * n, TSimd.Multiply(a6, factor));
        TSimd.Store(products + 13 * n, TSimd.Multiply(b6, factor));
        TSimd.Store(products + 14 * n, TSimd.Multiply(a7, factor));
        TSimd.Store(products + 15 * n, TSimd.Multiply(b7, factor));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightByOne<TSimd, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products, float* soon, float* beside)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        int n = TSimd.Width;
        float* row4 = row + 4 * stride;
        TVector a0 = TSimd.Broadcast(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
        nint d = 0, end = dim;
        for (nint d1 = stride, d2 = d1 + stride, d3 = d2 + stride; d < end; d++, d1++, d2++, d3++)
        {
            Fetch(soon + 16 * d);
            Fetch(beside + 16 * d);
            TVector lane = TSimd.Load(lanes);
            lanes += n;
            a0 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row[d]), a0);
            a1 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row[d1]), a1);
            a2 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row[d2]), a2);
            a3 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row[d3]), a3);
            a4 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row4[d]), a4);
            a5 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row4[d1]), a5);
            a6 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row4[d2]), a6);
            a7 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row4[d3]), a7);
        }
        TVector factor = TSimd.Broadcast(scale);
        TSimd.Store(products, TSimd.Multiply(a0, factor));
        TSimd.Store(products + n, TSimd.Multiply(a1, factor));
        TSimd.Store(products + 2 * n, TSimd.Multiply(a2, factor));
        TSimd.Store(products + 3 * n, TSimd.Multiply(a3, factor));
        TSimd.Store(products + 4 * n, TSimd.Multiply(a4, factor));
        TSimd.Store(products + 5 * n, TSimd.Multiply(a5, factor));
        TSimd.Store(products + 6 * n, TSimd.Multiply(a6, factor));
        TSimd.Store(products + 7 * n, TSimd.Multiply(a7, factor));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixteenByOne<TSimd, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products, float* soon, float* beside)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        int n = TSimd.Width;
        float* row4 = row + 4 * stride, row8 = row + 8 * stride, row12 = row + 12 * stride;
        TVector a0 = TSimd.Broadcast(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0, a9 = a0, a10 = a0, a11 = a0, a12 = a0,
            a13 = a0, a14 = a0, a15 = a0;
        nint d = 0, end = dim;
        for (nint d1 = stride, d2 = d1 + stride, d3 = d2 + stride; d < end; d++, d1++, d2++, d3++)
        {
            Fetch(soon + 16 * d);
            Fetch(beside + 16 * d);
            TVector lane = TSimd.Load(lanes);
            lanes += n;
            a0 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row[d]), a0);
            a1 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row[d1]), a1);
            a2 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row[d2]), a2);
            a3 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row[d3]), a3);
            a4 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row4[d]), a4);
            a5 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row4[d1]), a5);
            a6 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row4[d2]), a6);
            a7 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row4[d3]), a7);
            a8 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row8[d]), a8);
            a9 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row8[d1]), a9);
            a10 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row8[d2]), a10);
            a11 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row8[d3]), a11);
            a12 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row12[d]), a12);
            a13 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row12[d1]), a13);
            a14 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row12[d2]), a14);
            a15 = TSimd.MultiplyAdd(lane, TSimd.Broadcast(row12[d3]), a15);
        }
        TVector factor = TSimd.Broadcast(scale);
        TSimd.Store(products, TSimd.Multiply(a0, factor));
        TSimd.Store(products + n, TSimd.Multiply(a1, factor));
        TSimd.Store(products + 2 * n, TSimd.Multiply(a2, factor));
        TSimd.Store(products + 3 * n, TSimd.Multiply(a3, factor));
        TSimd.Store(products + 4 * n, TSimd.Multiply(a4, factor));
        TSimd.Store(products + 5 * n, TSimd.Multiply(a5, factor));
        TSimd.Store(products + 6 * n, TSimd.Multiply(a6, factor));
        TSimd.Store(products + 7 * n, TSimd.Multiply(a7, factor));
        TSimd.Store(products + 8 * n, TSimd.Multiply(a8, factor));
        TSimd.Store(products + 9 * n, TSimd.Multiply(a9, factor));
        TSimd.Store(products + 10 * n, TSimd.Multiply(a10, factor));
        TSimd.Store(products + 11 * n, TSimd.Multiply(a11, factor));
        TSimd.Store(products + 12 * n, TSimd.Multiply(a12, factor));
        TSimd.Store(products + 13 * n, TSimd.Multiply(a13, factor));
        TSimd.Store(products + 14 * n, TSimd.Multiply(a14, factor));
        TSimd.Store(products + 15 * n, TSimd.Multiply(a15, factor));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One<TSimd, TVector>(float* lanes, int width, float* row, int dim, float scale, float* products)
        where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        for (int lane = 0; lane < width; lane += TSimd.Width)
        {
            TVector sum = TSimd.Broadcast(0);
            for (nint d = 0; d < dim; d++)
                sum = TSimd.MultiplyAdd(TSimd.Load(lanes + d * width + lane), TSimd.Broadcast(row[d]), sum);
            TSimd.Store(products + lane, TSimd.Multiply(sum, TSimd.Broadcast(scale)));
        }
    }

    // Narrow products fetch contiguous rows, a cache line a step; wide ones, with more to do in a step, fetch rows wherever they lie.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(float* line)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(line);
    }
}
