using System.Runtime.Intrinsics;

namespace HiggsAudio.Generation;

/// <summary>
/// Logits to the scores that are drawn from: temperature, then top-k, then top-p, with the rules of Hugging Face transformers 4.46
/// (generation/logits_process.py) for ties. Nothing is sorted but the few scores near a border: scores are counted into buckets by their
/// distance from the largest. Owns its buffers, which grow with the vocabulary: one per sequence, for one thread.
/// </summary>
internal sealed class LogitsProcessor
{
    private const int BucketCount = 1024;
    private const float BucketsPerUnit = 16;

    private readonly float _temperature;
    private readonly int _topK;
    private readonly float _topP;
    private readonly float _dropped;
    private readonly int[] _counts = new int[BucketCount];
    private readonly double[] _masses = new double[BucketCount];
    private int[] _buckets = [];
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
        float largest = Divide(logits, _temperature, scores);
        bool topK = _topK > 0 && _topK < logits.Length, topP = _topP < 1;
        if (!topK && !topP)
            return;
        if (_border.Length < logits.Length)
            (_buckets, _weights, _border) = (new int[logits.Length], new double[logits.Length], new ulong[logits.Length]);
        FindBuckets(scores, largest, _buckets);
        if (topK)
            KeepLargest(scores);
        if (topP)
            KeepMass(scores, largest);
    }

    // Removes what is below the k-th largest score. Equals of the k-th largest stay.
    private void KeepLargest(Span<float> scores)
    {
        Array.Clear(_counts);
        foreach (int b in _buckets.AsSpan(0, scores.Length))
            _counts[b]++;
        int bucket = 0, above = 0;
        while (above + _counts[bucket] < _topK)
            above += _counts[bucket++];
        Span<ulong> border = RemoveBeyond(bucket, scores);
        ulong smallest = border[^(_topK - above)] >> 32;
        for (int i = 0; border[i] >> 32 < smallest; i++)
            scores[(int)(uint)border[i]] = float.NegativeInfinity;
    }

    // Removes from the smallest score up (among equals from the lowest index up) while what is removed has a probability of at most 1 - p.
    // The largest stays.
    private void KeepMass(Span<float> scores, float largest)
    {
        Span<double> weights = _weights.AsSpan(0, scores.Length);
        PortableExp.Exp(scores, largest, weights);
        double total = 0, removed = 0;
        foreach (double weight in weights)
            total += weight;
        Array.Clear(_masses);
        for (int i = 0; i < weights.Length; i++)
            _masses[_buckets[i]] += weights[i] = (float)(weights[i] / total);
        int bucket = BucketCount - 1;
        while (bucket > 0 && (float)(removed + _masses[bucket]) <= _dropped)
            removed += _masses[bucket--];
        Span<ulong> border = RemoveBeyond(bucket, scores);
        foreach (ulong entry in bucket == 0 ? border[..^1] : border)
        {
            int index = (int)(uint)entry;
            if ((float)(removed += weights[index]) > _dropped)
                break;
            scores[index] = float.NegativeInfinity;
        }
    }

    // Removes the scores of the buckets after one and returns that one's: ascending, equals in the order of their indices. An entry is the
    // score in bits that order like it, then the index.
    private Span<ulong> RemoveBeyond(int bucket, Span<float> scores)
    {
        int count = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            if (_buckets[i] < bucket)
                continue;
            if (_buckets[i] > bucket)
            {
                scores[i] = float.NegativeInfinity;
                continue;
            }
            uint bits = BitConverter.SingleToUInt32Bits(scores[i] + 0f);   // -0 becomes 0
            uint ordered = bits >> 31 == 0 ? bits | 0x80000000 : ~bits;
            _border[count++] = (ulong)ordered << 32 | (uint)i;
        }
        Span<ulong> border = _border.AsSpan(0, count);
        border.Sort();
        return border;
    }

    // Returns the largest quotient.
    private static float Divide(ReadOnlySpan<float> logits, float temperature, Span<float> scores)
    {
        Vector256<float> divisor = Vector256.Create(temperature), best = Vector256.Create(float.NegativeInfinity);
        int i = 0;
        for (; i <= logits.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> score = Vector256.Create(logits.Slice(i, Vector256<float>.Count)) / divisor;
            score.CopyTo(scores[i..]);
            best = Vector256.ConditionalSelect(Vector256.GreaterThan(score, best), score, best);
        }
        float largest = float.NegativeInfinity;
        for (int lane = 0; lane < Vector256<float>.Count; lane++)
            largest = Math.Max(largest, best[lane]);
        for (; i < logits.Length; i++)
            largest = Math.Max(largest, scores[i] = logits[i] / temperature);
        return largest;
    }

    // A score's bucket never decreases where the score decreases.
    private static void FindBuckets(ReadOnlySpan<float> scores, float largest, Span<int> buckets)
    {
        Vector256<float> origin = Vector256.Create(largest), last = Vector256.Create((float)(BucketCount - 1));
        int i = 0;
        for (; i <= scores.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> place = (origin - Vector256.Create(scores.Slice(i, Vector256<float>.Count))) * BucketsPerUnit;
            Vector256.ConvertToInt32Native(Vector256.ConditionalSelect(Vector256.LessThan(place, last), place, last)).CopyTo(buckets[i..]);
        }
        for (; i < scores.Length; i++)
            buckets[i] = (int)Math.Min((largest - scores[i]) * BucketsPerUnit, BucketCount - 1);
    }
}
