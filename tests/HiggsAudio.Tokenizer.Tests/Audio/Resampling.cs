using System.Numerics;

namespace HiggsAudio.Tokenizer.Tests.Audio;

/// <summary>Signals and measures for tests of resampling.</summary>
internal static class Resampling
{
    public static int GreatestCommonDivisor(int a, int b) => (int)BigInteger.GreatestCommonDivisor(a, b);

    public static float[] Sine(double frequency, int rate, int length) =>
        [.. Enumerable.Range(0, length).Select(i => (float)Math.Sin(2 * Math.PI * frequency * i / rate))];

    public static double Decibels(double ratio) => 20 * Math.Log10(Math.Max(ratio, 1e-12));

    /// <summary>Amplitude of a frequency by least squares (sine and cosine), and the root mean square of what is left, away from the ends.</summary>
    public static (double Amplitude, double Residue) Measure(ReadOnlySpan<float> samples, double frequency, int rate, int margin)
    {
        samples = samples[margin..^margin];
        double ss = 0, sc = 0, cc = 0, xs = 0, xc = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            (double s, double c) = Math.SinCos(2 * Math.PI * frequency * i / rate);
            (ss, sc, cc, xs, xc) = (ss + s * s, sc + s * c, cc + c * c, xs + samples[i] * s, xc + samples[i] * c);
        }
        double determinant = ss * cc - sc * sc, a = (xs * cc - xc * sc) / determinant, b = (xc * ss - xs * sc) / determinant, rest = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            (double s, double c) = Math.SinCos(2 * Math.PI * frequency * i / rate);
            rest += Math.Pow(samples[i] - a * s - b * c, 2);
        }
        return (Math.Sqrt(a * a + b * b), Math.Sqrt(rest / samples.Length));
    }

    public static double Rms(ReadOnlySpan<float> samples, int margin)
    {
        double sum = 0;
        foreach (float sample in samples[margin..^margin])
            sum += (double)sample * sample;
        return Math.Sqrt(sum / (samples.Length - 2 * margin));
    }
}
