namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>
/// Multiplies sound, while it arrives. Above 1 a limiter with 5 ms of look-ahead keeps it below full scale: the gain that each sample allows is the
/// least over the look-ahead, smoothed over the same time, so that it is never exceeded and never jumps. Not thread-safe.
/// </summary>
internal sealed class Amplifier
{
    private const double LookAheadSeconds = 0.005;
    private const float Ceiling = 0.99f;
    private readonly float _gain;
    private readonly int _ahead;                          // 0 without limiter
    private readonly Queue<float> _delayed = [];          // samples that wait for their gain
    private readonly LinkedList<(long At, float Gain)> _least = [];   // rising: the least allowed gains of the look-ahead
    private readonly Queue<float> _recent = [];           // the least gains of the last samples
    private double _sum;
    private long _received;

    /// <param name="gain">The factor, 0 or more.</param>
    /// <param name="samplingRate">In Hz.</param>
    public Amplifier(float gain, int samplingRate)
    {
        _gain = gain;
        _ahead = gain > 1 ? Math.Max(1, (int)(LookAheadSeconds * samplingRate)) : 0;
    }

    /// <summary>Takes samples in.</summary>
    /// <param name="samples">The next samples.</param>
    /// <param name="output">Is given what they complete.</param>
    public void Write(ReadOnlySpan<float> samples, List<float> output)
    {
        foreach (float sample in samples)
        {
            if (_ahead == 0)
                output.Add(sample * _gain);
            else
                Limit(sample * _gain, output);
        }
    }

    /// <summary>Gives what is left.</summary>
    public void Complete(List<float> output)
    {
        if (_ahead == 0)
            return;
        for (int waiting = _delayed.Count, i = 0; i < _ahead && waiting > 0; i++)
        {
            int before = output.Count;
            Limit(0, output);
            waiting -= output.Count - before;
        }
        _delayed.Clear();
    }

    private void Limit(float sample, List<float> output)
    {
        float magnitude = Math.Abs(sample), allowed = magnitude > Ceiling ? Ceiling / magnitude : 1;
        while (_least.Last is { } last && last.Value.Gain >= allowed)
            _least.RemoveLast();
        _least.AddLast((_received, allowed));
        while (_least.First!.Value.At < _received - _ahead)
            _least.RemoveFirst();
        _received++;
        _delayed.Enqueue(sample);
        // The least gain of the look-ahead of the sample that came _ahead samples ago; the first ones count from the start.
        _recent.Enqueue(_least.First.Value.Gain);
        _sum += _least.First.Value.Gain;
        if (_recent.Count > _ahead + 1)
            _sum -= _recent.Dequeue();
        if (_delayed.Count > _ahead)
            output.Add(Math.Clamp((float)(_delayed.Dequeue() * (_sum / _recent.Count)), -Ceiling, Ceiling));
    }
}
