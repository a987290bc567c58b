using HiggsAudio.Model;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>What holds for any prompt: how rows are cut into passes, and what else is in a pass, does not change a sequence.</summary>
internal sealed class HiggsAudioModelTests
{
    private const double Tolerance = 1e-4;

    private static IEnumerable<string> Models() => ["lm_a", "lm_b", "lm_c", "lm_d"];

    /// <summary>A prompt of every kind of row: text, frames of two clips, padding.</summary>
    private static PromptRow[] Prompt(HiggsAudioConfig config, int seed = 1)
    {
        var random = new Random(seed);
        PromptRow Text() => new(random.Next(256), null);
        PromptRow Frame() => new(-1, [.. Enumerable.Range(0, config.AudioNumCodebooks).Select(_ => random.Next(config.CodebookSize))]);
        return [.. Enumerable.Range(0, 9).Select(_ => Text()), .. Enumerable.Range(0, 12).Select(_ => Frame()), Text(), PromptRow.Padding, Text(),
            .. Enumerable.Range(0, 7).Select(_ => Frame()), .. Enumerable.Range(0, 5).Select(_ => Text()), Frame(), Frame()];
    }

    [Test]
    public void A_prompt_in_one_pass_in_pieces_and_row_by_row_is_the_same([ValueSource(nameof(Models))] string name, [Values(1, 2, 5, 11)] int piece)
    {
        using var fixture = new LmFixture(LmFixture.Folder(name));
        PromptRow[] rows = Prompt(fixture.Model.Config);
        float[][] whole = Logits(fixture, rows, rows.Length), pieces = Logits(fixture, rows, piece);
        for (int row = 0; row < rows.Length; row++)
            Near.AssertWithin(Tolerance, pieces[row], whole[row], $"row {row}");
    }

    [Test]
    public void Sequences_in_one_batch_go_on_as_if_alone([ValueSource(nameof(Models))] string name)
    {
        using var fixture = new LmFixture(LmFixture.Folder(name));
        PromptRow[][] prompts = [Prompt(fixture.Model.Config, 1), Prompt(fixture.Model.Config, 2)[..^2], Prompt(fixture.Model.Config, 3)];
        int[][] together = Greedy(fixture, prompts, steps: 16);
        for (int i = 0; i < prompts.Length; i++)
            Assert.That(together[i], Is.EqualTo(Greedy(fixture, [prompts[i]], steps: 16)[0]), $"sequence {i}");
    }

    [Test]
    public void A_batch_that_is_kept_gives_what_a_new_one_gives()
    {
        using var fixture = new LmFixture(LmFixture.Folder("lm_b"));
        PromptRow[] first = Prompt(fixture.Model.Config, 1), second = Prompt(fixture.Model.Config, 2);
        TokenBatch kept = fixture.Model.CreateBatch();
        Logits(fixture, first, first.Length, kept);
        float[][] again = Logits(fixture, second, second.Length, kept), expected = Logits(fixture, second, second.Length);
        for (int row = 0; row < second.Length; row++)
            Assert.That(again[row], Is.EqualTo(expected[row]), $"row {row}");
    }

    [Test]
    public void Decode_steps_see_and_count_padding_that_the_prompt_does_not()
    {
        using var fixture = new LmFixture(LmFixture.Folder("lm_a"));
        PromptRow[] rows = [new(1, null), PromptRow.Padding, new(2, null), new(3, null)];
        using SequenceState prompt = fixture.Model.CreateSequence(), steps = fixture.Model.CreateSequence(), without = fixture.Model.CreateSequence();
        float[] inPrompt = Last(fixture, prompt, rows), inStep, absent = Last(fixture, without, [rows[0], rows[2], rows[3]]);
        Last(fixture, steps, rows[..3]);
        steps.EndPrefill();
        inStep = Last(fixture, steps, rows[3..]);
        Assert.That(prompt.Length, Is.EqualTo(new SequenceLength(4, 4, 1, InPrefill: true)));
        Assert.That(steps.Length, Is.EqualTo(new SequenceLength(4, 4, 1, InPrefill: false)));
        Near.AssertWithin(Tolerance, inPrompt, absent, "a prompt is what it is without its padding");
        Assert.That(Near.Distance(inStep, inPrompt), Is.GreaterThan(10 * Tolerance), "a step is not");
    }

    [Test]
    public void A_sequence_that_went_back_goes_on_as_if_it_had_not_been_further([ValueSource(nameof(Models))] string name)
    {
        using var fixture = new LmFixture(LmFixture.Folder(name));
        PromptRow[] rows = Prompt(fixture.Model.Config), others = Prompt(fixture.Model.Config, 2);
        using SequenceState straight = fixture.Model.CreateSequence(), back = fixture.Model.CreateSequence();
        Last(fixture, back, rows[..20]);
        Assert.That(() => back.Truncate(back.Length), Throws.ArgumentException, "in the prefill");
        back.EndPrefill();
        SequenceLength at = back.Length;
        Last(fixture, back, others);
        SequenceLength far = back.Length;
        back.Truncate(at);
        Assert.That(() => back.Truncate(far), Throws.ArgumentException, "forward");
        Last(fixture, straight, rows[..20]);
        straight.EndPrefill();
        Assert.That(Last(fixture, back, rows[20..]), Is.EqualTo(Last(fixture, straight, rows[20..])));
    }

    [Test]
    public void A_placeholder_of_audio_given_as_text_is_padding()
    {
        using var fixture = new LmFixture(LmFixture.Folder("lm_a"));
        PromptRow[] Rows(PromptRow middle) => [new(1, null), middle, new(2, null)];
        foreach (int id in (int[])[fixture.Model.Config.AudioInTokenId, fixture.Model.Config.AudioOutTokenId])
        {
            using SequenceState padded = fixture.Model.CreateSequence(), given = fixture.Model.CreateSequence();
            Assert.That(Last(fixture, given, Rows(new(id, null))), Is.EqualTo(Last(fixture, padded, Rows(PromptRow.Padding))));
        }
    }

    [Test]
    public void Only_the_rows_that_were_asked_for_reach_a_head()
    {
        using var fixture = new LmFixture(LmFixture.Folder("lm_a"));
        PromptRow[] rows = Prompt(fixture.Model.Config);
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        foreach (PromptRow row in rows)
            row.AddTo(batch, sequence);
        batch.RequestAudioLogits();
        var normalised = new List<int>();
        fixture.Lane.Observer = (what, _, x) => normalised.AddRange(what == "final_norm" ? [x.Rows] : []);
        fixture.Model.Forward(fixture.Lane, batch);
        Assert.That(normalised, Is.EqualTo(new[] { 1 }));
        Assert.That(() => batch.TextLogits(0), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(batch.AudioLogits(0).Length, Is.EqualTo(fixture.Model.Config.AudioNumCodebooks * fixture.Model.Config.CodebookSize));
    }

    [Test]
    public void A_batch_refuses_what_is_not_a_row_of_the_model()
    {
        using var fixture = new LmFixture(LmFixture.Folder("lm_a"));
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        Assert.That(() => batch.AddText(sequence, 600), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => batch.AddText(sequence, -1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => batch.AddAudio(sequence, new int[7]), Throws.ArgumentException);
        Assert.That(() => batch.AddAudio(sequence, [0, 0, 0, 0, 0, 0, 0, 66]), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => batch.AddAudio(sequence, [0, 0, 0, 0, 0, 0, 0, -1]), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(batch.RequestTextLogits, Throws.InvalidOperationException);
        Assert.That(() => fixture.Model.Forward(fixture.Lane, batch), Throws.ArgumentException);
        Assert.That(sequence.Length.Rows, Is.Zero);
        batch.AddText(sequence, 1);
        batch.RequestTextLogits();
        Assert.That(() => batch.TextLogits(0), Throws.InvalidOperationException);
        fixture.Model.Forward(fixture.Lane, batch);
        Assert.That(() => fixture.Model.Forward(fixture.Lane, batch), Throws.InvalidOperationException);
        Assert.That(() => batch.AddText(sequence, 1), Throws.InvalidOperationException);
    }

    /// <summary>Text and audio logits of every row, the prompt run in pieces.</summary>
    private static float[][] Logits(LmFixture fixture, PromptRow[] rows, int piece, TokenBatch? batch = null)
    {
        batch ??= fixture.Model.CreateBatch();
        using SequenceState sequence = fixture.Model.CreateSequence();
        var logits = new List<float[]>();
        foreach (PromptRow[] part in rows.Chunk(piece))
        {
            batch.Clear();
            foreach (PromptRow row in part)
            {
                row.AddTo(batch, sequence);
                batch.RequestTextLogits();
                batch.RequestAudioLogits();
            }
            fixture.Model.Forward(fixture.Lane, batch);
            for (int i = 0; i < part.Length; i++)
                logits.Add([.. batch.TextLogits(i), .. batch.AudioLogits(i)]);
        }
        return [.. logits];
    }

    private static float[] Last(LmFixture fixture, SequenceState sequence, PromptRow[] rows)
    {
        TokenBatch batch = fixture.Model.CreateBatch();
        foreach (PromptRow row in rows)
            row.AddTo(batch, sequence);
        batch.RequestTextLogits();
        fixture.Model.Forward(fixture.Lane, batch);
        return batch.TextLogits(0).ToArray();
    }

    // The likeliest of every codebook after a frame, the likeliest token after text; all sequences step by step in one batch.
    private static int[][] Greedy(LmFixture fixture, PromptRow[][] prompts, int steps)
    {
        TokenBatch batch = fixture.Model.CreateBatch();
        SequenceState[] sequences = [.. prompts.Select(_ => fixture.Model.CreateSequence())];
        PromptRow[][] next = prompts;
        List<int>[] made = [.. prompts.Select(_ => new List<int>())];
        for (int step = 0; step < steps; step++)
        {
            batch.Clear();
            var requests = new int[prompts.Length];
            for (int i = 0; i < prompts.Length; i++)
            {
                foreach (PromptRow row in next[i])
                    row.AddTo(batch, sequences[i]);
                requests[i] = next[i][^1].Codes is null ? batch.RequestTextLogits() : batch.RequestAudioLogits();
            }
            fixture.Model.Forward(fixture.Lane, batch);
            for (int i = 0; i < prompts.Length; i++)
            {
                sequences[i].EndPrefill();
                PromptRow row = next[i][^1].Codes is null
                    ? new PromptRow(Near.Largest(batch.TextLogits(requests[i]), 1)[0], null)
                    : new PromptRow(-1, Near.Largest(batch.AudioLogits(requests[i]), fixture.Model.Config.AudioNumCodebooks));
                made[i].AddRange(row.Codes ?? [row.Token]);
                next = [.. next.Select((old, j) => j == i ? [row] : old)];
            }
        }
        foreach (SequenceState sequence in sequences)
            sequence.Dispose();
        return [.. made.Select(m => m.ToArray())];
    }
}
