namespace HiggsAudio.Extensions.AI.Tests.Speech;

/// <summary>Measures pitch, and makes sound of a known one.</summary>
internal static class Pitch
{
    /// <summary>Sound like a vowel: harmonics of a pitch that swings a little, with a level that swings too.</summary>
    public static float[] Vowel(double hertz, double seconds, int rate = 24000, double swing = 0)
    {
        var samples = new float[(int)(seconds * rate)];
        double phase = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            double time = (double)i / rate, sum = 0;
            phase += 2 * Math.PI * hertz * (1 + swing * Math.Sin(2 * Math.PI * 3 * time)) / rate;
            for (int k = 1; k <= 12; k++)
                sum += Math.Sin(k * phase) / k;
            samples[i] = (float)(0.2 * sum * (1 + 0.3 * Math.Sin(2 * Math.PI * 1.3 * time)));
        }
        return samples;
    }

    /// <summary>The median pitch of the voiced windows of 60 ms, in Hz: the highest peak of the normalised autocorrelation, interpolated.</summary>
    public static double Median(ReadOnlySpan<float> samples, int rate = 24000, double least = 60, double most = 500)
    {
        int window = (int)(0.06 * rate), from = (int)(rate / most), to = (int)(rate / least);
        var found = new List<double>();
        for (int at = 0; at + window + to < samples.Length; at += window / 2)
            if (Find(samples.Slice(at, window + to), window, from, to) is { } lag)
                found.Add(rate / lag);
        found.Sort();
        return found.Count == 0 ? 0 : found[found.Count / 2];
    }

    private static double? Find(ReadOnlySpan<float> samples, int window, int from, int to)
    {
        var similarity = new double[to + 2];
        double energy = Energy(samples[..window]);
        if (energy < 1e-4 * window)
            return null;
        double best = 0;
        for (int lag = from - 1; lag <= to; lag++)
        {
            double sum = 0;
            for (int i = 0; i < window; i++)
                sum += samples[i] * samples[i + lag];
            similarity[lag] = sum / Math.Sqrt(energy * Math.Max(1e-9, Energy(samples.Slice(lag, window))));
            if (lag >= from)
                best = Math.Max(best, similarity[lag]);
        }
        if (best < 0.6)
            return null;
        // The first peak that is nearly the highest: not its multiples.
        for (int lag = from; lag < to; lag++)
        {
            (double before, double here, double after) = (similarity[lag - 1], similarity[lag], similarity[lag + 1]);
            if (here > 0.9 * best && here >= before && here > after)
                return lag + 0.5 * (before - after) / (before - 2 * here + after);
        }
        return null;
    }

    private static double Energy(ReadOnlySpan<float> samples)
    {
        double sum = 0;
        foreach (float sample in samples)
            sum += (double)sample * sample;
        return sum;
    }
}
