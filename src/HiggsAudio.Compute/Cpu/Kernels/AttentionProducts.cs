using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// The two products of attention on a tile of slots. Each number is one chain of multiply-adds, over the features or over the slots in
/// order, whatever is computed beside it. Keys and values are each read in order, from end to end: memory gives most then.
/// </summary>
internal static unsafe class AttentionProducts<TSimd, TVector, TElements>
    where TSimd : struct, ISimd<TVector> where TVector : unmanaged where TElements : struct, IKeyValueElements
{
    private const int Tile = AttentionBlock.Tile, Half = KeyValueGroup.Half;

    private static int GroupBytes => KeyValueGroup.Size * TElements.Size;

    // Pairs of vectors in a group.
    private static int Pairs => Half / TSimd.Width;

    /// <summary>scores[lane, slot] = scale · keyScales[slot] · Σ queries[lane, d] · keys[slot, d].</summary>
    /// <param name="queries">[lanes, dim]</param>
    /// <param name="lanes">Number of queries.</param>
    /// <param name="keys">A strip of keys.</param>
    /// <param name="dim">Features of a head.</param>
    /// <param name="keyScales">[Tile], or null.</param>
    /// <param name="scale">The factor.</param>
    /// <param name="scores">[lanes, Tile]</param>
    /// <param name="soon">What is read soon after: fetched meanwhile, as many bytes as there are in a strip.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scores(float* queries, int lanes, byte* keys, int dim, float* keyScales, float scale, float* scores, byte* soon)
    {
        for (int at = 0; at < Half; at += TSimd.Width)
        {
            int lane = 0;
            for (; lane + 6 <= lanes; lane += 6)
                Six(queries + (nint)lane * dim, keys, at, dim, scores + lane * Tile + at, soon);
            for (; lane + 3 <= lanes; lane += 3)
                Three(queries + (nint)lane * dim, keys, at, dim, scores + lane * Tile + at, soon);
            for (; lane < lanes; lane++)
                One(queries + (nint)lane * dim, keys, at, dim, scores + lane * Tile + at);
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
    /// <param name="values">Rows of values, in groups of features.</param>
    /// <param name="stride">Elements between the starts of two rows.</param>
    /// <param name="weights">[lanes, Tile]</param>
    /// <param name="from">The first slot.</param>
    /// <param name="to">The slot after the last.</param>
    /// <param name="lanes">3 or 1.</param>
    /// <param name="outputs">[lanes, outputStride]</param>
    /// <param name="outputStride">Features, in whole groups.</param>
    /// <param name="soon">What is read soon after: fetched meanwhile, as many bytes as these rows have.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddValues(byte* values, nint stride, float* weights, int from, int to, int lanes, float* outputs, int outputStride, byte* soon)
    {
        int pair = 0, pairs = outputStride / KeyValueGroup.Size * Pairs, count = to - from;
        nint step = stride * TElements.Size;
        values += from * step;
        weights += from;
        if (lanes == 3)
        {
            // 24 sums in registers, or 12.
            for (; TSimd.Width == Half && TSimd.Registers >= 32 && pair + 4 <= pairs; pair += 4)
                AddThreeByEight(values + pair * GroupBytes, step, weights, count, outputs + pair * KeyValueGroup.Size, outputStride, soon + pair * GroupBytes);
            for (; pair + 2 <= pairs; pair += 2)
                AddThreeByFour(values, step, weights, count, outputs, outputStride, pair);
        }
        for (int lane = 0; lane < lanes && pair < pairs; lane++)
            AddOne(values, step, weights + lane * Tile, count, outputs + lane * outputStride, pair, pairs);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector First(byte* group, int at) => TElements.First<TSimd, TVector>(group, at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Second(byte* group, int at) => TElements.Second<TSimd, TVector>(group, at);

    // A line that is needed soon: into the second cache, or, where computing takes longer than reading, into the first. (Measured on Zen 4.)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* line)
    {
        if (!Sse.IsSupported)
            return;
        if (TElements.IsScaled)
            Sse.Prefetch0(line);
        else
            Sse.Prefetch1(line);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Six(float* q, byte* keys, int at, int dim, float* scores, byte* soon)
    {
        int step = GroupBytes;
        nint d1 = dim, d2 = 2 * d1;
        float* q3 = q + 3 * d1;
        TVector a0 = TSimd.Broadcast(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
        for (int d = 0; d < dim; d++, q++, q3++, keys += step, soon += step)
        {
            Fetch(soon);
            if (TElements.Size > 2)
                Fetch(soon + 64);
            TVector a = First(keys, at), b = Second(keys, at), x = TSimd.Broadcast(*q);
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
        TSimd.Store(scores + Half, b0);
        TSimd.Store(scores + Tile, a1);
        TSimd.Store(scores + Tile + Half, b1);
        TSimd.Store(scores + 2 * Tile, a2);
        TSimd.Store(scores + 2 * Tile + Half, b2);
        TSimd.Store(scores + 3 * Tile, a3);
        TSimd.Store(scores + 3 * Tile + Half, b3);
        TSimd.Store(scores + 4 * Tile, a4);
        TSimd.Store(scores + 4 * Tile + Half, b4);
        TSimd.Store(scores + 5 * Tile, a5);
        TSimd.Store(scores + 5 * Tile + Half, b5);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Three(float* q, byte* keys, int at, int dim, float* scores, byte* soon)
    {
        int step = GroupBytes;
        nint d1 = dim, d2 = 2 * d1;
        TVector a0 = TSimd.Broadcast(0), a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
        for (int d = 0; d < dim; d++, q++, keys += step, soon += step)
        {
            Fetch(soon);
            if (TElements.Size > 2)
                Fetch(soon + 64);
            TVector a = First(keys, at), b = Second(keys, at), x = TSimd.Broadcast(*q);
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
        TSimd.Store(scores + Half, b0);
        TSimd.Store(scores + Tile, a1);
        TSimd.Store(scores + Tile + Half, b1);
        TSimd.Store(scores + 2 * Tile, a2);
        TSimd.Store(scores + 2 * Tile + Half, b2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(float* q, byte* keys, int at, int dim, float* scores)
    {
        int step = GroupBytes;
        TVector a = TSimd.Broadcast(0), b = a;
        for (int d = 0; d < dim; d++, keys += step)
        {
            TVector x = TSimd.Broadcast(q[d]);
            a = TSimd.MultiplyAdd(First(keys, at), x, a);
            b = TSimd.MultiplyAdd(Second(keys, at), x, b);
        }
        TSimd.Store(scores, a);
        TSimd.Store(scores + Half, b);
    }

    // Four groups of outputs at once, which are 24 sums: for vectors of 512 bits, of which a group has one pair.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddThreeByEight(byte* value, nint step, float* weight, int count, float* outputs, int outputStride, byte* soon)
    {
        int g1 = GroupBytes, g2 = 2 * g1, g3 = 3 * g1;
        float* oa = outputs, ob = outputs + outputStride, oc = ob + outputStride;
        TVector a0 = TSimd.Load(oa), a1 = TSimd.Load(oa + Half), a2 = TSimd.Load(oa + 2 * Half), a3 = TSimd.Load(oa + 3 * Half);
        TVector a4 = TSimd.Load(oa + 4 * Half), a5 = TSimd.Load(oa + 5 * Half), a6 = TSimd.Load(oa + 6 * Half), a7 = TSimd.Load(oa + 7 * Half);
        TVector b0 = TSimd.Load(ob), b1 = TSimd.Load(ob + Half), b2 = TSimd.Load(ob + 2 * Half), b3 = TSimd.Load(ob + 3 * Half);
        TVector b4 = TSimd.Load(ob + 4 * Half), b5 = TSimd.Load(ob + 5 * Half), b6 = TSimd.Load(ob + 6 * Half), b7 = TSimd.Load(ob + 7 * Half);
        TVector c0 = TSimd.Load(oc), c1 = TSimd.Load(oc + Half), c2 = TSimd.Load(oc + 2 * Half), c3 = TSimd.Load(oc + 3 * Half);
        TVector c4 = TSimd.Load(oc + 4 * Half), c5 = TSimd.Load(oc + 5 * Half), c6 = TSimd.Load(oc + 6 * Half), c7 = TSimd.Load(oc + 7 * Half);
        for (int s = 0; s < count; s++, value += step, weight++, soon += step)
        {
            Fetch(soon);
            Fetch(soon + 64);
            if (TElements.Size > 1)
            {
                Fetch(soon + 128);
                Fetch(soon + 192);
            }
            if (TElements.Size > 2)
                for (int line = 256; line < 512; line += 64)
                    Fetch(soon + line);
            TVector a = TSimd.Broadcast(*weight), b = TSimd.Broadcast(weight[Tile]), c = TSimd.Broadcast(weight[2 * Tile]);
            TVector v = First(value, 0);
            a0 = TSimd.MultiplyAdd(v, a, a0);
            b0 = TSimd.MultiplyAdd(v, b, b0);
            c0 = TSimd.MultiplyAdd(v, c, c0);
            v = Second(value, 0);
            a1 = TSimd.MultiplyAdd(v, a, a1);
            b1 = TSimd.MultiplyAdd(v, b, b1);
            c1 = TSimd.MultiplyAdd(v, c, c1);
            v = First(value + g1, 0);
            a2 = TSimd.MultiplyAdd(v, a, a2);
            b2 = TSimd.MultiplyAdd(v, b, b2);
            c2 = TSimd.MultiplyAdd(v, c, c2);
            v = Second(value + g1, 0);
            a3 = TSimd.MultiplyAdd(v, a, a3);
            b3 = TSimd.MultiplyAdd(v, b, b3);
            c3 = TSimd.MultiplyAdd(v, c, c3);
            v = First(value + g2, 0);
            a4 = TSimd.MultiplyAdd(v, a, a4);
            b4 = TSimd.MultiplyAdd(v, b, b4);
            c4 = TSimd.MultiplyAdd(v, c, c4);
            v = Second(value + g2, 0);
            a5 = TSimd.MultiplyAdd(v, a, a5);
            b5 = TSimd.MultiplyAdd(v, b, b5);
            c5 = TSimd.MultiplyAdd(v, c, c5);
            v = First(value + g3, 0);
            a6 = TSimd.MultiplyAdd(v, a, a6);
            b6 = TSimd.MultiplyAdd(v, b, b6);
            c6 = TSimd.MultiplyAdd(v, c, c6);
            v = Second(value + g3, 0);
            a7 = TSimd.MultiplyAdd(v, a, a7);
            b7 = TSimd.MultiplyAdd(v, b, b7);
            c7 = TSimd.MultiplyAdd(v, c, c7);
        }
        TSimd.Store(oa, a0);
        TSimd.Store(oa + Half, a1);
        TSimd.Store(oa + 2 * Half, a2);
        TSimd.Store(oa + 3 * Half, a3);
        TSimd.Store(oa + 4 * Half, a4);
        TSimd.Store(oa + 5 * Half, a5);
        TSimd.Store(oa + 6 * Half, a6);
        TSimd.Store(oa + 7 * Half, a7);
        TSimd.Store(ob, b0);
        TSimd.Store(ob + Half, b1);
        TSimd.Store(ob + 2 * Half, b2);
        TSimd.Store(ob + 3 * Half, b3);
        TSimd.Store(ob + 4 * Half, b4);
        TSimd.Store(ob + 5 * Half, b5);
        TSimd.Store(ob + 6 * Half, b6);
        TSimd.Store(ob + 7 * Half, b7);
        TSimd.Store(oc, c0);
        TSimd.Store(oc + Half, c1);
        TSimd.Store(oc + 2 * Half, c2);
        TSimd.Store(oc + 3 * Half, c3);
        TSimd.Store(oc + 4 * Half, c4);
        TSimd.Store(oc + 5 * Half, c5);
        TSimd.Store(oc + 6 * Half, c6);
        TSimd.Store(oc + 7 * Half, c7);
    }

    // Two pairs of vectors of outputs at once, which are 12 sums.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddThreeByFour(byte* values, nint step, float* weight, int count, float* outputs, int outputStride, int pair)
    {
        int at = pair % Pairs * TSimd.Width, nextAt = (pair + 1) % Pairs * TSimd.Width;
        int group = pair / Pairs, nextGroup = (pair + 1) / Pairs;
        byte* value = values + group * GroupBytes, next = values + nextGroup * GroupBytes;
        float* oa = outputs + group * KeyValueGroup.Size + at, ob = oa + outputStride, oc = ob + outputStride;
        nint more = (nextGroup - group) * KeyValueGroup.Size + nextAt - at;
        TVector a0 = TSimd.Load(oa), a1 = TSimd.Load(oa + Half), a2 = TSimd.Load(oa + more), a3 = TSimd.Load(oa + more + Half);
        TVector b0 = TSimd.Load(ob), b1 = TSimd.Load(ob + Half), b2 = TSimd.Load(ob + more), b3 = TSimd.Load(ob + more + Half);
        TVector c0 = TSimd.Load(oc), c1 = TSimd.Load(oc + Half), c2 = TSimd.Load(oc + more), c3 = TSimd.Load(oc + more + Half);
        for (int s = 0; s < count; s++, value += step, next += step, weight++)
        {
            TVector a = TSimd.Broadcast(*weight), b = TSimd.Broadcast(weight[Tile]), c = TSimd.Broadcast(weight[2 * Tile]);
            TVector v = First(value, at);
            a0 = TSimd.MultiplyAdd(v, a, a0);
            b0 = TSimd.MultiplyAdd(v, b, b0);
            c0 = TSimd.MultiplyAdd(v, c, c0);
            v = Second(value, at);
            a1 = TSimd.MultiplyAdd(v, a, a1);
            b1 = TSimd.MultiplyAdd(v, b, b1);
            c1 = TSimd.MultiplyAdd(v, c, c1);
            v = First(next, nextAt);
            a2 = TSimd.MultiplyAdd(v, a, a2);
            b2 = TSimd.MultiplyAdd(v, b, b2);
            c2 = TSimd.MultiplyAdd(v, c, c2);
            v = Second(next, nextAt);
            a3 = TSimd.MultiplyAdd(v, a, a3);
            b3 = TSimd.MultiplyAdd(v, b, b3);
            c3 = TSimd.MultiplyAdd(v, c, c3);
        }
        TSimd.Store(oa, a0);
        TSimd.Store(oa + Half, a1);
        TSimd.Store(oa + more, a2);
        TSimd.Store(oa + more + Half, a3);
        TSimd.Store(ob, b0);
        TSimd.Store(ob + Half, b1);
        TSimd.Store(ob + more, b2);
        TSimd.Store(ob + more + Half, b3);
        TSimd.Store(oc, c0);
        TSimd.Store(oc + Half, c1);
        TSimd.Store(oc + more, c2);
        TSimd.Store(oc + more + Half, c3);
    }

    // One lane, from a pair on.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddOne(byte* values, nint step, float* weights, int count, float* output, int pair, int pairs)
    {
        for (; pair < pairs; pair++)
        {
            int at = pair % Pairs * TSimd.Width, group = pair / Pairs;
            byte* value = values + group * GroupBytes;
            float* o = output + group * KeyValueGroup.Size + at;
            TVector a = TSimd.Load(o), b = TSimd.Load(o + Half);
            for (int s = 0; s < count; s++, value += step)
            {
                TVector w = TSimd.Broadcast(weights[s]);
                a = TSimd.MultiplyAdd(First(value, at), w, a);
                b = TSimd.MultiplyAdd(Second(value, at), w, b);
            }
            TSimd.Store(o, a);
            TSimd.Store(o + Half, b);
        }
    }
}
