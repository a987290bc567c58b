using System.Runtime.CompilerServices;

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
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute<TLanes, TVector>(float* lanes, int width, float* rows, nint stride, int count, int dim, float scale, float* products)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        // The last rows are computed together with some that were done before: with the same result.
        int together = width == TLanes.Count ? 8 : 4;
        for (int row = 0; row < count;)
        {
            int first = count < together ? row : Math.Min(row, count - together);
            float* from = rows + first * stride, to = products + (nint)first * width;
            if (count < together)
                One<TLanes, TVector>(lanes, width, from, dim, scale, to);
            else if (width == TLanes.Count)
                EightByOne<TLanes, TVector>(lanes, from, stride, dim, scale, to);
            else
                FourByTwo<TLanes, TVector>(lanes, from, stride, dim, scale, to);
            row = first + (count < together ? 1 : together);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByTwo<TLanes, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        int n = TLanes.Count;
        float* r0 = row, r1 = row + stride, r2 = r1 + stride, r3 = r2 + stride;
        TVector a0 = TLanes.Create(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        for (nint d = 0; d < dim; d++)
        {
            TVector low = TLanes.Load(lanes), high = TLanes.Load(lanes + n);
            lanes += 2 * n;
            TVector element = TLanes.Create(r0[d]);
            a0 = TLanes.MultiplyAdd(low, element, a0);
            b0 = TLanes.MultiplyAdd(high, element, b0);
            element = TLanes.Create(r1[d]);
            a1 = TLanes.MultiplyAdd(low, element, a1);
            b1 = TLanes.MultiplyAdd(high, element, b1);
            element = TLanes.Create(r2[d]);
            a2 = TLanes.MultiplyAdd(low, element, a2);
            b2 = TLanes.MultiplyAdd(high, element, b2);
            element = TLanes.Create(r3[d]);
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
    private static void EightByOne<TLanes, TVector>(float* lanes, float* row, nint stride, int dim, float scale, float* products)
        where TLanes : struct, ILanes<TVector> where TVector : unmanaged
    {
        int n = TLanes.Count;
        float* r0 = row, r1 = row + stride, r2 = r1 + stride, r3 = r2 + stride, r4 = r3 + stride, r5 = r4 + stride, r6 = r5 + stride, r7 = r6 + stride;
        TVector a0 = TLanes.Create(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
        for (nint d = 0; d < dim; d++)
        {
            TVector lane = TLanes.Load(lanes);
            lanes += n;
            a0 = TLanes.MultiplyAdd(lane, TLanes.Create(r0[d]), a0);
            a1 = TLanes.MultiplyAdd(lane, TLanes.Create(r1[d]), a1);
            a2 = TLanes.MultiplyAdd(lane, TLanes.Create(r2[d]), a2);
            a3 = TLanes.MultiplyAdd(lane, TLanes.Create(r3[d]), a3);
            a4 = TLanes.MultiplyAdd(lane, TLanes.Create(r4[d]), a4);
            a5 = TLanes.MultiplyAdd(lane, TLanes.Create(r5[d]), a5);
            a6 = TLanes.MultiplyAdd(lane, TLanes.Create(r6[d]), a6);
            a7 = TLanes.MultiplyAdd(lane, TLanes.Create(r7[d]), a7);
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
}
