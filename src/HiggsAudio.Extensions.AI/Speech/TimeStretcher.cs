using System.Numerics;
using System.Runtime.InteropServices;

namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>
/// Changes how long sound takes without changing its pitch, while it arrives: WSOLA (Verhelst and Roelands, "An overlap-add technique based on
/// waveform similarity", ICASSP 1993). Frames of 30 ms are laid half over each other; each is taken from within 8 ms of where the tempo
/// says, at the place that goes on best from what was laid last. Where nothing needs to be skipped or repeated the samples are the source's own.
/// Memory is constant. Not thread-safe.
/// </summary>
internal sealed class TimeStretcher
{
    private const double HopSeconds = 0.015, ToleranceSeconds = 0.008;
    private readonly double _tempo;
    private readonly int _hop, _tolerance;
    private readonly float[] _rising;           // half a Hann window; the falling half is its complement
    private readonly List<float> _source = [];  // from _forgotten on
    private readonly float[] _tail;             // what the last frame adds to the next hop
    private long _forgotten, _received, _made, _frames, _position;

    /// <param name="tempo">How many times as fast, above 0; 1 gives the source.</param>
    /// <param name="samplingRate">In Hz.</param>
    public TimeStretcher(double tempo, int samplingRate)
    {
        _tempo = tempo;
        _hop = Math.Max(2, (int)(HopSeconds * samplingRate));
        _tolerance = Math.Max(1, (int)(ToleranceSeconds * samplingRate));
        _tail = new float[_hop];
        _rising = new float[_hop];
        for (int i = 0; i < _hop; i++)
            _rising[i] = (float)(0.5 - 0.5 * Math.Cos(Math.PI * (i + 0.5) / _hop));
    }

    /// <summary>Takes samples in.</summary>
    /// <param name="samples">The next samples.</param>
    /// <param name="output">Is given what they complete.</param>
    public void Write(ReadOnlySpan<float> samples, List<float> output)
    {
        _source.AddRange(samples);
        _received += samples.Length;
        while (LastSampleOfNextFrame() < _received)
            AddFrame(output, _hop);
    }

    /// <summary>Gives what is left; with it the length is that of the source divided by the tempo, rounded.</summary>
    public void Complete(List<float> output)
    {
        long length = (long)Math.Round(_received / _tempo);
        while (_made < length)
        {
            long missing = LastSampleOfNextFrame() + 1 - (_forgotten + _source.Count);
            for (; missing > 0; missing--)
                _source.Add(0);
            AddFrame(output, (int)Math.Min(_hop, length - _made));
        }
    }

    private long Nominal => (long)Math.Round(_frames * _hop * _tempo);

    private long LastSampleOfNextFrame() => Math.Max(Nominal + _tolerance, _position + _hop) + 2 * _hop - 1;

    private void AddFrame(List<float> output, int samples)
    {
        _position = _frames == 0 ? 0 : BestPosition();
        ReadOnlySpan<float> frame = Source(_position, 2 * _hop);
        for (int i = 0; i < samples; i++)
            output.Add(_frames == 0 ? frame[i] : _tail[i] + _rising[i] * frame[i]);
        for (int i = 0; i < _hop; i++)
            _tail[i] = (1 - _rising[i]) * frame[_hop + i];
        _made += samples;
        _frames++;
        Forget(Math.Min(Nominal - _tolerance, _position + _hop));
    }

    // Where the source is most like what would follow the last frame; there itself, if that is near enough.
    private long BestPosition()
    {
        long follows = _position + _hop, nominal = Nominal;
        if (Math.Abs(follows - nominal) <= _tolerance)
            return follows;
        long first = Math.Max(0, nominal - _tolerance);
        int candidates = (int)(nominal + _tolerance - first) + 1;
        ReadOnlySpan<float> wanted = Source(follows, _hop), region = Source(first, candidates - 1 + _hop);
        double energy = Product(region[.._hop], region[.._hop]), best = double.NegativeInfinity;
        int bestOffset = (int)(nominal - first);
        for (int offset = 0; offset < candidates; offset++)
        {
            double similarity = Product(wanted, region.Slice(offset, _hop)) / Math.Sqrt(Math.Max(energy, 1e-9));
            if (similarity > best)
                (best, bestOffset) = (similarity, offset);
            if (offset + 1 < candidates)
                energy += (double)region[offset + _hop] * region[offset + _hop] - (double)region[offset] * region[offset];
        }
        return first + bestOffset;
    }

    private ReadOnlySpan<float> Source(long position, int length) => CollectionsMarshal.AsSpan(_source).Slice((int)(position - _forgotten), length);

    private void Forget(long before)
    {
        int samples = (int)Math.Min(before - _forgotten, _source.Count);
        if (samples < 16 * _hop)   // moving the rest costs more than keeping these
            return;
        _source.RemoveRange(0, samples);
        _forgotten += samples;
    }

    private static float Product(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Vector<float> sum = Vector<float>.Zero;
        int i = 0;
        for (; i <= a.Length - Vector<float>.Count; i += Vector<float>.Count)
            sum += new Vector<float>(a[i..]) * new Vector<float>(b[i..]);
        float total = Vector.Sum(sum);
        for (; i < a.Length; i++)
            total += a[i] * b[i];
        return total;
    }
}
