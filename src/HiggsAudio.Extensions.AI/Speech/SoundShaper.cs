using System.Runtime.InteropServices;

namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>
/// Speed, pitch, volume and sampling rate of sound, while it arrives. Speed is time stretching; pitch is time stretching and resampling, so that
/// the formants move with it. What is not changed is not touched. Not thread-safe.
/// </summary>
internal sealed class SoundShaper
{
    /// <summary>The range of speed and pitch.</summary>
    public const float Least = 0.5f, Most = 2;

    /// <summary>The range of volume: from silence to 20 dB more.</summary>
    public const float MostVolume = 10;

    private readonly TimeStretcher? _stretcher;
    private readonly RateChanger? _rate;
    private readonly Amplifier? _amplifier;
    private List<float> _from = [], _to = [];

    /// <param name="speed">How many times as fast.</param>
    /// <param name="pitch">How many times as high.</param>
    /// <param name="volume">The factor.</param>
    /// <param name="sourceRate">The rate of the sound, in Hz.</param>
    /// <param name="targetRate">The rate that is wanted, in Hz.</param>
    public SoundShaper(float speed, float pitch, float volume, int sourceRate, int targetRate)
    {
        double tempo = (double)speed / pitch, ratio = (double)pitch * sourceRate / targetRate;
        _stretcher = tempo == 1 ? null : new TimeStretcher(tempo, sourceRate);
        _rate = ratio == 1 ? null : new RateChanger(ratio);
        _amplifier = volume == 1 ? null : new Amplifier(volume, targetRate);
    }

    /// <summary>Takes samples in and gives what they complete. The span is valid until the next call.</summary>
    public ReadOnlySpan<float> Write(ReadOnlySpan<float> samples) => Run(samples, complete: false);

    /// <summary>Gives what is left. The span is valid until the next call.</summary>
    public ReadOnlySpan<float> Complete() => Run([], complete: true);

    private ReadOnlySpan<float> Run(ReadOnlySpan<float> samples, bool complete)
    {
        _to.Clear();
        _to.AddRange(samples);
        if (_stretcher is not null)
        {
            Swap();
            _stretcher.Write(CollectionsMarshal.AsSpan(_from), _to);
            if (complete)
                _stretcher.Complete(_to);
        }
        if (_rate is not null)
        {
            Swap();
            _rate.Write(CollectionsMarshal.AsSpan(_from), _to);
            if (complete)
                _rate.Complete(_to);
        }
        if (_amplifier is not null)
        {
            Swap();
            _amplifier.Write(CollectionsMarshal.AsSpan(_from), _to);
            if (complete)
                _amplifier.Complete(_to);
        }
        return CollectionsMarshal.AsSpan(_to);
    }

    private void Swap()
    {
        (_from, _to) = (_to, _from);
        _to.Clear();
    }
}
