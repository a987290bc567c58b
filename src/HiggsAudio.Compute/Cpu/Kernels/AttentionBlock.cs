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
internal unsafe struct AttentionBlock<TLanes, TVector> where TLanes : struct, ILanes<TVector> where TVector : unmanaged
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
    public static int MaxLanes => 2 * TLanes.Count;

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
            LaneProducts.Compute<TLanes, TVector>(_queries, _width, keys, stride, count, _dim, scale, _scores, next, values);
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
        for (int i = 0; i < _width; i += TLanes.Count)
        {
            TVector a = TLanes.Load(maxima + i), b = TLanes.Load(laterMaxima + i), max = TLanes.Max(a, b);
            a = VectorMath.Exp<TLanes, TVector>(TLanes.Subtract(a, max));
            b = VectorMath.Exp<TLanes, TVector>(TLanes.Subtract(b, max));
            TLanes.Store(max, maxima + i);
            TLanes.Store(TLanes.MultiplyAdd(TLanes.Load(sums + i), a, TLanes.Multiply(TLanes.Load(laterSums + i), b)), sums + i);
            TLanes.Store(a, _corrections + i);
            TLanes.Store(b, laterCorrections + i);
        }
        for (int lane = 0; lane < _lanes; lane++)
        {
            TVector a = TLanes.Create(_corrections[lane]), b = TLanes.Create(laterCorrections[lane]);
            float* to = state + lane * _stride, from = later + lane * _stride;
            for (int d = 0; d < _stride; d += TLanes.Count)
                TLanes.Store(TLanes.MultiplyAdd(TLanes.Load(to + d), a, TLanes.Multiply(TLanes.Load(from + d), b)), to + d);
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

    private static int Width(int lanes) => lanes > TLanes.Count ? 2 * TLanes.Count : TLanes.Count;

    // Outputs are kept in whole vectors.
    private static int Stride(int dim) => (dim + TLanes.Count - 1) / TLanes.Count * TLanes.Count;

    private readonly float* Maxima(float* state) => state + _lanes * _stride;

    private readonly float* Sums(float* state) => Maxima(state) + _width;

    // Takes away the scores of hidden slots and of those behind a lane's limit.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Mask(int slot, int count, uint hiddenBits)
    {
        TVector none = TLanes.Create(float.NegativeInfinity);
        float firstLimit = _limits[0];
        for (int lane = 1; lane < _lanes; lane++)
            firstLimit = Math.Min(firstLimit, _limits[lane]);
        for (int s = Math.Max(0, (int)firstLimit + 1 - slot); s < count; s++)
            for (int i = 0; i < _width; i += TLanes.Count)
            {
                float* score = _scores + s * _width + i;
                TLanes.Store(TLanes.WhereGreater(TLanes.Create(slot + s), TLanes.Load(_limits + i), none, TLanes.Load(score)), score);
            }
        for (int s = 0; s < count && hiddenBits >> s != 0; s++)
            if ((hiddenBits >> s & 1) != 0)
                new Span<float>(_scores + s * _width, _width).Fill(float.NegativeInfinity);
    }

    // Turns scores into weights relative to the new maxima, and notes by what older weights change.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Weigh(int count, float* maxima, float* sums)
    {
        for (int i = 0; i < _width; i += TLanes.Count)
        {
            float* scores = _scores + i;
            TVector before = TLanes.Load(maxima + i), max = before;
            for (int s = 0; s < count; s++)
                max = TLanes.Max(max, TLanes.Load(scores + s * _width));
            TVector correction = VectorMath.Exp<TLanes, TVector>(TLanes.Subtract(before, max));
            TVector sum = TLanes.Multiply(TLanes.Load(sums + i), correction);
            for (int s = 0; s < count; s++)
            {
                TVector weight = VectorMath.Exp<TLanes, TVector>(TLanes.Subtract(TLanes.Load(scores + s * _width), max));
                sum = TLanes.Add(sum, weight);
                TLanes.Store(weight, scores + s * _width);
            }
            TLanes.Store(max, maxima + i);
            TLanes.Store(sum, sums + i);
            TLanes.Store(correction, _corrections + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Rescale(float* state)
    {
        for (int lane = 0; lane < _lanes; lane++)
        {
            if (_corrections[lane] == 1)
                continue;
            TVector correction = TLanes.Create(_corrections[lane]);
            float* output = state + lane * _stride;
            for (int d = 0; d < _stride; d += TLanes.Count)
                TLanes.Store(TLanes.Multiply(TLanes.Load(output + d), correction), output + d);
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
        int n = TLanes.Count;
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
        int n = TLanes.Count;
        float* oa = outputs, ob = outputs + _stride, oc = ob + _stride;
        TVector a0 = TLanes.Load(oa), a1 = TLanes.Load(oa + n), a2 = TLanes.Load(oa + 2 * n), a3 = TLanes.Load(oa + 3 * n);
        TVector b0 = TLanes.Load(ob), b1 = TLanes.Load(ob + n), b2 = TLanes.Load(ob + 2 * n), b3 = TLanes.Load(ob + 3 * n);
        TVector c0 = TLanes.Load(oc), c1 = TLanes.Load(oc + n), c2 = TLanes.Load(oc + 2 * n), c3 = TLanes.Load(oc + 3 * n);
        float* value = values + from * stride, weight = weights + (nint)from * _width;
        int width = _width;
        for (int s = from; s < to; s++, value += stride, weight += width)
        {
            TVector a = TLanes.Create(weight[0]), b = TLanes.Create(weight[1]), c = TLanes.Create(weight[2]);
            TVector v = TLanes.Load(value);
            a0 = TLanes.MultiplyAdd(v, a, a0);
            b0 = TLanes.MultiplyAdd(v, b, b0);
            c0 = TLanes.MultiplyAdd(v, c, c0);
            v = TLanes.Load(value + n);
            a1 = TLanes.MultiplyAdd(v, a, a1);
            b1 = TLanes.MultiplyAdd(v, b, b1);
            c1 = TLanes.MultiplyAdd(v, c, c1);
            v = TLanes.Load(value + 2 * n);
            a2 = TLanes.MultiplyAdd(v, a, a2);
            b2 = TLanes.MultiplyAdd(v, b, b2);
            c2 = TLanes.MultiplyAdd(v, c, c2);
            v = TLanes.Load(value + 3 * n);
            a3 = TLanes.MultiplyAdd(v, a, a3);
            b3 = TLanes.MultiplyAdd(v, b, b3);
            c3 = TLanes.MultiplyAdd(v, c, c3);
        }
        TLanes.Store(a0, oa);
        TLanes.Store(a1, oa + n);
        TLanes.Store(a2, oa + 2 * n);
        TLanes.Store(a3, oa + 3 * n);
        TLanes.Store(b0, ob);
        TLanes.Store(b1, ob + n);
        TLanes.Store(b2, ob + 2 * n);
        TLanes.Store(b3, ob + 3 * n);
        TLanes.Store(c0, oc);
        TLanes.Store(c1, oc + n);
        TLanes.Store(c2, oc + 2 * n);
        TLanes.Store(c3, oc + 3 * n);
    }

    // One lane, features from d on.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void AddOne(float* values, nint stride, float* weights, int from, int to, float* output, int d)
    {
        int n = TLanes.Count, width = _width;
        for (; d <= _stride - 4 * n; d += 4 * n)
        {
            float* o = output + d, value = values + from * stride + d, weight = weights + (nint)from * width;
            TVector a0 = TLanes.Load(o), a1 = TLanes.Load(o + n), a2 = TLanes.Load(o + 2 * n), a3 = TLanes.Load(o + 3 * n);
            for (int s = from; s < to; s++, value += stride, weight += width)
            {
                TVector w = TLanes.Create(*weight);
                a0 = TLanes.MultiplyAdd(TLanes.Load(value), w, a0);
                a1 = TLanes.MultiplyAdd(TLanes.Load(value + n), w, a1);
                a2 = TLanes.MultiplyAdd(TLanes.Load(value + 2 * n), w, a2);
                a3 = TLanes.MultiplyAdd(TLanes.Load(value + 3 * n), w, a3);
            }
            TLanes.Store(a0, o);
            TLanes.Store(a1, o + n);
            TLanes.Store(a2, o + 2 * n);
            TLanes.Store(a3, o + 3 * n);
        }
        for (; d < _stride; d += n)
        {
            TVector sum = TLanes.Load(output + d);
            for (int s = from; s < to; s++)
                sum = TLanes.MultiplyAdd(TLanes.Load(values + s * stride + d), TLanes.Create(weights[(nint)s * width]), sum);
            TLanes.Store(sum, output + d);
        }
    }
}
