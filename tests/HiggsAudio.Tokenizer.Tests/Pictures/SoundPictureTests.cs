using HiggsAudio.Pictures;
using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests.Pictures;

/// <summary>Spectrograms against their definition, and what pictures of sound show.</summary>
internal sealed class SoundPictureTests
{
    private static Waveform Tone(double frequency, double amplitude = 1, double seconds = 1, int rate = 24_000) =>
        new([.. Enumerable.Range(0, (int)(seconds * rate)).Select(i => (float)(amplitude * Math.Sin(2 * Math.PI * frequency * i / rate)))], rate);

    [Test]
    public void The_power_is_that_of_the_transform_s_definition()
    {
        var random = new Random(5);
        float[] samples = [.. Enumerable.Range(0, 400).Select(_ => random.NextSingle() - 0.5f)];
        var power = new double[129];
        new Fourier(256).AddPower(samples, 60, power);   // the window begins before the sound
        for (int k = 0; k < power.Length; k++)
        {
            (double real, double imaginary) = (0, 0);
            for (int i = 0; i < 256; i++)
            {
                double value = i - 68 >= 0 ? samples[i - 68] * (0.5 - 0.5 * Math.Cos(2 * Math.PI * i / 256)) : 0;
                (real, imaginary) = (real + value * Math.Cos(2 * Math.PI * i * k / 256), imaginary - value * Math.Sin(2 * Math.PI * i * k / 256));
            }
            double expected = (real * real + imaginary * imaginary) * 16 / (256.0 * 256);
            Assert.That(power[k], Is.EqualTo(expected).Within(1e-6 + expected * 1e-4), $"frequency {k}");
        }
    }

    [TestCase(24_000, 40)]
    [TestCase(24_000, 96)]
    [TestCase(8_000, 192)]
    [TestCase(96_000, 512)]
    public void Bands_rise_evenly_in_mel_and_each_weighs_one(int rate, int bands)
    {
        MelBand[] filters = MelBand.Between(0, rate / 2.0, bands, rate / 1024.0, 513);
        double[] mel = [.. filters.Select(f => MelBand.ToMel(f.Centre))];
        for (int i = 1; i < bands; i++)
            Assert.That(mel[i] - mel[i - 1], Is.EqualTo(mel[0]).Within(1e-6));
        foreach (MelBand filter in filters)
        {
            Assert.That(filter.Weights.Sum(), Is.EqualTo(1).Within(1e-9));
            Assert.That(filter.Weights.Min(), Is.GreaterThanOrEqualTo(0));
            Assert.That(filter.First + filter.Weights.Length, Is.LessThanOrEqualTo(513));
            Assert.That(Math.Abs(filter.Weights.Select((w, i) => w * (filter.First + i) * rate / 1024).Sum() - filter.Centre), Is.LessThan(rate / 1024.0 + filter.Centre * 0.05), "around its middle");
        }
        Assert.That(MelBand.FromMel(MelBand.ToMel(1234)), Is.EqualTo(1234).Within(1e-6));
        Assert.That(MelBand.ToMel(1000), Is.EqualTo(1000).Within(0.1), "1000 Hz are 1000 mel");
    }

    [TestCase(220)]
    [TestCase(1000)]
    [TestCase(5000)]
    public void A_tone_is_loudest_in_its_band(double frequency)
    {
        MelSpectrogram spectrogram = MelSpectrogram.Compute(Tone(frequency), 50, 96);
        int loudest = Enumerable.Range(0, 96).MaxBy(band => spectrogram[band, 25]);
        int expected = Enumerable.Range(0, 96).MinBy(band => Math.Abs(spectrogram.Centres[band] - frequency));
        Assert.That(loudest, Is.EqualTo(expected).Within(1));
        Assert.That(spectrogram[loudest, 25], Is.InRange(-12, 1));
        Assert.That(spectrogram[loudest, 25] - spectrogram[90, 25], Is.GreaterThan(40), "far bands are silent");
    }

    [Test]
    public void Decibels_are_decibels_and_silence_has_an_end()
    {
        MelSpectrogram loud = MelSpectrogram.Compute(Tone(1000), 10), quiet = MelSpectrogram.Compute(Tone(1000, 0.01), 10);
        int band = Enumerable.Range(0, 96).MaxBy(b => loud[b, 5]);
        Assert.That(loud[band, 5] - quiet[band, 5], Is.EqualTo(40).Within(0.01));
        Assert.That(MelSpectrogram.Compute(new Waveform(new float[100], 24_000), 3)[4, 1], Is.EqualTo(MelSpectrogram.Silence));
        Assert.That(MelSpectrogram.Compute(new Waveform([], 24_000), 3)[4, 1], Is.EqualTo(MelSpectrogram.Silence));
    }

    // A click between two columns' middles is not lost.
    [Test]
    public void Columns_far_apart_are_means_of_what_is_between()
    {
        var samples = new float[24_000 * 60];
        samples[24_000 * 30 + 5000] = 1;
        MelSpectrogram spectrogram = MelSpectrogram.Compute(new Waveform(samples, 24_000), 20);
        Assert.That(Enumerable.Range(0, 20).Where(column => spectrogram[50, column] > MelSpectrogram.Silence), Is.EqualTo(new[] { 10 }));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Pictures_have_the_size_that_was_asked_for(bool light)
    {
        var options = new PictureOptions { Width = 300, Height = 90, Light = light };
        var codes = new AudioCodes(8, [.. Enumerable.Range(0, 8 * 25).Select(i => i * 37 % 1026)], 25);
        foreach (Picture picture in new[] { SoundPictures.DrawWaveform(Tone(500), options), SoundPictures.DrawMelSpectrogram(Tone(500), options), SoundPictures.DrawCodes(codes, options) })
        {
            Assert.That((picture.Width, picture.Height), Is.EqualTo((300, 90)));
            Assert.That(Enumerable.Range(0, 300 * 90).Select(i => picture[i % 300, i / 300]).Distinct().Count(), Is.GreaterThanOrEqualTo(4));
        }
        Picture all = SoundPictures.DrawAll(Tone(500), codes, options);
        Assert.That((all.Width, all.Height), Is.EqualTo((300, 270)));
    }

    [Test]
    public void A_waveform_is_as_high_as_the_sound_is_loud()
    {
        var half = new Waveform([.. Tone(2000, 0.9).Span[..12_000], .. Tone(2000, 0.09).Span[..12_000]], 24_000);
        Picture picture = SoundPictures.DrawWaveform(half, new PictureOptions { Width = 400, Height = 200 });
        int Height(int x) => Enumerable.Range(0, 180).Count(y => picture[x, y].Blue > 200);
        Assert.That(Height(130), Is.InRange(140, 172));
        Assert.That(Height(300), Is.InRange(12, 20));
    }

    [Test]
    public void Empty_sound_draws_empty_pictures()
    {
        Assert.That(() => SoundPictures.DrawAll(new Waveform([], 24_000), new AudioCodes(8, [], 25)), Throws.Nothing);
        Assert.That(() => SoundPictures.DrawWaveform(new Waveform([0.5f], 1)), Throws.Nothing);
    }

    [Test]
    public void Options_are_checked()
    {
        foreach (PictureOptions wrong in new PictureOptions[] { new() { Width = 100 }, new() { Height = 10_000 }, new() { DynamicRange = 0 }, new() { DynamicRange = float.NaN }, new() { CodebookSize = 1 } })
            Assert.That(() => SoundPictures.DrawWaveform(Tone(500), wrong), Throws.ArgumentException);
    }
}
