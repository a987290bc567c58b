using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests.Audio;

public sealed class WaveformTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("waveform").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Every_16_bit_value_survives_saving_and_loading()
    {
        var wave = new Waveform([.. Enumerable.Range(-32768, 65536).Select(i => i / 32768f)], 44100);
        Waveform loaded = SaveAndLoad(wave, WavFormat.Pcm16);
        Assert.That(loaded.SamplingRate, Is.EqualTo(44100));
        Assert.That(loaded.Span.SequenceEqual(wave.Span), Is.True);
    }

    [Test]
    public void Floats_survive_saving_and_loading()
    {
        var random = new Random(1);
        var wave = new Waveform([.. Enumerable.Range(0, 20_000).Select(_ => (float)(random.NextDouble() * 4 - 2)), float.MaxValue, float.Epsilon, -0f], 48000);
        Assert.That(SaveAndLoad(wave, WavFormat.Float32).Span.SequenceEqual(wave.Span), Is.True);
    }

    [Test]
    public void Samples_of_16_bits_are_rounded_and_clipped()
    {
        var wave = new Waveform([1.5f, -1.5f, 1, 0.6f / 32768, -0.6f / 32768, 0.4f / 32768, float.MaxValue], 8000);
        float[] expected = [32767 / 32768f, -1, 32767 / 32768f, 1 / 32768f, -1 / 32768f, 0, 32767 / 32768f];
        Assert.That(SaveAndLoad(wave, WavFormat.Pcm16).Span.ToArray(), Is.EqualTo(expected));
    }

    [Test]
    public void Saving_replaces_a_file_only_when_it_is_complete()
    {
        string path = Path.Combine(_folder, "speech.wav");
        new Waveform([0.5f], 24000).SaveWav(path);
        new Waveform([0.25f, 0.5f], 24000).SaveWav(path);
        Assert.That(Waveform.Load(path).Length, Is.EqualTo(2));
        Assert.That(() => new Waveform([0], 24000).SaveWav(path, (WavFormat)7), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(Waveform.Load(path).Length, Is.EqualTo(2));
        Directory.CreateDirectory(path + ".d");
        Assert.That(() => new Waveform([0], 24000).SaveWav(path + ".d"), Throws.Exception);
        Assert.That(Directory.GetFiles(_folder), Has.Length.EqualTo(1), "no temporary file is left");
    }

    [Test]
    public void Samples_that_are_not_finite_are_refused_by_index()
    {
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
            foreach (int index in new[] { 0, 7, 16, 99 })
            {
                var samples = new float[100];
                samples[index] = bad;
                Assert.That(() => new Waveform(samples, 24000), Throws.ArgumentException.With.Message.Contains($"index {index}."));
            }
    }

    [Test]
    public void Sampling_rates_out_of_range_are_refused([Values(0, -1, 768_001, int.MinValue)] int rate)
    {
        Assert.That(() => new Waveform([], rate), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("768000"));
        Assert.That(() => new Waveform([], 24000).ResampleTo(rate), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void A_waveform_does_not_change_with_the_array_it_was_made_of()
    {
        float[] samples = [1, 2];
        var wave = new Waveform(samples, 24000);
        samples[0] = 5;
        Assert.That(wave.Span[0], Is.EqualTo(1));
    }

    [Test]
    public void Knows_its_duration_peak_and_root_mean_square()
    {
        var wave = new Waveform([3, -4, 0, 0], 8);
        Assert.That(wave.Duration, Is.EqualTo(TimeSpan.FromSeconds(0.5)));
        Assert.That(wave.Peak, Is.EqualTo(4));
        Assert.That(wave.Rms, Is.EqualTo(2.5f));
        var nothing = new Waveform([], 8);
        Assert.That((nothing.Peak, nothing.Rms, nothing.Duration), Is.EqualTo((0f, 0f, TimeSpan.Zero)));
    }

    [Test]
    public void Slices_join_to_the_whole()
    {
        var wave = new Waveform([.. Enumerable.Range(0, 1000).Select(i => (float)i)], 44100);
        TimeSpan piece = TimeSpan.FromMilliseconds(3.7);
        var parts = new List<Waveform>();
        for (TimeSpan at = TimeSpan.Zero; at < wave.Duration; at += piece)
            parts.Add(wave.Slice(at, piece));
        Assert.That(Waveform.Concatenate([.. parts]).Span.SequenceEqual(wave.Span), Is.True);
        Assert.That(wave.Slice(TimeSpan.Zero, TimeSpan.MaxValue).Length, Is.EqualTo(1000), "a part beyond the end ends there");
        Assert.That(wave.Slice(wave.Duration, TimeSpan.MaxValue).Length, Is.LessThanOrEqualTo(1));
        Assert.That(wave.Slice(TimeSpan.FromMilliseconds(10), TimeSpan.Zero).Length, Is.Zero);
        Assert.That(() => wave.Slice(TimeSpan.FromSeconds(1), TimeSpan.Zero), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => wave.Slice(TimeSpan.FromTicks(-1), TimeSpan.Zero), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => wave.Slice(TimeSpan.Zero, TimeSpan.FromTicks(-1)), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Only_waveforms_of_one_rate_are_joined()
    {
        Assert.That(() => Waveform.Concatenate(new Waveform([0], 24000), new Waveform([0], 16000)), Throws.ArgumentException.With.Message.Contains("16000 Hz"));
        Assert.That(() => Waveform.Concatenate([]), Throws.ArgumentException);
    }

    private Waveform SaveAndLoad(Waveform wave, WavFormat format)
    {
        string path = Path.Combine(_folder, "saved.wav");
        wave.SaveWav(path, format);
        using var stream = new MemoryStream();
        wave.SaveWav(stream, format);
        Assert.That(stream.ToArray(), Is.EqualTo(File.ReadAllBytes(path)), "the same to a stream");
        return Waveform.Load(path);
    }
}
