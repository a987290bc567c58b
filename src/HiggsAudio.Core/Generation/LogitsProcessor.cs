namespace HiggsAudio.Generation;

/// <summary>
/// Logits to the scores that are drawn from: temperature, then top-k, then top-p, with the rules of Hugging Face transformers 4.46
/// (generation/logits_process.py) for ties. Nothing is sorted but the few scores near a border: scores are counted into buckets by their
/// distance from the largest. Owns its buffers, which grow with the vocabulary: one per sequence, for one thread.
/// </summary>
internal sealed class LogitsProcessor
{
    private const int Buckets = 1024;
    private const float BucketsPerUnit = 16;

    private readonly float _temperature;
    private readonly int _topK;
    private readonly float _topP;
    private readonly float _dropped;
    private readonly int[] _counts = new int[Buckets];
    private readonly double[] _masses = new double[Buckets];
    private double[] _weights = [];
    private ulong[] _border = [];

    /// <param name="temperature">Above 0.</param>
    /// <param name="topK">Null or 0 for all.</param>
    /// <param name="topP">1 for all.</param>
    public LogitsProcessor(float temperature, int? topK, float topP)
    {
        (_temperature, _topK, _topP) = (temperature, topK ?? 0, topP);
        // 1 - p of the decimal number that was written, rounded to a float as the reference's comparison does.
        _dropped = (float)(1 - Math.Round((double)topP, 7));
    }

    /// <summary>Fills scores: logits divided by the temperature, negative infinity where removed.</summary>
    /// <param name="logits">[vocabulary], no NaN or positive infinity, at least one finite.</param>
    /// <param name="scores">[vocabulary].</param>
    public void Apply(ReadOnlySpan<float> logits, Span<float> scores)
    {
        float largest = float.NegativeInfinity;
        for (int i = 0; i < logits.Length; i++)
        {
            scores[i] = _temperature == 1 ? logits[i] : logits[i] / _temperature;
            largest = Math.Max(largest, scores[i]);
        }
        if (_border.Length < logits.Length)
            (_border, _weights) = (new ulong[logits.Length], new double[logits.Length]);
        if (_topK > 0 && _topK < logits.Length)
            KeepLargest(scores, largest);
        if (_topP < 1)
            KeepMass(scores, largest);
    }

    // Removes what is below the k-th largest score. Equals of the k-th largest stay.
    private void KeepLargest(Span<float> scores, float largest)
    {
        Array.Clear(_counts);
        foreach (float score in scores)
            _counts[Bucket(score, largest)]++;
        int bucket = 0, above = 0;
        while (above + _counts[bucket] < _topK)
            above += _counts[bucket++];
        Span<ulong> border = Border(scores, largest, bucket);
        float smallest = scores[(int)(uint)border[^(_topK - above)]];
        for (int i = 0; i < scores.Length; i++)
            if (scores[i] < smallest)
                scores[i] = float.NegativeInfinity;
    }

    // Removes from the smallest score up (among equals from the lowest index up) while what is removed has a probability of at most 1 - p.
    // The largest stays.
    private void KeepMass(Span<float> scores, float largest)
    {
        Span<double> weights = _weights.AsSpan(0, scores.Length);
        PortableExp.Exp(scores, largest, weights);
        double total = 0;
        foreach (double weight in weights)
            total += weight;
        Array.Clear(_masses);
        for (int i = 0; i < scores.Length; i++)
            _masses[Bucket(scores[i], largest)] += weights[i] = (float)(weights[i] / total);
        int bucket = Buckets - 1;
        double removed = 0;
        while (bucket > 0 && (float)(removed + _masses[bucket]) <= _dropped)
            removed += _masses[bucket--];
        Span<ulong> border = Border(scores, largest, bucket);
        for (int i = 0; i < scores.Length; i++)
            if (Bucket(scores[i], largest) > bucket)
                scores[i] = float.NegativeInfinity;
        foreach (ulong entry in bucket == 0 ? border[..^1] : border)
        {
            int index = (int)(uint)entry;
            if ((float)(removed += weights[index]) > _dropped)
                break;
            scores[index] = float.NegativeInfinity;
        }
    }

    // The scores of one bucket in ascending order, equals in the order of their indices, which are in the low halves.
    private Span<ulong> Border(ReadOnlySpan<float> scores, float largest, int bucket)
    {
        int count = 0;
        for (int i = 0; i < scores.Length; i++)
            if (Bucket(scores[i], largest) == bucket)
            {
                uint bits = BitConverter.SingleToUInt32Bits(scores[i] + 0f);   // -0 becomes 0
                uint ordered = bits >> 31 == 0 ? bits | 0x80000000 : ~bits;
                _border[count++] = (ulong)ordered << 32 | (uint)i;
            }
        Span<ulong> border = _border.AsSpan(0, count);
        border.Sort();
        return border;
    }

    // Never decreases where the score decreases.
    private static int Bucket(float score, float largest) => (int)Math.Min((largest - score) * BucketsPerUnit, Buckets - 1);
}
