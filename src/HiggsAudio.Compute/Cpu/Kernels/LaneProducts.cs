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
    public static void Compute<TLanes, TVector>(float* lanes, int width, float* rows, nint stride, int count, int dim, float scale, float* products, float* next, float* other)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        bool narrow = width == TLanes.Count;
        int together = (narrow ? 8 : 4) * (TLanes.ManyRegisters ? 2 : 1);
        for (int row = 0; row < count; row += together)
        {
            if (count < together)
            {
                for (; row < count; row++)
                    One<TLanes, TVector>(lanes, width, rows + row * stride, dim, scale, products + (nint)row * width);
                break;
            }
            // The last rows are computed together with some that were done before: with the same result.
            int first = Math.Min(row, count - together);
            float* from = rows + first * stride, to = products + (nint)first * width;
            float* soon = row + together < count ? from + together * stride : next, beside = other + row * stride;
            if (narrow && TLanes.ManyRegisters)
                SixteenByOne<TLanes, TVector>(lanes, from, stride, dim, scale, to, soon, beside);
            else if (narrow)
                EightByOne<TLanes, TVector>(lanes, from, stride, dim, scale, to, soon, beside);
            else if (TLanes.ManyRegisters)
                EightByTwo<TLanes, TVector>(lanes, from, stride, dim, scale, to, soon, beside);
            else
                FourByTwo<TLanes, TVector>(lanes, from, stride, dim, scale, to, soon, beside);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByTwo<TLanes, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products, float* soon, float* beside)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        int n = TLanes.Count;
        TVector a0 = TLanes.Create(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        nint d = 0, end = dim;
        for (nint d1 = stride, d2 = d1 + stride, d3 = d2 + stride; d < end; d++, d1++, d2++, d3++)
        {
            Fetch(((d & 4) == 0 ? soon : beside) + (d & 3) * stride + d);
            TVector low = TLanes.Load(lanes), high = TLanes.Load(lanes + n);
            lanes += 2 * n;
            TVector element;
            element = TLanes.Create(row[d]);
            a0 = TLanes.MultiplyAdd(low, element, a0);
            b0 = TLanes.MultiplyAdd(high, element, b0);
            element = TLanes.Create(row[d1]);
            a1 = TLanes.MultiplyAdd(low, element, a1);
            b1 = TLanes.MultiplyAdd(high, element, b1);
            element = TLanes.Create(row[d2]);
            a2 = TLanes.MultiplyAdd(low, element, a2);
            b2 = TLanes.MultiplyAdd(high, element, b2);
            element = TLanes.Create(row[d3]);
            a3 = TLanes.MultiplyAdd(low, element, a3);
            b3 = TLanes.MultiplyAdd(high, element, b3);
        }
        TVector factor = TLanes.Create(scale);
        TLanes.Store(TLanes.Multiply(a0, factor), products);
        TLanes.Store(TLanes.Multiply(b0, factor), products + n);
        TLanes.Store(TLanes.Multiply(a1, factor), products + 2 * n);
        TLanes.Store(TLanes.Multiply(b1, factor), products + 3 * n);
        TLanes.Store(TLanes.Multiply(a2, factor), products + 4 * n);
        TLanes.Store(TLanes.Multiply(b2, factor), products + 5 * n);
        TLanes.Store(TLanes.Multiply(a3, factor), products + 6 * n);
        TLanes.Store(TLanes.Multiply(b3, factor), products + 7 * n);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightByTwo<TLanes, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products, float* soon, float* beside)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        int n = TLanes.Count;
        float* row4 = row + 4 * stride;
        TVector a0 = TLanes.Create(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0, b6 = a0, b7 = a0;
        nint d = 0, end = dim;
        for (nint d1 = stride, d2 = d1 + stride, d3 = d2 + stride; d < end; d++, d1++, d2++, d3++)
        {
            Fetch(((d & 8) == 0 ? soon : beside) + (d & 7) * stride + d);
            TVector low = TLanes.Load(lanes), high = TLanes.Load(lanes + n);
            lanes += 2 * n;
            TVector element;
            element = TLanes.Create(row[d]);
            a0 = TLanes.MultiplyAdd(low, element, a0);
            b0 = TLanes.MultiplyAdd(high, element, b0);
            element = TLanes.Create(row[d1]);
            a1 = TLanes.MultiplyAdd(low, element, a1);
            b1 = TLanes.MultiplyAdd(high, element, b1);
            element = TLanes.Create(row[d2]);
            a2 = TLanes.MultiplyAdd(low, element, a2);
            b2 = TLanes.MultiplyAdd(high, element, b2);
            element = TLanes.Create(row[d3]);
            a3 = TLanes.MultiplyAdd(low, element, a3);
            b3 = TLanes.MultiplyAdd(high, element, b3);
            element = TLanes.Create(row4[d]);
            a4 = TLanes.MultiplyAdd(low, element, a4);
            b4 = TLanes.MultiplyAdd(high, element, b4);
            element = TLanes.Create(row4[d1]);
            a5 = TLanes.MultiplyAdd(low, element, a5);
            b5 = TLanes.MultiplyAdd(high, element, b5);
            element = TLanes.Create(row4[d2]);
            a6 = TLanes.MultiplyAdd(low, element, a6);
            b6 = TLanes.MultiplyAdd(high, element, b6);
            element = TLanes.Create(row4[d3]);
            a7 = TLanes.MultiplyAdd(low, element, a7);
            b7 = TLanes.MultiplyAdd(high, element, b7);
        }
        TVector factor = TLanes.Create(scale);
        TLanes.Store(TLanes.Multiply(a0, factor), products);
        TLanes.Store(TLanes.Multiply(b0, factor), products + n);
        TLanes.Store(TLanes.Multiply(a1, factor), products + 2 * n);
        TLanes.Store(TLanes.Multiply(b1, factor), products + 3 * n);
        TLanes.Store(TLanes.Multiply(a2, factor), products + 4 * n);
        TLanes.Store(TLanes.Multiply(b2, factor), products + 5 * n);
        TLanes.Store(TLanes.Multiply(a3, factor), products + 6 * n);
        TLanes.Store(TLanes.Multiply(b3, factor), products + 7 * n);
        TLanes.Store(TLanes.Multiply(a4, factor), products + 8 * n);
        TLanes.Store(TLanes.Multiply(b4, factor), products + 9 * n);
        TLanes.Store(TLanes.Multiply(a5, factor), products + 10 * n);
        TLanes.Store(TLanes.Multiply(b5, factor), products + 11 * n);
        TLanes.Store(TLanes.Multiply(a6, factor), products + 12 * n);
        TLanes.Store(TLanes.Multiply(b6, factor), products + 13 * n);
        TLanes.Store(TLanes.Multiply(a7, factor), products + 14 * n);
        TLanes.Store(TLanes.Multiply(b7, factor), products + 15 * n);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightByOne<TLanes, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products, float* soon, float* beside)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        int n = TLanes.Count;
        float* row4 = row + 4 * stride;
        TVector a0 = TLanes.Create(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
        nint d = 0, end = dim;
        for (nint d1 = stride, d2 = d1 + stride, d3 = d2 + stride; d < end; d++, d1++, d2++, d3++)
        {
            Fetch(soon + 16 * d);
            Fetch(beside + 16 * d);
            TVector lane = TLanes.Load(lanes);
            lanes += n;
            a0 = TLanes.MultiplyAdd(lane, TLanes.Create(row[d]), a0);
            a1 = TLanes.MultiplyAdd(lane, TLanes.Create(row[d1]), a1);
            a2 = TLanes.MultiplyAdd(lane, TLanes.Create(row[d2]), a2);
            a3 = TLanes.MultiplyAdd(lane, TLanes.Create(row[d3]), a3);
            a4 = TLanes.MultiplyAdd(lane, TLanes.Create(row4[d]), a4);
            a5 = TLanes.MultiplyAdd(lane, TLanes.Create(row4[d1]), a5);
            a6 = TLanes.MultiplyAdd(lane, TLanes.Create(row4[d2]), a6);
            a7 = TLanes.MultiplyAdd(lane, TLanes.Create(row4[d3]), a7);
        }
        TVector factor = TLanes.Create(scale);
        TLanes.Store(TLanes.Multiply(a0, factor), products);
        TLanes.Store(TLanes.Multiply(a1, factor), products + n);
        TLanes.Store(TLanes.Multiply(a2, factor), products + 2 * n);
        TLanes.Store(TLanes.Multiply(a3, factor), products + 3 * n);
        TLanes.Store(TLanes.Multiply(a4, factor), products + 4 * n);
        TLanes.Store(TLanes.Multiply(a5, factor), products + 5 * n);
        TLanes.Store(TLanes.Multiply(a6, factor), products + 6 * n);
        TLanes.Store(TLanes.Multiply(a7, factor), products + 7 * n);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixteenByOne<TLanes, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products, float* soon, float* beside)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        int n = TLanes.Count;
        float* row4 = row + 4 * stride, row8 = row + 8 * stride, row12 = row + 12 * stride;
        TVector a0 = TLanes.Create(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0, a9 = a0, a10 = a0, a11 = a0, a12 = a0, a13 = a0, a14 = a0, a15 = a0;
        nint d = 0, end = dim;
        for (nint d1 = stride, d2 = d1 + stride, d3 = d2 + stride; d < end; d++, d1++, d2++, d3++)
        {
            Fetch(soon + 16 * d);
            Fetch(beside + 16 * d);
            TVector lane = TLanes.Load(lanes);
            lanes += n;
            a0 = TLanes.MultiplyAdd(lane, TLanes.Create(row[d]), a0);
            a1 = TLanes.MultiplyAdd(lane, TLanes.Create(row[d1]), a1);
            a2 = TLanes.MultiplyAdd(lane, TLanes.Create(row[d2]), a2);
            a3 = TLanes.MultiplyAdd(lane, TLanes.Create(row[d3]), a3);
            a4 = TLanes.MultiplyAdd(lane, TLanes.Create(row4[d]), a4);
            a5 = TLanes.MultiplyAdd(lane, TLanes.Create(row4[d1]), a5);
            a6 = TLanes.MultiplyAdd(lane, TLanes.Create(row4[d2]), a6);
            a7 = TLanes.MultiplyAdd(lane, TLanes.Create(row4[d3]), a7);
            a8 = TLanes.MultiplyAdd(lane, TLanes.Create(row8[d]), a8);
            a9 = TLanes.MultiplyAdd(lane, TLanes.Create(row8[d1]), a9);
            a10 = TLanes.MultiplyAdd(lane, TLanes.Create(row8[d2]), a10);
            a11 = TLanes.MultiplyAdd(lane, TLanes.Create(row8[d3]), a11);
            a12 = TLanes.MultiplyAdd(lane, TLanes.Create(row12[d]), a12);
            a13 = TLanes.MultiplyAdd(lane, TLanes.Create(row12[d1]), a13);
            a14 = TLanes.MultiplyAdd(lane, TLanes.Create(row12[d2]), a14);
            a15 = TLanes.MultiplyAdd(lane, TLanes.Create(row12[d3]), a15);
        }
        TVector factor = TLanes.Create(scale);
        TLanes.Store(TLanes.Multiply(a0, factor), products);
        TLanes.Store(TLanes.Multiply(a1, factor), products + n);
        TLanes.Store(TLanes.Multiply(a2, factor), products + 2 * n);
        TLanes.Store(TLanes.Multiply(a3, factor), products + 3 * n);
        TLanes.Store(TLanes.Multiply(a4, factor), products + 4 * n);
        TLanes.Store(TLanes.Multiply(a5, factor), products + 5 * n);
        TLanes.Store(TLanes.Multiply(a6, factor), products + 6 * n);
        TLanes.Store(TLanes.Multiply(a7, factor), products + 7 * n);
        TLanes.Store(TLanes.Multiply(a8, factor), products + 8 * n);
        TLanes.Store(TLanes.Multiply(a9, factor), products + 9 * n);
        TLanes.Store(TLanes.Multiply(a10, factor), products + 10 * n);
        TLanes.Store(TLanes.Multiply(a11, factor), products + 11 * n);
        TLanes.Store(TLanes.Multiply(a12, factor), products + 12 * n);
        TLanes.Store(TLanes.Multiply(a13, factor), products + 13 * n);
        TLanes.Store(TLanes.Multiply(a14, factor), products + 14 * n);
        TLanes.Store(TLanes.Multiply(a15, factor), products + 15 * n);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One<TLanes, TVector>(float* lanes, int width, float* row, int dim, float scale, float* products)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        for (int lane = 0; lane < width; lane += TLanes.Count)
        {
            TVector sum = TLanes.Create(0);
            for (nint d = 0; d < dim; d++)
                sum = TLanes.MultiplyAdd(TLanes.Load(lanes + d * width + lane), TLanes.Create(row[d]), sum);
            TLanes.Store(TLanes.Multiply(sum, TLanes.Create(scale)), products + lane);
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
