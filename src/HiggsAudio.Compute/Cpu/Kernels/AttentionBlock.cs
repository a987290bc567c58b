using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>How slots are grouped; it decides the order of sums, so it is the same for every row.</summary>
internal static class AttentionBlock
{
    /// <summary>Slots between two looks at the maximum of the scores; the bits of a word say which of them are hidden.</summary>
    public const int Tile = KeyValueGroup.Size;

    /// <summary>Slots that are summed up by themselves.</summary>
    public const int Section = 256;

    /// <summary>The largest number of queries in a block.</summary>
    public const int MaxLanes = 24;

    /// <summary>Number of sections up to a slot.</summary>
    public static int Sections(int lastSlot) => lastSlot / Section + 1;
}

/// <summary>
/// Attention of a block of queries (lanes) to the slots of one key-value head, with a running softmax (FlashAttention, arXiv:2205.14135).
/// Scores are computed for vectors of slots, outputs for vectors of features; both read keys and values once for three or six lanes, which
/// is what the heads of a row that share them are.
/// </summary>
/// <remarks>
/// What a lane gets depends on its query, its limit and the slots alone: tiles and sections begin at fixed slots, every product and sum
/// has a fixed order, and slots beyond the limit change nothing, exactly. So sections of slots can be computed by different threads and
/// joined in order, and give the same bits as one after the other.
/// </remarks>
internal unsafe struct AttentionBlock<TSimd, TVector> where TSimd : struct, ISimd<TVector> where TVector : unmanaged
{
    private const int Tile = AttentionBlock.Tile;
    private const float NoScore = float.MinValue;

    private readonly int _dim, _lanes, _stride;
    private readonly float* _queries, _scores, _indices, _limits, _corrections, _padded;

    /// <param name="dim">Features of a head.</param>
    /// <param name="lanes">Queries of the block.</param>
    /// <param name="memory">Room for <see cref="WorkFloats"/> floats.</param>
    public AttentionBlock(int dim, int lanes, float* memory)
    {
        (_dim, _lanes, _stride) = (dim, lanes, Stride(dim));
        _scores = memory;                                           // [lanes, Tile]
        _indices = _scores + AttentionBlock.MaxLanes * Tile;        // [Tile]: 0, 1, 2 …
        _limits = _indices + Tile;                                  // [lanes]
        _corrections = _limits + Tile;                              // [lanes]
        _padded = _corrections + Tile;                              // [Tile, stride], if a row is not whole groups
        _queries = _padded + (dim == _stride ? 0 : Tile * _stride); // [lanes, dim]
        for (int i = 0; i < Tile; i++)
            _indices[i] = i;
    }

    /// <summary>Floats that a block works in.</summary>
    public static long WorkFloats(int dim) =>
        AttentionBlock.MaxLanes * ((long)Tile + dim) + 3 * Tile + (dim == Stride(dim) ? 0 : (long)Tile * Stride(dim)) + TSimd.Width;

    /// <summary>Floats of a result: outputs of all lanes [lanes, stride], maxima [lanes], sums of weights [lanes], in whole groups.</summary>
    public static long StateFloats(int dim, int lanes) => (long)lanes * Stride(dim) + 2 * Stride(lanes);

    /// <summary>Sets the query of a lane, and the last slot that it sees.</summary>
    public readonly void Set(int lane, float* query, int limit)
    {
        new ReadOnlySpan<float>(query, _dim).CopyTo(new Span<float>(_queries + (nint)lane * _dim, _dim));
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
    public readonly void Attend<TSource, TElements>(in TSource source, int section, int lastSlot, uint* hidden, float scale, float* state)
        where TSource : struct, IKeyValueSource where TElements : struct, IKeyValueElements
    {
        new Span<float>(state, _lanes * _stride).Clear();
        new Span<float>(Maxima(state), _lanes).Fill(NoScore);
        new Span<float>(Sums(state), _lanes).Clear();
        int first = section * AttentionBlock.Section, end = Math.Min(lastSlot + 1, first + AttentionBlock.Section);
        for (int slot = first; slot < end; slot += Tile)
        {
            int count = Math.Min(Tile, end - slot);
            uint hiddenBits = hidden == null ? 0 : hidden[slot / Tile];
            byte* keys = source.Keys(slot), values = source.Values(slot, out nint stride);
            // Meanwhile the next tile's are fetched, also those of the next section, which usually comes next.
            bool isLast = slot + Tile > lastSlot;
            byte* nextKeys = isLast ? keys : source.Keys(slot + Tile), nextValues = isLast ? values : source.Values(slot + Tile, out _);
            AttentionProducts<TSimd, TVector, TElements>.Scores(_queries, _lanes, keys, _dim, TElements.IsScaled ? source.KeyScales(slot) : null, scale, _scores, nextKeys);
            for (int lane = 0; lane < _lanes; lane++)
            {
                Mask(lane, slot, hiddenBits);
                Weigh(lane, state, TElements.IsScaled ? source.ValueScales(slot) : null);
            }
            Rescale(state);
            for (int from = 0; from < count;)
            {
                // Values of hidden slots are not touched: nobody has to have written them.
                int to = from;
                while (to < count && (hiddenBits >> to & 1) == 0)
                    to++;
                if (_dim == _stride)
                    AddValues<TElements>(values, stride, slot, from, to, state, nextValues);
                else
                    AddValues<Float32KeyValues>(Padded<TElements>(values, stride, from, to), _stride, slot, from, to, state, nextValues);
                from = to + 1;
            }
        }
    }

    /// <summary>Joins the result of a later section to that of the sections before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Join(float* state, float* later)
    {
        for (int lane = 0; lane < _lanes; lane++)
        {
            float max = Math.Max(Maxima(state)[lane], Maxima(later)[lane]);
            float a = Exp(Maxima(state)[lane] - max), b = Exp(Maxima(later)[lane] - max);
            Maxima(state)[lane] = max;
            Sums(state)[lane] = Sums(state)[lane] * a + Sums(later)[lane] * b;
            TVector factor = TSimd.Broadcast(a), laterFactor = TSimd.Broadcast(b);
            float* to = state + lane * _stride, from = later + lane * _stride;
            for (int d = 0; d < _stride; d += TSimd.Width)
                TSimd.Store(to + d, TSimd.MultiplyAdd(TSimd.Load(to + d), factor, TSimd.Multiply(TSimd.Load(from + d), laterFactor)));
        }
    }

    /// <summary>Writes a lane's output; zeros if it saw nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Finish(float* state, int lane, float* y)
    {
        float sum = Sums(state)[lane], factor = sum == 0 ? 0 : 1 / sum;
        float* output = state + lane * _stride;
        TVector factors = TSimd.Broadcast(factor);
        int d = 0;
        for (; d <= _dim - TSimd.Width; d += TSimd.Width)
            TSimd.Store(y + d, TSimd.Multiply(TSimd.Load(output + d), factors));
        for (; d < _dim; d++)
            y[d] = output[d] * factor;
    }

    // Whole groups.
    private static int Stride(int count) => (count + KeyValueGroup.Size - 1) / KeyValueGroup.Size * KeyValueGroup.Size;

    private readonly float* Maxima(float* state) => state + _lanes * _stride;

    private readonly float* Sums(float* state) => Maxima(state) + Stride(_lanes);

    private static float Exp(float x) => VectorMath.Exp<Simd32, float>(x);

    // Takes away the scores of hidden slots and of those behind a lane's limit.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Mask(int lane, int slot, uint hiddenBits)
    {
        float* scores = _scores + lane * Tile;
        float seen = _limits[lane] - slot;
        if (seen < Tile - 1)
        {
            TVector none = TSimd.Broadcast(float.NegativeInfinity), limit = TSimd.Broadcast(seen);
            for (int i = 0; i < Tile; i += TSimd.Width)
                TSimd.Store(scores + i, TSimd.WhereGreater(TSimd.Load(_indices + i), limit, none, TSimd.Load(scores + i)));
        }
        for (int s = 0; s < Tile && hiddenBits >> s != 0; s++)
            if ((hiddenBits >> s & 1) != 0)
                scores[s] = float.NegativeInfinity;
    }

    // Turns scores into weights relative to the new maximum, and notes by what older weights change. Weights are multiplied with the values'
    // scales after they are summed up; those of slots that are not seen stay zero, whatever is in the scale.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Weigh(int lane, float* state, float* valueScales)
    {
        float* scores = _scores + lane * Tile;
        TVector largest = TSimd.Load(scores);
        for (int i = TSimd.Width; i < Tile; i += TSimd.Width)
            largest = TSimd.Max(TSimd.Load(scores + i), largest);
        float before = Maxima(state)[lane], max = Math.Max(before, TSimd.Largest(largest));
        TVector subtracted = TSimd.Broadcast(max), sum = TSimd.Broadcast(0), zero = sum;
        for (int i = 0; i < Tile; i += TSimd.Width)
        {
            TVector weight = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + i), subtracted));
            sum = TSimd.Add(sum, weight);
            if (valueScales != null)
                weight = TSimd.WhereGreater(weight, zero, TSimd.Multiply(weight, TSimd.Load(valueScales + i)), zero);
            TSimd.Store(scores + i, weight);
        }
        float correction = max == before ? 1 : Exp(before - max);
        Maxima(state)[lane] = max;
        Sums(state)[lane] = Sums(state)[lane] * correction + TSimd.Sum(sum);
        _corrections[lane] = correction;
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

    // Rows that are not whole groups, as floats with zeros behind them.
    private readonly byte* Padded<TElements>(byte* values, nint stride, int from, int to) where TElements : struct, IKeyValueElements
    {
        for (int s = from; s < to; s++)
        {
            float* row = _padded + s * _stride;
            for (int d = 0; d < _dim; d++)
                row[d] = TElements.Read(values + (s * stride + d) * TElements.Size);
            for (int d = _dim; d < _stride; d++)
                row[d] = 0;
        }
        return (byte*)_padded;
    }

    // Adds the weighted values of the tile's slots from … to − 1 to the outputs: three lanes together, or one. What a lane does not see has
    // no weight, and is not touched either: it may be not a number.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void AddValues<TElements>(byte* values, nint stride, int slot, int from, int to, float* state, byte* next) where TElements : struct, IKeyValueElements
    {
        for (int lane = 0; lane < _lanes;)
        {
            int together = lane + 3 <= _lanes ? 3 : 1;
            int end = Math.Min(to, (int)_limits[lane] + 1 - slot), common = end;
            for (int i = 1; i < together; i++)
                common = Math.Min(common, (int)_limits[lane + i] + 1 - slot);
            if (from < common)
                AttentionProducts<TSimd, TVector, TElements>.AddValues(values, stride, _scores + lane * Tile, from, common, together, state + lane * _stride, _stride, next);
            for (int i = 0; i < together; i++, lane++)
            {
                end = Math.Min(to, (int)_limits[lane] + 1 - slot);
                if (Math.Max(from, common) < end)
                    AttentionProducts<TSimd, TVector, TElements>.AddValues(values, stride, _scores + lane * Tile, Math.Max(from, common), end, 1, state + lane * _stride, _stride, next);
            }
        }
    }
}
