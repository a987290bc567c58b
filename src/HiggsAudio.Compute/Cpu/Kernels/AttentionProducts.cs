using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// The two products of attention on a tile of slots. Each number is one chain of multiply-adds, over the features or over the slots in
/// order, whatever is computed beside it.
/// </summary>
internal static unsafe class AttentionProducts<TSimd, TVector, TElements>
    where TSimd : struct, ISimd<TVector> where TVector : unmanaged where TElements : struct, IKeyValueElements
{
    private const int Tile = AttentionBlock.Tile, Strip = CpuKvCache.StripSlots;

    /// <summary>scores[lane, slot] = scale · keyScales[slot] · Σ queries[lane, d] · keys[slot, d].</summary>
    /// <param name="queries">[lanes, dim]</param>
    /// <param name="lanes">Number of queries.</param>
    /// <param name="keys">Strips of keys.</param>
    /// <param name="dim">Features of a head.</param>
    /// <param name="keyScales">[Tile], or null.</param>
    /// <param name="scale">The factor.</param>
    /// <param name="scores">[lanes, Tile]</param>
    /// <param name="soon">What is read soon after: fetched meanwhile, as many bytes as there are in a tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scores(float* queries, int lanes, byte* keys, int dim, float* keyScales, float scale, float* scores, byte* soon)
    {
        // Two vectors of slots at a time; with single floats there is one.
        int pair = 2 * TSimd.Width;
        for (int slot = 0; slot < Tile; slot += pair)
        {
            byte* first = Start(keys, slot, dim), second = Start(keys, slot + TSimd.Width, dim);
            int lane = 0;
            for (; lane + 6 <= lanes; lane += 6)
                Six(queries + (nint)lane * dim, first, second, dim, scores + lane * Tile + slot, soon + slot * dim * TElements.Size, pair);
            for (; lane + 3 <= lanes; lane += 3)
                Three(queries + (nint)lane * dim, first, second, dim, scores + lane * Tile + slot, soon + slot * dim * TElements.Size, pair);
            for (; lane < lanes; lane++)
                One(queries + (nint)lane * dim, first, second, dim, scores + lane * Tile + slot);
        }
        TVector factor = TSimd.Broadcast(scale);
        for (int slot = 0; slot < Tile; slot += TSimd.Width)
        {
            TVector scales = keyScales == null ? factor : TSimd.Multiply(factor, TSimd.Load(keyScales + slot));
            for (int lane = 0; lane < lanes; lane++)
                TSimd.Store(scores + lane * Tile + slot, TSimd.Multiply(TSimd.Load(scores + lane * Tile + slot), scales));
        }
    }

    /// <summary>outputs[lane, d] += Σ weights[lane, slot] · values[slot, d], over slots from … to − 1, for three lanes or one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddValues(byte* values, nint stride, float* weights, int from, int to, int lanes, float* outputs, int outputStride, byte* soon)
    {
        int n = TSimd.Width, d = 0;
        values += from * stride * TElements.Size;
        for (; lanes == 3 && d <= outputStride - 4 * n; d += 4 * n)
            AddThreeByFour(values + d * TElements.Size, stride, weights + from, to - from, outputs + d, outputStride, soon + d * Tile * TElements.Size);
        for (int lane = 0; lane < lanes; lane++)
            AddOne(values, stride, weights + lane * Tile + from, to - from, outputs + lane * outputStride, d, outputStride);
    }

    private static byte* Start(byte* keys, int slot, int dim) => keys + ((nint)(slot / Strip) * dim * Strip + slot % Strip) * TElements.Size;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Load(byte* source) => TElements.Load<TSimd, TVector>(source);

    // Some of the lines that are needed soon.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* line, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(line);
        if (bytes > 64)
            Sse.Prefetch0(line + 64);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Six(float* q, byte* first, byte* second, int dim, float* scores, byte* soon, int pair)
    {
        int n = TSimd.Width;
        nint d1 = dim, d2 = 2 * d1, step = Strip * TElements.Size, soonStep = pair * TElements.Size;
        float* q3 = q + 3 * d1;
        TVector a0 = TSimd.Broadcast(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
        for (int d = 0; d < dim; d++, q++, q3++, first += step, second += step, soon += soonStep)
        {
            Fetch(soon, (int)soonStep);
            TVector a = Load(first), b = Load(second), x = TSimd.Broadcast(*q);
            a0 = TSimd.MultiplyAdd(a, x, a0);
            b0 = TSimd.MultiplyAdd(b, x, b0);
            x = TSimd.Broadcast(q[d1]);
            a1 = TSimd.MultiplyAdd(a, x, a1);
            b1 = TSimd.MultiplyAdd(b, x, b1);
            x = TSimd.Broadcast(q[d2]);
            a2 = TSimd.MultiplyAdd(a, x, a2);
            b2 = TSimd.MultiplyAdd(b, x, b2);
            x = TSimd.Broadcast(*q3);
            a3 = TSimd.MultiplyAdd(a, x, a3);
            b3 = TSimd.MultiplyAdd(b, x, b3);
            x = TSimd.Broadcast(q3[d1]);
            a4 = TSimd.MultiplyAdd(a, x, a4);
            b4 = TSimd.MultiplyAdd(b, x, b4);
            x = TSimd.Broadcast(q3[d2]);
            a5 = TSimd.MultiplyAdd(a, x, a5);
            b5 = TSimd.MultiplyAdd(b, x, b5);
        }
        TSimd.Store(scores, a0);
        TSimd.Store(scores + n, b0);
        TSimd.Store(scores + Tile, a1);
        TSimd.Store(scores + Tile + n, b1);
        TSimd.Store(scores + 2 * Tile, a2);
        TSimd.Store(scores + 2 * Tile + n, b2);
        TSimd.Store(scores + 3 * Tile, a3);
        TSimd.Store(scores + 3 * Tile + n, b3);
        TSimd.Store(scores + 4 * Tile, a4);
        TSimd.Store(scores + 4 * Tile + n, b4);
        TSimd.Store(scores + 5 * Tile, a5);
        TSimd.Store(scores + 5 * Tile + n, b5);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Three(float* q, byte* first, byte* second, int dim, float* scores, byte* soon, int pair)
    {
        int n = TSimd.Width;
        nint d1 = dim, d2 = 2 * d1, step = Strip * TElements.Size, soonStep = pair * TElements.Size;
        TVector a0 = TSimd.Broadcast(0), a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
        for (int d = 0; d < dim; d++, q++, first += step, second += step, soon += soonStep)
        {
            Fetch(soon, (int)soonStep);
            TVector a = Load(first), b = Load(second), x = TSimd.Broadcast(*q);
            a0 = TSimd.MultiplyAdd(a, x, a0);
            b0 = TSimd.MultiplyAdd(b, x, b0);
            x = TSimd.Broadcast(q[d1]);
            a1 = TSimd.MultiplyAdd(a, x, a1);
            b1 = TSimd.MultiplyAdd(b, x, b1);
            x = TSimd.Broadcast(q[d2]);
            a2 = TSimd.MultiplyAdd(a, x, a2);
            b2 = TSimd.MultiplyAdd(b, x, b2);
        }
        TSimd.Store(scores, a0);
        TSimd.Store(scores + n, b0);
        TSimd.Store(scores + Tile, a1);
        TSimd.Store(scores + Tile + n, b1);
        TSimd.Store(scores + 2 * Tile, a2);
        TSimd.Store(scores + 2 * Tile + n, b2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(float* q, byte* first, byte* second, int dim, float* scores)
    {
        nint step = Strip * TElements.Size;
        TVector a = TSimd.Broadcast(0), b = a;
        for (int d = 0; d < dim; d++, first += step, second += step)
        {
            TVector x = TSimd.Broadcast(q[d]);
            a = TSimd.MultiplyAdd(Load(first), x, a);
            b = TSimd.MultiplyAdd(Load(second), x, b);
        }
        TSimd.Store(scores, a);
        TSimd.Store(scores + TSimd.Width, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddThreeByFour(byte* value, nint stride, float* weight, int count, float* outputs, int outputStride, byte* soon)
    {
        int n = TSimd.Width;
        nint n1 = n * TElements.Size, n2 = 2 * n1, n3 = 3 * n1, step = stride * TElements.Size, soonStep = 4 * n1;
        float* oa = outputs, ob = outputs + outputStride, oc = ob + outputStride;
        TVector a0 = TSimd.Load(oa), a1 = TSimd.Load(oa + n), a2 = TSimd.Load(oa + 2 * n), a3 = TSimd.Load(oa + 3 * n);
        TVector b0 = TSimd.Load(ob), b1 = TSimd.Load(ob + n), b2 = TSimd.Load(ob + 2 * n), b3 = TSimd.Load(ob + 3 * n);
        TVector c0 = TSimd.Load(oc), c1 = TSimd.Load(oc + n), c2 = TSimd.Load(oc + 2 * n), c3 = TSimd.Load(oc + 3 * n);
        for (int s = 0; s < count; s++, value += step, weight++, soon += soonStep)
        {
            for (int line = 0; line < (int)soonStep; line += 64)
                Fetch(soon + line, 0);
            TVector a = TSimd.Broadcast(*weight), b = TSimd.Broadcast(weight[Tile]), c = TSimd.Broadcast(weight[2 * Tile]);
            TVector v = Load(value);
            a0 = TSimd.MultiplyAdd(v, a, a0);
            b0 = TSimd.MultiplyAdd(v, b, b0);
            c0 = TSimd.MultiplyAdd(v, c, c0);
            v = Load(value + n1);
            a1 = TSimd.MultiplyAdd(v, a, a1);
            b1 = TSimd.MultiplyAdd(v, b, b1);
            c1 = TSimd.MultiplyAdd(v, c, c1);
            v = Load(value + n2);
            a2 = TSimd.MultiplyAdd(v, a, a2);
            b2 = TSimd.MultiplyAdd(v, b, b2);
            c2 = TSimd.MultiplyAdd(v, c, c2);
            v = Load(value + n3);
            a3 = TSimd.MultiplyAdd(v, a, a3);
            b3 = TSimd.MultiplyAdd(v, b, b3);
            c3 = TSimd.MultiplyAdd(v, c, c3);
        }
        TSimd.Store(oa, a0);
        TSimd.Store(oa + n, a1);
        TSimd.Store(oa + 2 * n, a2);
        TSimd.Store(oa + 3 * n, a3);
        TSimd.Store(ob, b0);
        TSimd.Store(ob + n, b1);
        TSimd.Store(ob + 2 * n, b2);
        TSimd.Store(ob + 3 * n, b3);
        TSimd.Store(oc, c0);
        TSimd.Store(oc + n, c1);
        TSimd.Store(oc + 2 * n, c2);
        TSimd.Store(oc + 3 * n, c3);
    }

    // One lane, features from d on.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddOne(byte* values, nint stride, float* weights, int count, float* output, int d, int end)
    {
        int n = TSimd.Width;
        nint n1 = n * TElements.Size, step = stride * TElements.Size;
        for (; d <= end - 4 * n; d += 4 * n)
        {
            float* o = output + d;
            byte* value = values + d * TElements.Size;
            TVector a0 = TSimd.Load(o), a1 = TSimd.Load(o + n), a2 = TSimd.Load(o + 2 * n), a3 = TSimd.Load(o + 3 * n);
            for (int s = 0; s < count; s++, value += step)
            {
                TVector w = TSimd.Broadcast(weights[s]);
                a0 = TSimd.MultiplyAdd(Load(value), w, a0);
                a1 = TSimd.MultiplyAdd(Load(value + n1), w, a1);
                a2 = TSimd.MultiplyAdd(Load(value + 2 * n1), w, a2);
                a3 = TSimd.MultiplyAdd(Load(value + 3 * n1), w, a3);
            }
            TSimd.Store(o, a0);
            TSimd.Store(o + n, a1);
            TSimd.Store(o + 2 * n, a2);
            TSimd.Store(o + 3 * n, a3);
        }
        for (; d < end; d += n)
        {
            TVector sum = TSimd.Load(output + d);
            for (int s = 0; s < count; s++)
                sum = TSimd.MultiplyAdd(Load(values + s * step + d * TElements.Size), TSimd.Broadcast(weights[s]), sum);
            TSimd.Store(output + d, sum);
        }
    }
}
