using HiggsAudio.Extensions.AI.Speech;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Speech;

/// <summary>Speed, pitch, volume and rate: what they change, and what they leave.</summary>
internal sealed class SoundShaperTests
{
    private const int Rate = 24000;

    [Test]
    public void Nothing_asked_for_changes_nothing()
    {
        float[] source = Pitch.Vowel(120, 0.5);
        Assert.That(Shape(source, 1, 1, 1), Is.EqualTo(source));
    }

    [Test]
    public void Speed_scales_the_duration_and_keeps_the_pitch([Values(0.5f, 0.8f, 1.3f, 2f)] float speed, [Values(90, 140, 260)] double hertz)
    {
        float[] source = Pitch.Vowel(hertz, 2, swing: 0.02), shaped = Shape(source, speed, 1, 1);
        Assert.That(shaped.Length, Is.EqualTo(source.Length / speed).Within(1));
        Assert.That(Pitch.Median(shaped), Is.EqualTo(Pitch.Median(source)).Within(1).Percent);
        Assert.That(Rms(shaped), Is.EqualTo(Rms(source)).Within(6).Percent);
    }

    [Test]
    public void Pitch_moves_the_pitch_and_keeps_the_duration([Values(0.5f, 0.8f, 1.3f, 2f)] float pitch, [Values(130, 200)] double hertz)
    {
        float[] source = Pitch.Vowel(hertz, 2, swing: 0.02), shaped = Shape(source, 1, pitch, 1);
        Assert.That(shaped.Length, Is.EqualTo(source.Length).Within(2));
        Assert.That(Pitch.Median(shaped), Is.EqualTo(pitch * Pitch.Median(source)).Within(1).Percent);
        Assert.That(Rms(shaped), Is.EqualTo(Rms(source)).Within(6).Percent);
    }

    [TestCase(0.5f, 2f), TestCase(2f, 0.5f), TestCase(1.5f, 1.5f), TestCase(0.7f, 1.2f)]
    public void Speed_and_pitch_together(float speed, float pitch)
    {
        float[] source = Pitch.Vowel(150, 2), shaped = Shape(source, speed, pitch, 1);
        Assert.That(shaped.Length, Is.EqualTo(source.Length / speed).Within(2));
        Assert.That(Pitch.Median(shaped), Is.EqualTo(pitch * 150).Within(1).Percent);
    }

    // A click is a jump of the slope; harmonic sound has slopes that grow with its pitch only.
    [Test]
    public void There_are_no_clicks([Values(0.5f, 0.77f, 1f, 1.4f, 2f)] float speed, [Values(0.6f, 1f, 1.7f)] float pitch)
    {
        float[] source = Pitch.Vowel(110, 2, swing: 0.05), shaped = Shape(source, speed, pitch, 1);
        double higher = Math.Max(1, pitch);
        Assert.That(Steepest(shaped.AsSpan(48..^48)), Is.LessThanOrEqualTo(1.35 * higher * Steepest(source)));
    }

    [TestCase(1.3f, 1f, 1f, Rate), TestCase(0.6f, 1.5f, 3f, 16000), TestCase(1f, 0.7f, 0.5f, 48000), TestCase(2f, 2f, 1f, Rate)]
    public void In_pieces_it_is_what_it_is_as_a_whole(float speed, float pitch, float volume, int rate)
    {
        float[] source = Pitch.Vowel(170, 1.5, swing: 0.03), whole = Shape(source, speed, pitch, volume, rate);
        var random = new Random(5);
        var shaper = new SoundShaper(speed, pitch, volume, Rate, rate);
        var joined = new List<float>();
        for (int at = 0; at < source.Length;)
        {
            int length = Math.Min(random.Next(0, 3000), source.Length - at);
            joined.AddRange(shaper.Write(source.AsSpan(at, length)));
            at += length;
        }
        joined.AddRange(shaper.Complete());
        Assert.That(joined, Is.EqualTo(whole));
    }

    [TestCase(0), TestCase(1), TestCase(100), TestCase(700), TestCase(1500)]
    public void Short_sound_is_shaped_too(int samples)
    {
        float[] source = Pitch.Vowel(150, 1)[..samples];
        foreach ((float speed, float pitch) in new[] { (0.5f, 1f), (2f, 1f), (1f, 0.5f), (1f, 2f) })
            Assert.That(Shape(source, speed, pitch, 2).Length, Is.EqualTo(samples / speed).Within(2));
    }

    [Test]
    public void Sound_comes_while_it_is_made()
    {
        float[] source = Pitch.Vowel(150, 3);
        var shaper = new SoundShaper(1.5f, 1.2f, 2, Rate, 16000);
        int made = 0, given = 0;
        foreach (float[] piece in source.Chunk(2400))
        {
            given += piece.Length;
            made += shaper.Write(piece).Length;
            // Less than 100 ms of the source are held back.
            Assert.That(made * 1.5 * Rate / 16000, Is.GreaterThan(given - 2400));
        }
    }

    [Test]
    public void Silence_stays_silent() =>
        Assert.That(Shape(new float[Rate], 0.7f, 1.4f, 10), Is.All.EqualTo(0f));

    [TestCase(0f), TestCase(0.25f), TestCase(1f)]
    public void A_volume_up_to_1_multiplies(float volume)
    {
        float[] source = Pitch.Vowel(150, 0.2);
        Assert.That(Shape(source, 1, 1, volume), Is.EqualTo(source.Select(sample => sample * volume)));
    }

    [TestCase(2f), TestCase(10f)]
    public void A_volume_above_1_is_limited_without_distortion(float volume)
    {
        float[] loud = Pitch.Vowel(150, 1), source = new float[2 * Rate];
        for (int i = 0; i < Rate; i++)
        {
            source[i] = 0.02f * loud[i];
            source[Rate + i] = loud[i];
        }
        float[] shaped = Shape(source, 1, 1, volume);
        Assert.That(shaped, Has.Length.EqualTo(source.Length));
        Assert.That(shaped.Max(Math.Abs), Is.LessThanOrEqualTo(0.99f).And.GreaterThan(0.8f));
        // What is far from anything loud is only multiplied.
        Assert.That(shaped.AsSpan(200, 20000).ToArray(), Is.EqualTo(source.AsSpan(200, 20000).ToArray().Select(sample => sample * volume)).Within(1e-6));
        // The gain never jumps: from one to nothing takes 5 ms.
        float?[] all = [.. source.Zip(shaped, (before, after) => Math.Abs(before) > 1e-3f ? after / before / volume : (float?)null)];
        double steepest = all.Zip(all.Skip(1), (a, b) => a is null || b is null ? 0 : Math.Abs(a.Value - b.Value)).Max();
        Assert.That(steepest, Is.LessThan(1.0 / 115));
        float[] gains = [.. all.OfType<float>()];
        Assert.That(gains.Max(), Is.LessThanOrEqualTo(1 + 1e-3f));
    }

    [TestCase(16000, 1000, true), TestCase(8000, 1000, true), TestCase(48000, 5000, true), TestCase(16000, 10000, false), TestCase(8000, 6000, false)]
    public void Another_rate_keeps_what_it_can_hold_and_nothing_else(int rate, double hertz, bool kept)
    {
        float[] source = [.. Enumerable.Range(0, Rate).Select(i => (float)(0.5 * Math.Sin(2 * Math.PI * hertz * i / Rate)))];
        float[] shaped = Shape(source, 1, 1, 1, rate);
        Assert.That(shaped, Has.Length.EqualTo(rate));
        double error = 0;
        int edge = rate / 50;
        for (int i = edge; i < rate - edge; i++)
            error = Math.Max(error, Math.Abs(shaped[i] - (kept ? 0.5 * Math.Sin(2 * Math.PI * hertz * i / rate) : 0)));
        Assert.That(error, Is.LessThan(0.5 * 1e-3));
    }

    [Test]
    public void Memory_does_not_grow_with_the_sound()
    {
        var shaper = new SoundShaper(0.8f, 1.2f, 2, Rate, 16000);
        float[] second = Pitch.Vowel(150, 1);
        for (int i = 0; i < 20; i++)
            shaper.Write(second);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 0; i < 200; i++)
            shaper.Write(second);
        Assert.That(GC.GetTotalMemory(forceFullCollection: true) - before, Is.LessThan(1 << 20));
        GC.KeepAlive(shaper);
    }

    private static float[] Shape(float[] source, float speed, float pitch, float volume, int rate = Rate)
    {
        var shaper = new SoundShaper(speed, pitch, volume, Rate, rate);
        float[] made = shaper.Write(source).ToArray();
        return [.. made, .. shaper.Complete()];
    }

    private static double Rms(float[] samples) => Math.Sqrt(samples.Average(sample => (double)sample * sample));

    private static double Steepest(ReadOnlySpan<float> samples)
    {
        double steepest = 0;
        for (int i = 1; i < samples.Length; i++)
            steepest = Math.Max(steepest, Math.Abs(samples[i] - samples[i - 1]));
        return steepest;
    }
}
