using System.Numerics;

namespace HiggsAudio.Core.Tests.Nano;

/// <summary>What a voice sounds like, whatever it says: its pitch and the mean and spread of its spectrum.</summary>
internal static class VoicePrint
{
    private const int Rate = 16000, Window = 512, Hop = 256, Bands = 20, LowestPitch = 60, HighestPitch = 320;

    private static readonly double[] Hann = [.. Enumerable.Range(0, Window).Select(i => 0.5 - 0.5 * Math.Cos(2 * Math.PI * i / Window))];

    /// <summary>The median frequency of the vocal cords, in Hz, by the autocorrelation of 40 ms.</summary>
    public static double Pitch(Waveform sound)
    {
        float[] x = sound.ResampleTo(Rate).Samples.ToArray();
        const int Length = 2 * Rate / 50;
        var pitches = new List<double>();
        for (int start = 0; start + Length + Rate / LowestPitch < x.Length; start += Rate / 50)
        {
            double energy = Product(x, start, start, Length), best = 0.5;
            int period = 0;
            for (int lag = Rate / HighestPitch; lag <= Rate / LowestPitch; lag++)
            {
                double similarity = Product(x, start, start + lag, Length) / Math.Sqrt(energy * Product(x, start + lag, start + lag, Length) + 1e-9);
                if (similarity > best * 1.03)   // a shorter period unless a longer one is clearly better
                    (best, period) = (similarity, lag);
            }
            if (period > 0 && energy / Length > 1e-4)
                pitches.Add((double)Rate / period);
        }
        pitches.Sort();
        return pitches.Count == 0 ? 0 : pitches[pitches.Count / 2];
    }

    /// <summary>Pitch (weighed as much as the spectrum), and the mean of the logarithmic power in 20 bands from 100 to 7000 Hz without its level.</summary>
    public static double[] Of(Waveform sound)
    {
        float[] x = sound.ResampleTo(Rate).Samples.ToArray();
        var sums = new double[Bands];
        for (int start = 0; start + Window <= x.Length; start += Hop)
            for (int band = 0; band < Bands; band++)
                sums[band] += Math.Log10(1e-6 + Power(x, start, 100 * Math.Pow(70, (band + 0.5) / Bands)));
        int frames = Math.Max(1, (x.Length - Window) / Hop + 1);
        double mean = sums.Sum() / Bands / frames;
        return [.. sums.Select(sum => sum / frames - mean), 5 * Math.Log2(Math.Max(Pitch(sound), 50) / 100)];
    }

    public static double Distance(double[] a, double[] b) => a.Zip(b, (x, y) => (x - y) * (x - y)).Sum();

    private static double Product(float[] x, int a, int b, int length)
    {
        Vector<float> sum = Vector<float>.Zero;
        int i = 0;
        for (; i + Vector<float>.Count <= length; i += Vector<float>.Count)
            sum += new Vector<float>(x, a + i) * new Vector<float>(x, b + i);
        double rest = Vector.Sum(sum);
        for (; i < length; i++)
            rest += x[a + i] * x[b + i];
        return rest;
    }

    // Goertzel's filter under a Hann window.
    private static double Power(float[] x, int start, double frequency)
    {
        double w = 2 * Math.Cos(2 * Math.PI * frequency / Rate), s1 = 0, s2 = 0;
        for (int i = 0; i < Window; i++)
            (s1, s2) = (x[start + i] * Hann[i] + w * s1 - s2, s1);
        return s1 * s1 + s2 * s2 - w * s1 * s2;
    }
}
