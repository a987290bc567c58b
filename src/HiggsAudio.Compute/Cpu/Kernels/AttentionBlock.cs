using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Keys and values of one head. This is the one place where attention reads them.</summary>
internal unsafe interface IKeyValueSource
{
    /// <summary>Keys of up to <see cref="AttentionBlock.Tile"/> slots, from a multiple of it on.</summary>
    float* Keys(int slot, out nint stride);

    /// <summary>Values of the same slots.</summary>
    float* Values(int slot, out nint stride);
}

/// <summary>How slots are grouped; it decides the order of sums, so it is the same for every row.</summary>
internal static class AttentionBlock
{
    /// <summary>Slots between two looks at the maximum of the scores; the bits of a word say which of them are hidden.</summary>
    public const int Tile = 32;

    /// <summary>Slots that are summed up by themselves.</summary>
    public const int Section = 256;

    /// <summary>Number of sections up to a slot.</summary>
    public static int Sections(int lastSlot) => lastSlot / Section + 1;
}

/// <summary>
/// Attention of a block of queries, one per lane of one or two vectors, to the slots of one key-value head, with a running softmax
/// (FlashAttention, arXiv:2205.14135). Elements of keys are broadcast to all lanes, so scores, maxima and exponentials are vertical;
/// values are added up row by row.
/// </summary>
/// <remarks>
/// What a lane gets depends on its query, its limit and the slots alone: tiles and sections begin at fixed slots, every product and sum
/// has a fixed order, and slots beyond the limit change nothing, exactly. So sections of slots can be computed by different threads and
/// joined in order, and give the same bits as one after the other.
/// </remarks>
internal unsafe struct AttentionBlock<TSimd, TVector> where TSimd : struct, ISimd<TVector> where TVector : unmanaged
{
    private const float NoScore = float.MinValue;

    private readonly int _dim, _lanes, _width, _stride;
    private readonly float* _queries, _scores, _limits, _corrections, _padded;

    /// <param name="dim">Features of a head.</param>
    /// <param name="lanes">Queries of the block.</param>
    /// <param name="memory">Room for <see cref="WorkFloats"/> floats.</param>
    public AttentionBlock(int dim, int lanes, float* memory)
    {
        (_dim, _lanes, _width, _stride) = (dim, lanes, Width(lanes), Stride(dim));
        _queries = memory;                                          // [dim, width]
        _scores = _queries + (nint)dim * _width;                    // [Tile, width]
        _limits = _scores + AttentionBlock.Tile * _width;           // [width]
        _corrections = _limits + _width;                            // [width]
        _padded = _corrections + _width;                            // [Tile, stride]
        for (int lane = 0; lane < _width; lane++)
            _limits[lane] = -1;
        new Span<float>(_queries, dim * _width).Clear();
    }

    /// <summary>The largest number of queries in a block.</summary>
    public static int MaxLanes => 2 * TSimd.Width;

    /// <summary>Floats that a block works in.</summary>
    public static long WorkFloats(int dim) => (dim + AttentionBlock.Tile + 2L) * MaxLanes + (dim == Stride(dim) ? 0 : AttentionBlock.Tile * Stride(dim));

    /// <summary>Floats of a result: outputs of all lanes [lanes, stride], maxima [width], sums of weights [width].</summary>
    public static long StateFloats(int dim, int lanes) => (long)lanes * Stride(dim) + 2 * Width(lanes);

    /// <summary>Sets the query of a lane, and the last slot that it sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Set(int lane, float* query, int limit)
    {
        for (int d = 0; d < _dim; d++)
            _queries[(nint)d * _width + lane] = query[d];
        _limits[lane] = limit;
    }

    /// <summary>Attends to the slots of one section, up to the last one.</summary>
    /// <param name="source">Keys and values.</param>
    /// <param name="section">Which section.</param>
    /// <param name="lastSlot">The last slot that any lane sees.</param>
    /// <param name="hidden">A bit for every slot that no lane sees, or null.</param>
    /// <param name="scale">Factor of the scores.</param>
    /// <param name="state">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Attend<TSource>(in TSource source, int section, int lastSlot, uint* hidden, float scale, float* state) where TSource : IKeyValueSource
    {
        new Span<float>(state, _lanes * _stride).Clear();
        new Span<float>(Maxima(state), _width).Fill(NoScore);
        new Span<float>(Sums(state), _width).Clear();
        int first = section * AttentionBlock.Section, end = Math.Min(lastSlot + 1, first + AttentionBlock.Section);
        for (int slot = first; slot < end; slot += AttentionBlock.Tile)
        {
            int count = Math.Min(AttentionBlock.Tile, end - slot);
            uint hiddenBits = hidden == null ? 0 : hidden[slot / AttentionBlock.Tile];
            float* keys = source.Keys(slot, out nint stride), values = source.Values(slot, out nint valueStride);
            float* next = slot + AttentionBlock.Tile < end ? source.Keys(slot + AttentionBlock.Tile, out _) : keys;
            LaneProducts.Compute<TSimd, TVector>(_queries, _width, keys, stride, count, _dim, scale, _scores, next, values);
            Mask(slot, count, hiddenBits);
            Weigh(count, Maxima(state), Sums(state));
            Rescale(state);
            if (_dim != _stride)
                values = Pad(values, ref valueStride, count);
            for (int from = 0; from < count;)
            {
                // Values of hidden slots are not touched: nobody has to have written them.
                int to = from;
                while (to < count && (hiddenBits >> to & 1) == 0)
                    to++;
                AddValues(values, valueStride, slot, from, to, state);
                from = to + 1;
            }
        }
    }

    /// <summary>Joins the result of a later section to that of the sections before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Join(float* state, float* later)
    {
        float* maxima = Maxima(state), sums = Sums(state), laterMaxima = Maxima(later), laterSums = Sums(later), laterCorrections = _scores;
        for (int i = 0; i < _width; i += TSimd.Width)
        {
            TVector a = TSimd.Load(maxima + i), b = TSimd.Load(laterMaxima + i), max = TSimd.Max(a, b);
            a = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(a, max));
            b = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(b, max));
            TSimd.Store(maxima + i, max);
            TSimd.Store(sums + i, TSimd.MultiplyAdd(TSimd.Load(sums + i), a, TSimd.Multiply(TSimd.Load(laterSums + i), b)));
            TSimd.Store(_corrections + i, a);
            TSimd.Store(laterCorrections + i, b);
        }
        for (int lane = 0; lane < _lanes; lane++)
        {
            TVector a = TSimd.Broadcast(_corrections[lane]), b = TSimd.Broadcast(laterCorrections[lane]);
            float* to = state + lane * _stride, from = later + lane * _stride;
            for (int d = 0; d < _stride; d += TSimd.Width)
                TSimd.Store(to + d, TSimd.MultiplyAdd(TSimd.Load(to + d), a, TSimd.Multiply(TSimd.Load(from + d), b)));
        }
    }

    /// <summary>Writes a lane's output; zeros if it saw nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Finish(float* state, int lane, float* y)
    {
        float sum = Sums(state)[lane], factor = sum == 0 ? 0 : 1 / sum;
        float* output = state + lane * _stride;
        for (int d = 0; d < _dim; d++)
            y[d] = output[d] * factor;
    }

    private static int Width(int lanes) => lanes > TSimd.Width ? 2 * TSimd.Width : TSimd.Width;

    // Outputs are kept in whole vectors.
    private static int Stride(int dim) => (dim + TSimd.Width - 1) / TSimd.Width * TSimd.Width;

    private readonly float* Maxima(float* state) => state + _lanes * _stride;

    private readonly float* Sums(float* state) => Maxima(state) + _width;

    // Takes away the scores of hidden slots and of those behind a lane's limit.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Mask(int slot, int count, uint hiddenBits)
    {
        TVector none = TSimd.Broadcast(float.NegativeInfinity);
        float firstLimit = _limits[0];
        for (int lane = 1; lane < _lanes; lane++)
            firstLimit = Math.Min(firstLimit, _limits[lane]);
        for (int s = Math.Max(0, (int)firstLimit + 1 - slot); s < count; s++)
            for (int i = 0; i < _width; i += TSimd.Width)
            {
                float* score = _scores + s * _width + i;
                TSimd.Store(score, TSimd.WhereGreater(TSimd.Broadcast(slot + s), TSimd.Load(_limits + i), none, TSimd.Load(score)));
            }
        for (int s = 0; s < count && hiddenBits >> s != 0; s++)
            if ((hiddenBits >> s & 1) != 0)
                new Span<float>(_scores + s * _width, _width).Fill(float.NegativeInfinity);
    }

    // Turns scores into weights relative to the new maxima, and notes by what older weights change.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Weigh(int count, float* maxima, float* sums)
    {
        for (int i = 0; i < _width; i += TSimd.Width)
        {
            float* scores = _scores + i;
            TVector before = TSimd.Load(maxima + i), max = before;
            for (int s = 0; s < count; s++)
                max = TSimd.Max(max, TSimd.Load(scores + s * _width));
            TVector correction = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(before, max));
            TVector sum = TSimd.Multiply(TSimd.Load(sums + i), correction);
            for (int s = 0; s < count; s++)
            {
                TVector weight = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + s * _width), max));
                sum = TSimd.Add(sum, weight);
                TSimd.Store(scores + s * _width, weight);
            }
            TSimd.Store(maxima + i, max);
            TSimd.Store(sums + i, sum);
            TSimd.Store(_corrections + i, correction);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Rescale(float* state)
    {
        for (int lane = 0; lane < _lanes; lane++)
        {
            if (_corrections[lane] == 1)
                continue;
            TVector correction = TSimd.Broadcast(_corrections[lane]);
            float* output = state + lane * _stride;
            for (int d = 0; d < _stride; d += TSimd.Width)
                TSimd.Store(output + d, TSimd.Multiply(TSimd.Load(output + d), correction));
        }
    }

    private readonly float* Pad(float* values, ref nint stride, int count)
    {
        for (int s = 0; s < count; s++)
        {
            var row = new Span<float>(_padded + s * _stride, _stride);
            new ReadOnlySpan<float>(values + s * stride, _dim).CopyTo(row);
            row[_dim..].Clear();
        }
        stride = _stride;
        return _padded;
    }

    // Adds the weighted values of the tile's slots from … to − 1 to the outputs: three lanes together, or one.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void AddValues(float* values, nint stride, int slot, int from, int to, float* state)
    {
        int n = TSimd.Width;
        for (int lane = 0; lane < _lanes;)
        {
            int together = lane + 3 <= _lanes ? 3 : 1;
            float limit = _limits[lane];
            for (int i = 1; i < together; i++)
                limit = Math.Max(limit, _limits[lane + i]);
            int end = Math.Min(to, (int)limit + 1 - slot);
            float* weights = _scores + lane, outputs = state + lane * _stride;
            int d = 0;
            for (; together == 3 && from < end && d <= _stride - 4 * n; d += 4 * n)
                AddThreeByFour(values + d, stride, weights, from, end, outputs + d);
            for (int i = 0; i < together && from < end; i++)
                AddOne(values, stride, weights + i, from, end, outputs + i * _stride, d);
            lane += together;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void AddThreeByFour(float* values, nint stride, float* weights, int from, int to, float* outputs)
    {
        int n = TSimd.Width;
        float* oa = outputs, ob = outputs + _stride, oc = ob + _stride;
        TVector a0 = TSimd.Load(oa), a1 = TSimd.Load(oa + n), a2 = TSimd.Load(oa + 2 * n), a3 = TSimd.Load(oa + 3 * n);
        TVector b0 = TSimd.Load(ob), b1 = TSimd.Load(ob + n), b2 = TSimd.Load(ob + 2 * n), b3 = TSimd.Load(ob + 3 * n);
        TVector c0 = TSimd.Load(oc), c1 = TSimd.Load(oc + n), c2 = TSimd.Load(oc + 2 * n), c3 = TSimd.Load(oc + 3 * n);
        float* value = values + from * stride, weight = weights + (nint)from * _width;
        int width = _width;
        for (int s = from; s < to; s++, value += stride, weight += width)
        {
            TVector a = TSimd.Broadcast(weight[0]), b = TSimd.Broadcast(weight[1]), c = TSimd.Broadcast(weight[2]);
            TVector v = TSimd.Load(value);
            a0 = TSimd.MultiplyAdd(v, a, a0);
            b0 = TSimd.MultiplyAdd(v, b, b0);
            c0 = TSimd.MultiplyAdd(v, c, c0);
            v = TSimd.Load(value + n);
            a1 = TSimd.MultiplyAdd(v, a, a1);
            b1 = TSimd.MultiplyAdd(v, b, b1);
            c1 = TSimd.MultiplyAdd(v, c, c1);
            v = TSimd.Load(value + 2 * n);
            a2 = TSimd.MultiplyAdd(v, a, a2);
            b2 = TSimd.MultiplyAdd(v, b, b2);
            c2 = TSimd.MultiplyAdd(v, c, c2);
            v = TSimd.Load(value + 3 * n);
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
    private readonly void AddOne(float* values, nint stride, float* weights, int from, int to, float* output, int d)
    {
        int n = TSimd.Width, width = _width;
        for (; d <= _stride - 4 * n; d += 4 * n)
        {
            float* o = output + d, value = values + from * stride + d, weight = weights + (nint)from * width;
            TVector a0 = TSimd.Load(o), a1 = TSimd.Load(o + n), a2 = TSimd.Load(o + 2 * n), a3 = TSimd.Load(o + 3 * n);
            for (int s = from; s < to; s++, value += stride, weight += width)
            {
                TVector w = TSimd.Broadcast(*weight);
                a0 = TSimd.MultiplyAdd(TSimd.Load(value), w, a0);
                a1 = TSimd.MultiplyAdd(TSimd.Load(value + n), w, a1);
                a2 = TSimd.MultiplyAdd(TSimd.Load(value + 2 * n), w, a2);
                a3 = TSimd.MultiplyAdd(TSimd.Load(value + 3 * n), w, a3);
            }
            TSimd.Store(o, a0);
            TSimd.Store(o + n, a1);
            TSimd.Store(o + 2 * n, a2);
            TSimd.Store(o + 3 * n, a3);
        }
        for (; d < _stride; d += n)
        {
            TVector sum = TSimd.Load(output + d);
            for (int s = from; s < to; s++)
                sum = TSimd.MultiplyAdd(TSimd.Load(values + s * stride + d), TSimd.Broadcast(weights[(nint)s * width]), sum);
            TSimd.Store(output + d, sum);
        }
    }
}
