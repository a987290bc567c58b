using HiggsAudio.Generation;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Generation;

internal sealed class GenerationStateTests
{
    private const int Bos = 16, Eos = 17, AudioOutBos = 40, AudioOut = 41, AudioEos = 42, Eot = 43, Vocabulary = 50;
    private static readonly GenerationTokens Tokens = new(AudioOutBos, AudioOut, AudioEos, Bos, Eos, 4);
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, RasWinLen = null, Seed = 3 };

    private static GenerationState New(int[] prompt, GenerationOptions? options = null, StopCondition? stop = null, int[]? audio = null, int lastClip = 0) =>
        new(Tokens, options ?? Greedy, stop ?? new StopCondition([Eot]), prompt, audio, lastClip);

    // Logits whose largest is the token.
    private static float[] Text(int token)
    {
        var logits = new float[Vocabulary];
        logits[token] = 9;
        return logits;
    }

    // Logits whose largest in each codebook are the codes.
    private static float[] Audio(params int[] codes)
    {
        var logits = new float[codes.Length * 18];
        for (int c = 0; c < codes.Length; c++)
            logits[c * 18 + codes[c]] = 9;
        return logits;
    }

    [Test]
    public void An_answer_may_have_text_segments_and_text_again()
    {
        GenerationState state = New([1, 2]);
        Assert.That((state.NextInput, state.Needs), Is.EqualTo((StepInput.Prompt, StepLogits.Text)));
        Assert.That(state.Advance(Text(7)), Is.EqualTo(StepResult.Text));
        Assert.That((state.NextInput, state.NextToken, state.Needs), Is.EqualTo((StepInput.Text, 7, StepLogits.Text)));
        for (int segment = 0; segment < 2; segment++)
        {
            state.Advance(Text(AudioOutBos));
            Assert.That((state.NextInput, state.NextToken, state.Needs), Is.EqualTo((StepInput.Text, AudioOutBos, StepLogits.None)));
            Assert.That(state.Advance([]), Is.EqualTo(StepResult.AudioInit));
            Assert.That((state.NextInput, state.Needs), Is.EqualTo((StepInput.Audio, StepLogits.Audio)));
            for (int t = 0; t < 5; t++)
                Assert.That(state.Advance(Audio(1, 2, 3, 4)), Is.EqualTo(StepResult.Audio));
            Assert.That(state.Advance(Audio(Eos, 2, 3, 4)), Is.EqualTo(StepResult.Audio));
            state.Advance(Audio(1, 2, 3, 4));
            state.Advance(Audio(1, 2, 3, 4));
            Assert.That(state.Advance(Audio(1, 2, 3, 4)), Is.EqualTo(StepResult.AudioEnd));
            Assert.That((state.NextInput, state.NextToken, state.Needs), Is.EqualTo((StepInput.Text, AudioEos, StepLogits.Text)));
        }
        state.Advance(Text(8));
        Assert.That(state.IsFinished, Is.False);
        state.Advance(Text(Eot));
        Assert.That(state.FinishReason, Is.EqualTo(FinishReason.Stop));
        Assert.That(state.TextTokens.ToArray(), Is.EqualTo(new[] { 7, AudioOutBos, AudioOut, AudioEos, AudioOutBos, AudioOut, AudioEos, 8, Eot }));
        Assert.That(state.Sequence[..2].ToArray(), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(state.Segments, Is.EqualTo(2));
        Assert.That(state.Segment(1), Is.EqualTo(state.Segment(0)));
        Assert.That(DelayPattern.Frames(state.Segment(0), 16), Is.EqualTo(new int[,] { { 1, 1, 1, 1, 1 }, { 2, 2, 2, 2, 2 }, { 3, 3, 3, 3, 3 }, { 4, 4, 4, 4, 4 } }));
        Assert.That(() => state.Advance(Text(1)), Throws.InvalidOperationException);
    }

    [Test]
    public void Every_step_counts_toward_the_length()
    {
        GenerationState state = New([AudioOutBos], Greedy with { MaxNewTokens = 3 });
        state.Advance([]);
        state.Advance(Audio(1, 2, 3, 4));
        Assert.That(state.IsFinished, Is.False);
        state.Advance(Audio(1, 2, 3, 4));
        Assert.That((state.FinishReason, state.Steps), Is.EqualTo(((FinishReason?)FinishReason.Length, 3)));
    }

    [Test]
    public void A_stop_in_the_last_step_is_a_stop()
    {
        GenerationState state = New([1], Greedy with { MaxNewTokens = 1 });
        state.Advance(Text(Eot));
        Assert.That(state.FinishReason, Is.EqualTo(FinishReason.Stop));
    }

    [Test]
    public void The_end_of_audio_can_be_the_end()
    {
        GenerationState state = New([AudioOutBos], Greedy with { StopAtAudioEnd = true });
        state.Advance([]);
        for (int t = 0; t < 4; t++)
        {
            Assert.That(state.IsFinished, Is.False);
            state.Advance(Audio(Eos, 0, 0, 0));
        }
        Assert.That(state.FinishReason, Is.EqualTo(FinishReason.AudioEnd));
    }

    [Test]
    public void A_cancelled_answer_says_so_and_keeps_what_it_has()
    {
        GenerationState state = New([1]);
        state.Advance(Text(5));
        state.Cancel();
        Assert.That(state.FinishReason, Is.EqualTo(FinishReason.Cancelled));
        Assert.That(state.TextTokens.ToArray(), Is.EqualTo(new[] { 5 }));
    }

    [Test]
    public void A_stop_string_is_found_across_tokens()
    {
        var stop = new StopCondition([Eot], ["bcd", "<eos>"], s => s == "<eos>" ? 6 : null, ids => string.Concat(ids.ToArray().Select(i => (char)('a' + i))));
        GenerationState state = New([1], stop: stop);
        state.Advance(Text(1));
        state.Advance(Text(2));
        Assert.That(state.IsFinished, Is.False);
        state.Advance(Text(3));
        Assert.That(state.FinishReason, Is.EqualTo(FinishReason.Stop));
        Assert.That(stop.IsMet([6]), Is.True);
        Assert.That(stop.IsMet([1, 2]), Is.False);
        Assert.That(() => new StopCondition([Eot], ["bcd"]), Throws.ArgumentException.With.Message.Contains("bcd"));
    }

    [Test]
    public void A_segment_that_the_model_names_without_beginning_it_is_begun()
    {
        GenerationState state = New([1]);
        state.Advance(Text(AudioOut));
        Assert.That(state.Needs, Is.EqualTo(StepLogits.None));
        Assert.That(state.Advance([]), Is.EqualTo(StepResult.AudioInit));
    }

    [Test]
    public void A_run_resumed_at_any_column_goes_on_as_if_it_had_not_stopped([Range(1, 9)] int cut)
    {
        int[][] drawn = [.. Enumerable.Range(0, 12).Select(t => new[] { t, t + 1, t + 2, t + 3 })];
        drawn[6] = [6, Eos, 8, 9];   // ends codebook 1 first: two more columns
        GenerationState whole = New([AudioOutBos]);
        whole.Advance([]);
        var results = new List<StepResult>();
        while (results.Count == 0 || results[^1] == StepResult.Audio)
            results.Add(whole.Advance(Audio(drawn[results.Count])));
        Assert.That(results, Has.Count.EqualTo(9));
        int columns = cut;
        int[] before = whole.Columns[..(columns * 4)].ToArray();
        GenerationState resumed = New([AudioOut], audio: before);
        int step = columns - 1;
        do
            Assert.That(resumed.Advance(Audio(drawn[step])), Is.EqualTo(results[step]), $"step {step}");
        while (++step < results.Count);
        Assert.That(resumed.Segment(0), Is.EqualTo(whole.Segment(0)));
    }

    [Test]
    public void A_resumed_segment_begins_where_its_clip_does()
    {
        int[] history = [1, 2, 3, 4, 5, 6, 7, 8, Bos, Bos, Bos, Bos];
        GenerationState state = New([AudioOut], audio: history, lastClip: 2);
        state.Advance(Audio(9, 9, 9, 9));
        Assert.That(state.Segment(0), Is.EqualTo(new int[,] { { Bos, 9 }, { Bos, Bos }, { Bos, Bos }, { Bos, Bos } }));
        Assert.That(() => New([AudioOut]), Throws.ArgumentException);
        Assert.That(() => New([AudioOut], audio: history, lastClip: 3), Throws.ArgumentException);
    }

    [Test]
    public void Bad_arguments_are_refused()
    {
        Assert.That(() => New([]), Throws.ArgumentException);
        Assert.That(() => New([1], audio: [1, 2, 3]), Throws.ArgumentException);
        Assert.That(() => New([1], Greedy with { MaxNewTokens = 0 }), Throws.ArgumentException);
        GenerationState state = New([AudioOutBos]);
        state.Advance([]);
        Assert.That(() => state.Advance(new float[5]), Throws.ArgumentException);
        Assert.That(() => state.Advance([]), Throws.ArgumentException);
    }

    private static GenerationState Sampled(long seed)
    {
        GenerationState state = New([AudioOutBos], new GenerationOptions { Temperature = 1, TopP = 0.98f, Seed = seed, MaxNewTokens = 400, RasWinMaxNumRepeat = 1 });
        state.Advance([]);
        return state;
    }

    private static float[] Noise(int step)
    {
        var random = new Random(step);
        float[] logits = [.. Enumerable.Range(0, 72).Select(_ => (float)random.NextDouble() * 4)];
        for (int c = 0; c < 4; c++)
            (logits[c * 18 + Bos], logits[c * 18 + Eos]) = (-20, -20);
        return logits;
    }

    [Test]
    public void A_fork_with_the_same_seed_makes_the_same_codes_and_with_another_other_ones()
    {
        GenerationState state = Sampled(9);
        for (int step = 0; step < 20; step++)
            state.Advance(Noise(step));
        GenerationState same = state.Fork(), other = state.Fork(seed: 10);
        for (int step = 20; step < 60; step++)
        {
            state.Advance(Noise(step));
            same.Advance(Noise(step));
            other.Advance(Noise(step));
        }
        Assert.That(same.Columns.ToArray(), Is.EqualTo(state.Columns.ToArray()));
        Assert.That(other.Columns[..84].ToArray(), Is.EqualTo(state.Columns[..84].ToArray()));
        Assert.That(other.Columns.ToArray(), Is.Not.EqualTo(state.Columns.ToArray()));
        Assert.That((same.Seed, other.Seed), Is.EqualTo((9L, 10L)));
    }

    [Test]
    public void A_step_allocates_nothing()
    {
        GenerationState state = Sampled(9);
        float[][] logits = [.. Enumerable.Range(0, 300).Select(Noise)];
        for (int step = 0; step < 100; step++)
            state.Advance(logits[step]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 100; step < 300; step++)
            state.Advance(logits[step]);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static readonly GenerationOptions[] BadOptions =
    [
        new() { MaxNewTokens = 0 }, new() { Temperature = -1 }, new() { Temperature = float.NaN }, new() { Temperature = 1e-6f }, new() { TopK = -1 },
        new() { TopP = 1.01f }, new() { TopP = float.NaN }, new() { TopP = -0.1f }, new() { RasWinMaxNumRepeat = -1 }, new() { StopStrings = [""] },
        new() { StopStrings = null! },
    ];

    [TestCaseSource(nameof(BadOptions))]
    public void Options_out_of_range_are_refused_by_name(GenerationOptions options) =>
        Assert.That(options.Validate, Throws.ArgumentException.With.Message.Contains("GenerationOptions."));

    [Test]
    public void Default_options_are_the_references()
    {
        var options = new GenerationOptions();
        options.Validate();
        Assert.That((options.MaxNewTokens, options.Temperature, options.TopK, options.TopP), Is.EqualTo((2048, 0.7f, (int?)null, 0.95f)));
        Assert.That((options.RasWinLen, options.RasWinMaxNumRepeat, options.Seed, options.ForceAudioGeneration), Is.EqualTo(((int?)7, 2, (long?)null, false)));
        Assert.That(options.StopStrings, Is.EqualTo(new[] { "<|end_of_text|>", "<|eot_id|>" }));
    }
}
