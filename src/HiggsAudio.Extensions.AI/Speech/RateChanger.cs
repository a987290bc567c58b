using System.Runtime.InteropServices;

namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>
/// Resamples by any ratio, while sound arrives: a sinc of 24 zero crossings on each side under a Kaiser window (some 90 dB of rejection), with its
/// cut-off below the lower of the two rates' halves. Memory is constant. Not thread-safe.
/// </summary>
internal sealed class RateChanger
{
    private const int Crossings = 24, Steps = 512;
    private const double Beta = 9, RollOff = 0.94;
    private static readonly float[] Kernel = MakeKernel();
    private readonly double _ratio, _cutoff;
    private readonly int _reach;
    private readonly List<float> _source = [];
    private long _forgotten, _received, _made;

    /// <param name="ratio">Samples of the source for each of the result, above 0; 1 gives the source.</param>
    public RateChanger(double ratio)
    {
        _ratio = ratio;
        _cutoff = Math.Min(1, 1 / ratio) * RollOff;
        _reach = (int)Math.Ceiling(Crossings / _cutoff);
    }

    /// <summary>Takes samples in.</summary>
    /// <param name="samples">The next samples.</param>
    /// <param name="output">Is given what they complete.</param>
    public void Write(ReadOnlySpan<float> samples, List<float> output)
    {
        _source.AddRange(samples);
        _received += samples.Length;
        while (_made * _ratio + _reach < _received)
            AddSample(output);
    }

    /// <summary>Gives what is left; with it the length is that of the source divided by the ratio, rounded.</summary>
    public void Complete(List<float> output)
    {
        long length = (long)Math.Round(_received / _ratio);
        while (_made < length)
            AddSample(output);
    }

    private void AddSample(List<float> output)
    {
        double time = _made++ * _ratio;
        long first = Math.Max(_forgotten, (long)Math.Ceiling(time - _reach)), last = Math.Min(_received - 1, (long)Math.Floor(time + _reach));
        ReadOnlySpan<float> source = CollectionsMarshal.AsSpan(_source);
        double sum = 0;
        for (long i = first; i <= last; i++)
        {
            double at = Math.Abs(i - time) * _cutoff * Steps;
            int step = (int)at;
            if (step >= Crossings * Steps)
                continue;
            sum += source[(int)(i - _forgotten)] * (Kernel[step] + (at - step) * (Kernel[step + 1] - Kernel[step]));
        }
        output.Add((float)(sum * _cutoff));
        int old = (int)(first - _forgotten);
        if (old < 8192)
            return;
        _source.RemoveRange(0, old);
        _forgotten += old;
    }

    private static float[] MakeKernel()
    {
        var kernel = new float[Crossings * Steps + 2];
        for (int i = 0; i <= Crossings * Steps; i++)
        {
            double x = (double)i / Steps, part = x / Crossings;
            double window = Bessel0(Beta * Math.Sqrt(Math.Max(0, 1 - part * part))) / Bessel0(Beta);
            kernel[i] = (float)(window * (i == 0 ? 1 : Math.Sin(Math.PI * x) / (Math.PI * x)));
        }
        return kernel;
    }

    private static double Bessel0(double x)
    {
        double sum = 1, term = 1;
        for (int k = 1; term > 1e-12 * sum; k++)
        {
            term *= x / (2 * k) * (x / (2 * k));
            sum += term;
        }
        return sum;
    }
}
