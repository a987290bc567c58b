namespace HiggsAudio.LongForm;

/// <summary>Notices when sound stays below a level for too long.</summary>
internal sealed class SilenceWatch(int samplingRate, TimeSpan limit, double level)
{
    private readonly int _window = Math.Max(1, samplingRate / 50);
    private readonly double _energy = Math.Pow(10, level / 10);   // mean square
    private readonly long _limit = (long)(limit.TotalSeconds * samplingRate);
    private double _sum;
    private int _count;
    private long _silent;
    private bool _tooLong;

    /// <summary>Listens to the next samples.</summary>
    /// <returns>Whether there has been silence for too long since <see cref="Reset"/>.</returns>
    public bool Add(ReadOnlySpan<float> samples)
    {
        foreach (float sample in samples)
        {
            _sum += (double)sample * sample;
            if (++_count < _window)
                continue;
            _silent = _sum < _energy * _window ? _silent + _window : 0;
            _tooLong |= _silent >= _limit;
            (_sum, _count) = (0, 0);
        }
        return _tooLong;
    }

    /// <summary>Begins anew.</summary>
    public void Reset() => (_sum, _count, _silent, _tooLong) = (0, 0, 0, false);
}
