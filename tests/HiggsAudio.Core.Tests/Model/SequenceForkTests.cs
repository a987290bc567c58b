using HiggsAudio.Model;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>Sequences that go on from one beginning, in every variant of the model.</summary>
internal sealed class SequenceForkTests
{
    private static IEnumerable<string> Models() => ["lm_a", "lm_b", "lm_c", "lm_d"];

    // Text, frames, text, frames: layers that only text or only audio passes have fewer slots than rows.
    private static PromptRow[] Rows(HiggsAudioConfig config, int seed, params int[] counts)
    {
        var random = new Random(seed);
        PromptRow Row(int i) => i % 2 == 0
            ? new(random.Next(256), null)
            : new(-1, [.. Enumerable.Range(0, config.AudioNumCodebooks).Select(_ => random.Next(config.CodebookSize))]);
        return [.. counts.SelectMany((count, i) => Enumerable.Range(0, count).Select(_ => Row(i)))];
    }

    [Test]
    public void A_fork_goes_on_to_the_bit_as_a_sequence_of_its_own([ValueSource(nameof(Models))] string name)
    {
        using var fixture = new LmFixture(LmFixture.Folder(name));
        HiggsAudioConfig config = fixture.Model.Config;
        PromptRow[] beginning = Rows(config, 1, 30, 40, 20), one = Rows(config, 2, 9, 12), other = Rows(config, 3, 0, 30, 5);
        using SequenceState parent = fixture.Model.CreateSequence();
        Run(fixture, parent, beginning);
        using SequenceState child = parent.Fork(), grandchild = child.Fork();
        // In turns, so that each would meet what the others wrote.
        float[][] results = [Run(fixture, child, one[..10]), Run(fixture, parent, other[..10]), Run(fixture, child, one[10..]), Run(fixture, parent, other[10..]), Run(fixture, grandchild, other)];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(results[2], Is.EqualTo(Alone(fixture, [.. beginning, .. one])));
            Assert.That(results[3], Is.EqualTo(Alone(fixture, [.. beginning, .. other])));
            Assert.That(results[4], Is.EqualTo(results[3]));
        }
    }

    [Test]
    public void A_fork_of_an_earlier_row_has_only_the_rows_before([ValueSource(nameof(Models))] string name, [Values(1, 16, 35, 64, 80, 89)] int at)
    {
        using var fixture = new LmFixture(LmFixture.Folder(name));
        PromptRow[] beginning = Rows(fixture.Model.Config, 1, 30, 40, 20), rest = Rows(fixture.Model.Config, 2, 3, 9, 4);
        using SequenceState parent = fixture.Model.CreateSequence();
        Run(fixture, parent, beginning);
        parent.EndPrefill();
        float[] before = [.. Run(fixture, parent, rest[..1])];
        SequenceLength length = new(at, beginning[..at].Count(row => row.Codes is null), 0, InPrefill: true);
        using (SequenceState fork = parent.Fork(length))
            Assert.That(Run(fixture, fork, rest), Is.EqualTo(Alone(fixture, [.. beginning[..at], .. rest])));
        using SequenceState straight = fixture.Model.CreateSequence();
        Run(fixture, straight, beginning);
        Assert.That(before, Is.EqualTo(Run(fixture, straight, rest[..1])));
        Assert.That(Run(fixture, parent, rest[1..]), Is.EqualTo(Run(fixture, straight, rest[1..])), "the parent is as it was");
    }

    [Test]
    public void All_memory_is_free_in_the_end([ValueSource(nameof(Models))] string name)
    {
        using var fixture = new LmFixture(LmFixture.Folder(name));
        SequenceState parent = fixture.Model.CreateSequence();
        Run(fixture, parent, Rows(fixture.Model.Config, 1, 70, 10));
        SequenceState child = parent.Fork();
        parent.Dispose();
        Run(fixture, child, Rows(fixture.Model.Config, 2, 3, 3));
        Assert.That(fixture.Device.KvCacheBytes, Is.GreaterThan(0));
        child.Dispose();
        Assert.That(fixture.Device.KvCacheBytes, Is.Zero);
    }

    [Test]
    public void A_place_that_the_sequence_has_not_reached_cannot_be_forked()
    {
        using var fixture = new LmFixture(LmFixture.Folder("lm_a"));
        using SequenceState sequence = fixture.Model.CreateSequence();
        Run(fixture, sequence, Rows(fixture.Model.Config, 1, 5, 5));
        Assert.That(() => sequence.Fork(new SequenceLength(11, 5, 0, true)), Throws.ArgumentException);
        Assert.That(() => sequence.Fork(new SequenceLength(8, 6, 0, true)), Throws.ArgumentException);
        Run(fixture, sequence, [PromptRow.Padding]);
        Assert.That(() => sequence.Fork(new SequenceLength(5, 5, 0, true)), Throws.ArgumentException.With.Message.Contains("padding"));
        using SequenceState whole = sequence.Fork();
        Assert.That(whole.Hidden, Is.EqualTo(sequence.Hidden));
    }

    private static float[] Alone(LmFixture fixture, PromptRow[] rows)
    {
        using SequenceState sequence = fixture.Model.CreateSequence();
        return Run(fixture, sequence, rows);
    }

    // Both kinds of logits of the last row.
    private static float[] Run(LmFixture fixture, SequenceState sequence, PromptRow[] rows)
    {
        TokenBatch batch = fixture.Model.CreateBatch();
        foreach (PromptRow row in rows)
            row.AddTo(batch, sequence);
        int text = batch.RequestTextLogits(), audio = batch.RequestAudioLogits();
        fixture.Model.Forward(fixture.Lane, batch);
        return [.. batch.TextLogits(text), .. batch.AudioLogits(audio)];
    }
}
