using HiggsAudio.Generation;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Generation;

internal sealed class SamplerTests
{
    private static readonly float[] Logits = [0.5f, -1, 2, 1.25f, 0, -3, 1.75f, 2, -0.5f, 0.75f];

    [Test]
    public void Philox_gives_the_known_answers_of_its_authors()
    {
        Assert.That(Philox.Block(0, 0, 0, 0, 0), Is.EqualTo((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)));
        Assert.That(Philox.Block(~0u, ~0u, ~0u, ~0u, ~0ul), Is.EqualTo((0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)));
        Assert.That(Philox.Block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0x299f31d0a4093822),
            Is.EqualTo((0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)));
    }

    [Test]
    public void The_exponential_is_accurate_and_has_the_same_bits_as_when_it_was_written()
    {
        ulong hash = 14695981039346656037;
        double worst = 0;
        for (int i = 0; i < 100_000; i++)
        {
            double x = -i * 0.00712345678, y = PortableExp.Exp(x);
            foreach (byte b in BitConverter.GetBytes(y))
                hash = unchecked((hash ^ b) * 1099511628211);   // FNV-1a
            if (x > -700)
                worst = Math.Max(worst, Math.Abs(y / Math.Exp(x) - 1));
        }
        Assert.That(worst, Is.LessThan(5e-16));
        Assert.That(hash, Is.EqualTo(PinnedExponentials));
        Assert.That(PortableExp.Exp(0), Is.EqualTo(1));
        Assert.That(PortableExp.Exp(double.NegativeInfinity), Is.Zero);
    }

    private const ulong PinnedExponentials = 8315483938256908898;

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(4)]
    [TestCase(9)]
    public void Exponentials_do_not_depend_on_their_place(int length)
    {
        var results = new double[length];
        PortableExp.Exp(Logits.AsSpan(0, length), 2, results);
        Assert.That(results, Is.EqualTo(Logits.Take(length).Select(x => PortableExp.Exp((double)x - 2))));
    }

    [Test]
    public void The_same_seed_draws_the_same_codes_as_when_it_was_written()
    {
        var sampler = new Sampler(new GenerationOptions { Temperature = 0.9f, TopK = 8, TopP = 0.97f, Seed = 1234 });
        int[] draws = [.. Enumerable.Range(0, 24).Select(step => sampler.Draw(Logits, step, step % 8))];
        Assert.That(string.Join(',', draws), Is.EqualTo(PinnedDraws));
    }

    private const string PinnedDraws = "7,7,7,7,3,2,9,3,2,3,7,7,2,6,7,7,6,4,2,7,2,0,2,7";

    [Test]
    public void Draws_follow_the_softmax()
    {
        var sampler = new Sampler(new GenerationOptions { Temperature = 1, TopP = 1, Seed = 42 });
        AssertDistribution((step, row) => sampler.Draw(Logits, step, row), 1);
    }

    [Test]
    public void Draws_at_another_temperature_follow_the_softmax_of_the_divided_logits()
    {
        var sampler = new Sampler(new GenerationOptions { Temperature = 1.7f, TopP = 1, Seed = 43 });
        AssertDistribution((step, row) => sampler.Draw(Logits, step, row), 1.7);
    }

    [Test]
    public void Redraws_follow_the_softmax_of_the_raw_logits_whatever_the_options()
    {
        var sampler = new Sampler(new GenerationOptions { Temperature = 0, TopK = 2, TopP = 0.5f, Seed = 44 });
        AssertDistribution((step, row) => sampler.Redraw(Logits, step, row), 1);
    }

    // Pearson's chi-square against the softmax: 9 degrees of freedom, 27.88 is exceeded once in a thousand.
    private static void AssertDistribution(Func<int, int, int> draw, double temperature)
    {
        const int Steps = 25_000, Rows = 8;
        var counts = new int[Logits.Length];
        for (int step = 0; step < Steps; step++)
            for (int row = 0; row < Rows; row++)
                counts[draw(step, row)]++;
        double total = Logits.Sum(l => Math.Exp(l / temperature)), chi = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            double expected = Steps * Rows * Math.Exp(Logits[i] / temperature) / total;
            chi += (counts[i] - expected) * (counts[i] - expected) / expected;
        }
        Assert.That(chi, Is.LessThan(27.88));
    }

    [Test]
    public void Removed_tokens_are_never_drawn()
    {
        var sampler = new Sampler(new GenerationOptions { Temperature = 1, TopK = 3, TopP = 1, Seed = 5 });
        int[] draws = [.. Enumerable.Range(0, 2000).Select(step => sampler.Draw(Logits, step, 0)).Distinct().Order()];
        Assert.That(draws, Is.EqualTo(new[] { 2, 6, 7 }));
    }

    [Test]
    public void Greedy_takes_the_first_of_the_largest() =>
        Assert.That(new Sampler(new GenerationOptions { Temperature = 0 }).Draw(Logits, 3, 1), Is.EqualTo(2));

    [Test]
    public void Without_a_seed_each_sampler_has_another_and_says_which()
    {
        var first = new Sampler(new GenerationOptions());
        Assert.That(new Sampler(new GenerationOptions()).Seed, Is.Not.EqualTo(first.Seed));
        var again = new Sampler(new GenerationOptions { Seed = first.Seed });
        Assert.That(Enumerable.Range(0, 50).Select(s => again.Draw(Logits, s, 0)), Is.EqualTo(Enumerable.Range(0, 50).Select(s => first.Draw(Logits, s, 0))));
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void Logits_that_are_not_numbers_are_refused(float bad)
    {
        float[] logits = [1, bad, 2];
        foreach (float temperature in new[] { 0f, 1f })
        {
            var sampler = new Sampler(new GenerationOptions { Temperature = temperature });
            Assert.That(() => sampler.Draw(logits, 0, 0), Throws.InvalidOperationException);
            Assert.That(() => sampler.Redraw(logits, 0, 0), Throws.InvalidOperationException);
        }
        Assert.That(() => new Sampler(new GenerationOptions()).Draw([float.NegativeInfinity], 0, 0), Throws.InvalidOperationException);
    }
}
