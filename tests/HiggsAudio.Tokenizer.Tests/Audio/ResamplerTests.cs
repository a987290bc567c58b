using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests.Audio;

public sealed class ResamplerTests
{
    private static readonly int[][] Rates =
    [
        [44100, 24000], [22050, 24000], [48000, 24000], [16000, 24000], [8000, 24000], [11025, 24000], [32000, 24000], [37800, 24000], [88200, 24000],
        [96000, 24000], [176400, 24000], [192000, 24000], [24000, 44100], [24000, 48000], [24000, 16000], [24000, 8000], [8000, 48000],
        [11025, 23999], [24000, 23999], [44101, 24000], [47999, 6001],
    ];

    [TestCaseSource(nameof(Rates))]
    public void Passes_the_band_and_rejects_aliases_and_images(int from, int to)
    {
        var resampler = Resampler.HighQuality(from, to);
        double nyquist = Math.Min(from, to) / 2.0;
        int length = Math.Max(3000 * from / Math.Min(from, to), 4000), margin = 400 * to / Math.Min(from, to);
        double worstGain = 0, worstRest = -300, worstAlias = -300;
        foreach (double part in new[] { 0.0123, 0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.87, 0.913 })
        {
            (double amplitude, double rest) = Resampling.Measure(resampler.Resample(Resampling.Sine(part * nyquist, from, length)), part * nyquist, to, margin);
            worstGain = Math.Max(worstGain, Math.Abs(Resampling.Decibels(amplitude)));
            worstRest = Math.Max(worstRest, Resampling.Decibels(rest));
        }
        for (double part = 1.0; part * nyquist < from / 2.0; part += Math.Max(0.02, (from / 2.0 / nyquist - 1) / 40))
            worstAlias = Math.Max(worstAlias, Resampling.Decibels(Resampling.Rms(resampler.Resample(Resampling.Sine(part * nyquist + 0.37, from, length)), margin)));
        TestContext.Out.WriteLine($"pass band ±{worstGain:f4} dB, noise and images {worstRest:f1} dB, aliases {worstAlias:f1} dB");
        Assert.That(worstGain, Is.LessThan(0.012), "flat to 0.913 of half the lower rate");
        Assert.That(worstRest, Is.LessThan(-120), "nothing but the sine comes out");
        Assert.That(worstAlias, Is.LessThan(-120), "nothing from above half the lower rate comes out");
    }

    [TestCaseSource(nameof(Rates))]
    public void Is_linear_phase(int from, int to)
    {
        // A time-symmetric input around a sample that has an output on it: symmetric output.
        int divisor = Resampling.GreatestCommonDivisor(from, to), down = from / divisor, up = to / divisor;
        int periods = Math.Max(1, 600 * Math.Max(1, from / to) / down), center = down * periods;
        var input = new float[2 * center + 1];
        for (int i = 0; i <= center; i++)
            input[center - i] = input[center + i] = (float)(Math.Cos(0.3 * i * Math.Min(1, (double)to / from)) * Math.Exp(-i * 8.0 / center));
        float[] output = Resampler.HighQuality(from, to).Resample(input);
        int middle = up * periods;
        for (int i = 0; i < middle / 2; i++)
            Assert.That(output[middle - i], Is.EqualTo(output[middle + i]).Within(2e-6), $"{i} samples from the middle");
    }

    [Test]
    public void Equal_rates_change_nothing([Values(1, 24000, 768_000)] int rate)
    {
        float[] samples = [1, -2, 3];
        Assert.That(Resampler.HighQuality(rate, rate).Resample(samples), Is.EqualTo(samples));
        Assert.That(Resampler.SincHann(rate, rate).Resample(samples), Is.EqualTo(samples));
        var wave = new Waveform(samples, rate);
        Assert.That(wave.ResampleTo(rate), Is.SameAs(wave));
    }

    [Test]
    public void Makes_as_many_samples_as_the_reference()
    {
        Assert.That(Resampler.HighQuality(44100, 24000).OutputLength(11025), Is.EqualTo(6001), "librosa rounds the quotient first");
        Assert.That(Resampler.HighQuality(22050, 24000).OutputLength(5512), Is.EqualTo(6000));
        Assert.That(Resampler.SincHann(44100, 24000).OutputLength(11025), Is.EqualTo(6000));
        Assert.That(Resampler.SincHann(24000, 16000).OutputLength(4), Is.EqualTo(3));
        Assert.That(() => Resampler.HighQuality(1, 768_000).OutputLength(int.MaxValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Resampler.HighQuality(1, 2).OutputLength(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Tiny_inputs_give_their_lengths()
    {
        foreach (int[] rates in Rates.Append([1, 768_000]).Append([768_000, 1]).Append([767_999, 768_000]))
            foreach (Resampler resampler in new[] { Resampler.HighQuality(rates[0], rates[1]), Resampler.SincHann(rates[0], rates[1]) })
                for (int length = 0; length < 4; length++)
                {
                    float[] output = resampler.Resample([.. Enumerable.Repeat(0.5f, length)]);
                    Assert.That(output, Has.Length.EqualTo(resampler.OutputLength(length)));
                    Assert.That(output.All(v => v is > -0.1f and < 1.1f), Is.True, $"{length} samples from {rates[0]} to {rates[1]} Hz");
                }
    }

    [Test]
    public void Extreme_ratios_keep_a_slow_signal()
    {
        float[] slow = [.. Enumerable.Range(0, 40).Select(i => 0.5f)];
        float[] fast = Resampler.HighQuality(1, 24_000).Resample(slow);
        Assert.That(fast.AsSpan(18 * 24000, 4 * 24000).ToArray(), Has.All.EqualTo(0.5f).Within(0.02f));
        float[] again = Resampler.HighQuality(24_000, 1).Resample(fast);
        Assert.That(again, Has.Length.EqualTo(40));
        Assert.That(again[20], Is.EqualTo(0.5f).Within(0.02f));
    }

    [Test]
    public void Blocks_do_not_show()
    {
        // 40,000 outputs are three blocks: a shifted input gives the same outputs, shifted.
        var random = new Random(1);
        float[] input = [.. Enumerable.Range(0, 73_500).Select(_ => (float)random.NextDouble() - 0.5f)];
        var resampler = Resampler.HighQuality(44100, 24000);
        float[] output = resampler.Resample(input), shifted = resampler.Resample([.. new float[147 * 10], .. input]);
        for (int i = 1000; i < output.Length; i++)
            Assert.That(shifted[i + 800], Is.EqualTo(output[i]).Within(1e-6));
    }

    [TestCase(0, 24000)]
    [TestCase(24000, 0)]
    [TestCase(-1, 24000)]
    [TestCase(24000, 768_001)]
    public void Rates_out_of_range_are_refused(int from, int to)
    {
        Assert.That(() => Resampler.HighQuality(from, to), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("768000 Hz"));
        Assert.That(() => Resampler.SincHann(from, to), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Filters_out_of_range_are_refused()
    {
        Assert.That(() => Resampler.SincHann(3, 2, lowpassFilterWidth: 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Resampler.SincHann(3, 2, lowpassFilterWidth: 65), Throws.InstanceOf<ArgumentOutOfRangeException>());
        foreach (double rolloff in new[] { 0, -1, 1.01, double.NaN })
            Assert.That(() => Resampler.SincHann(3, 2, rolloff: rolloff), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
