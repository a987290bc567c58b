using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests.Audio;

public sealed class LoudnessMeterTests
{
    [TestCase(48000)]
    [TestCase(44100)]
    [TestCase(24000)]
    [TestCase(11025)]
    [TestCase(8000)]
    public void A_full_scale_sine_of_997_Hz_measures_3_LU_below_zero(int rate) =>
        Assert.That(LoudnessMeter.IntegratedLoudness(Sine(rate, 997, (0, 5))), Is.EqualTo(-3.01).Within(0.05));

    [Test]
    public void Has_the_filters_of_the_standard_at_48_kHz()
    {
        LoudnessMeter.Biquad shelf = LoudnessMeter.Biquad.Shelf(48000), highPass = LoudnessMeter.Biquad.HighPass(48000);
        double[] actual = [shelf.B0, shelf.B1, shelf.B2, shelf.A1, shelf.A2, highPass.B0, highPass.B1, highPass.B2, highPass.A1, highPass.A2];
        double[] standard =
        [
            1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585, // ITU-R BS.1770-4, table 1
            1, -2, 1, -1.99004745483398, 0.99007225036621, // table 2
        ];
        Assert.That(actual, Is.EqualTo(standard).Within(1e-10));
    }

    // EBU Tech 3341, table 1: stereo sines of 1,000 Hz; levels in dBFS and lengths in seconds.
    private static readonly (double Level, double Seconds)[][] Programmes =
    [
        [(-23, 20)],
        [(-33, 20)],
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ];

    [Test]
    public void Passes_the_tests_of_the_EBU([Values(0, 1, 2, 3, 4)] int index, [Values(48000, 24000)] int rate)
    {
        Waveform channel = Sine(rate, 1000, Programmes[index]);
        Assert.That(LoudnessMeter.IntegratedLoudness(channel.Span, channel.Span, rate), Is.EqualTo(index == 1 ? -33 : -23).Within(0.1));
    }

    [Test]
    public void Silence_is_infinitely_soft()
    {
        Assert.That(LoudnessMeter.IntegratedLoudness(new Waveform([], 24000)), Is.EqualTo(double.NegativeInfinity));
        Assert.That(LoudnessMeter.IntegratedLoudness(new Waveform(new float[24000], 24000)), Is.EqualTo(double.NegativeInfinity));
        Assert.That(LoudnessMeter.IntegratedLoudness(Sine(24000, 997, (-80, 2))), Is.EqualTo(double.NegativeInfinity), "below the absolute gate");
    }

    [Test]
    public void Short_audio_is_one_block() =>
        Assert.That(LoudnessMeter.IntegratedLoudness(Sine(24000, 997, (-20, 0.3))), Is.EqualTo(-23.01).Within(0.1));

    [Test]
    public void Bad_arguments_are_refused()
    {
        Assert.That(() => LoudnessMeter.IntegratedLoudness(new Waveform([0], 7999)), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => LoudnessMeter.IntegratedLoudness([0], [0, 1], 24000), Throws.ArgumentException.With.Message.Contains("1 and 2"));
        var wave = new Waveform([0], 24000);
        foreach (double target in new[] { 1, -71, double.NaN })
            Assert.That(() => wave.NormalizeLoudness(target), Throws.InstanceOf<ArgumentOutOfRangeException>());
        foreach (float limit in new[] { 0, -1, float.NaN, float.PositiveInfinity })
            Assert.That(() => wave.NormalizeLoudness(-23, limit), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Normalising_reaches_the_loudness_or_the_peak()
    {
        Waveform wave = Sine(24000, 440, (-30, 3));
        Assert.That(LoudnessMeter.IntegratedLoudness(wave.NormalizeLoudness(-18)), Is.EqualTo(-18).Within(1e-3));
        Assert.That(wave.NormalizeLoudness(0, peakLimit: 0.5f).Peak, Is.EqualTo(0.5f).Within(1e-6));
        var silence = new Waveform(new float[24000], 24000);
        Assert.That(silence.NormalizeLoudness(-18), Is.SameAs(silence));
    }

    private static Waveform Sine(int rate, double frequency, params (double Level, double Seconds)[] parts)
    {
        var samples = new List<float>();
        foreach ((double level, double seconds) in parts)
            for (int i = 0; i < (int)Math.Round(seconds * rate); i++)
                samples.Add((float)(Math.Pow(10, level / 20) * Math.Sin(2 * Math.PI * frequency * samples.Count / rate)));
        return new Waveform([.. samples], rate);
    }
}
