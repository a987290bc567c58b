namespace HiggsAudio.Generation;

/// <summary>
/// Draws tokens and codes from logits. A draw is a function of (seed, step, row, logits) alone, computed with operations that IEEE 754
/// defines to the last bit (<see cref="Philox"/>, <see cref="PortableExp"/>, sums in index order): the same logits give the same codes on
/// every machine. Owns buffers: one per sequence, for one thread.
/// </summary>
internal class Sampler
{
    private readonly LogitsProcessor? _processor;   // null: greedy
    private readonly ulong _seed;
    private float[] _scores = [];
    private int[] _kept = [];
    private float[] _keptScores = [];
    private double[] _weights = [];

    /// <param name="options">Temperature, TopK and TopP are used.</param>
    /// <param name="seed">Overrides the options' seed. If both are null, it is random.</param>
    public Sampler(GenerationOptions options, long? seed = null)
    {
        Seed = seed ?? options.Seed ?? Random.Shared.NextInt64();
        _seed = unchecked((ulong)Seed);
        _processor = options.Temperature == 0 ? null : new LogitsProcessor(options.Temperature, options.TopK, options.TopP);
    }

    /// <summary>The seed in use.</summary>
    public long Seed { get; }

    /// <summary>Draws from the processed logits; the first largest if greedy.</summary>
    /// <param name="logits">[vocabulary].</param>
    /// <param name="step">Which step of the sequence.</param>
    /// <param name="row">Which codebook; 0 for text.</param>
    /// <exception cref="InvalidOperationException">The logits are not numbers.</exception>
    public virtual int Draw(ReadOnlySpan<float> logits, int step, int row)
    {
        int best = Largest(logits);
        if (_processor is null)
            return best;
        Span<float> scores = Reserve(ref _scores, logits.Length);
        _processor.Apply(logits, scores);
        return Pick(scores, best, Philox.Uniform((uint)step, (uint)row, 0, 0, _seed));
    }

    /// <summary>Draws from the softmax of the logits as they are: the second draw of <see cref="RepetitionAwareSampling"/>.</summary>
    /// <inheritdoc cref="Draw" path="/param|/exception"/>
    public virtual int Redraw(ReadOnlySpan<float> logits, int step, int row) =>
        Pick(logits, Largest(logits), Philox.Uniform((uint)step, (uint)row, 1, 0, _seed));

    // The inverse of the cumulative distribution, in index order.
    private int Pick(ReadOnlySpan<float> scores, int best, double uniform)
    {
        Span<int> kept = Reserve(ref _kept, scores.Length);
        Span<float> keptScores = Reserve(ref _keptScores, scores.Length);
        int count = 0;
        for (int i = 0; i < scores.Length; i++)
            if (scores[i] > float.NegativeInfinity)
                (kept[count], keptScores[count++]) = (i, scores[i]);
        Span<double> weights = Reserve(ref _weights, scores.Length)[..count];
        PortableExp.Exp(keptScores[..count], scores[best], weights);
        double total = 0, sum = 0;
        foreach (double weight in weights)
            total += weight;
        for (int i = 0; i < count; i++)
            if ((sum += weights[i]) > uniform * total)
                return kept[i];
        return best;   // not reached: uniform is below 1 and the last sum is the total
    }

    private static int Largest(ReadOnlySpan<float> logits)
    {
        int best = -1;
        float largest = float.NegativeInfinity;
        bool numbers = true;
        for (int i = 0; i < logits.Length; i++)
        {
            numbers &= logits[i] < float.PositiveInfinity;   // false for NaN too
            if (logits[i] > largest)
                (best, largest) = (i, logits[i]);
        }
        return numbers && best >= 0 ? best : throw new InvalidOperationException("the model's logits are not finite numbers");
    }

    private static Span<T> Reserve<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
            buffer = new T[length];
        return buffer.AsSpan(0, length);
    }
}
