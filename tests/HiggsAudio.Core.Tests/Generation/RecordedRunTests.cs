using System.Text.Json;
using HiggsAudio.Generation;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Generation;

/// <summary>The state machine fed with the logits that the reference's network made, without a network.</summary>
internal sealed class RecordedRunTests
{
    private static IEnumerable<TestCaseData> Runs() => Golden.TestCases("lm_", c => IsKind(c, "greedy") || IsKind(c, "sampled"));

    private static IEnumerable<TestCaseData> SampledRuns() => Golden.TestCases("lm_", c => IsKind(c, "sampled"));

    private static bool IsKind(JsonElement c, string kind) => c.TryGetProperty("kind", out JsonElement k) && k.GetString() == kind;

    [TestCaseSource(nameof(Runs))]
    public void A_recorded_run_is_repeated_step_by_step(string folder, string name)
    {
        var run = new RecordedRun(folder, name);
        int codebooks = run.Tokens.Codebooks, audio = 0, text = 0;
        int[] mode = run.Ints("step_mode"), inToken = run.Ints("step_in_token"), outToken = run.Ints("step_out_token");
        int[] inCodes = run.Ints("step_in_codes"), outCodes = run.Ints("step_out_codes");
        float[] audioLogits = run.Has("audio_raw_logits") ? run.Floats("audio_raw_logits") : [], textLogits = run.Has("text_raw_logits") ? run.Floats("text_raw_logits") : [];
        int[] delays = run.Has("audio_num_delay_after") ? run.Ints("audio_num_delay_after") : [], left = run.Has("audio_num_remaining_after") ? run.Ints("audio_num_remaining_after") : [];
        GenerationState state = run.Begin(new RecordedSampler(run));
        for (int step = 0; step < mode.Length; step++)
        {
            Assert.That(state.IsFinished, Is.False, $"before step {step}");
            Assert.That((int)state.Needs, Is.EqualTo(mode[step] switch { 0 => (int)StepLogits.Text, 1 => (int)StepLogits.None, _ => (int)StepLogits.Audio }), $"mode of step {step}");
            int[] codesIn = inCodes[(step * codebooks)..((step + 1) * codebooks)], codesOut = outCodes[(step * codebooks)..((step + 1) * codebooks)];
            Assert.That(state.NextInput, Is.EqualTo(step == 0 ? StepInput.Prompt : codesIn[0] >= 0 ? StepInput.Audio : StepInput.Text), $"input of step {step}");
            if (state.NextInput == StepInput.Audio)
                Assert.That(state.NextCodes.ToArray(), Is.EqualTo(codesIn), $"codes into step {step}");
            if (state.NextInput == StepInput.Text)
                Assert.That(state.NextToken, Is.EqualTo(inToken[step]), $"token into step {step}");
            ReadOnlySpan<float> logits = state.Needs switch
            {
                StepLogits.Audio => Row(audioLogits, audio, run.Ints("audio_step_index").Length),
                StepLogits.Text => Row(textLogits, text, run.Ints("text_step_index").Length),
                _ => [],
            };
            StepResult result = state.Advance(logits);
            if (codesOut[0] >= 0)
                Assert.That(state.NextCodes.ToArray(), Is.EqualTo(codesOut), $"codes out of step {step}");
            if (mode[step] == 2)
            {
                Assert.That(result, Is.EqualTo(outToken[step] == run.Tokens.AudioOut ? StepResult.Audio : StepResult.AudioEnd), $"result of step {step}");
                Assert.That((state.Delay, state.Remaining ?? -1), Is.EqualTo((delays[audio], left[audio])), $"delay and remaining after step {step}");
                audio++;
            }
            else
                text++;   // begins of segments have text logits too
            Assert.That(state.Sequence[^1], Is.EqualTo(outToken[step]), $"token out of step {step}");
        }
        AssertOutcome(run, state);
    }

    private static void AssertOutcome(RecordedRun run, GenerationState state)
    {
        Assert.That(state.IsFinished, Is.True);
        Assert.That(state.FinishReason, Is.EqualTo(state.Steps < run.Options.MaxNewTokens ? FinishReason.Stop : state.FinishReason));
        Assert.That(state.Sequence.ToArray(), Is.EqualTo(run.Ints("sequences")));
        Assert.That(state.Segments, Is.EqualTo(run.Ints("n_segments")[0]));
        for (int i = 0; i < state.Segments; i++)
        {
            int[,] segment = state.Segment(i);
            Assert.That(segment, Is.EqualTo(run.Matrix($"segment_{i}")));
            if (run.Has($"segment_{i}_reverted"))
                Assert.That(DelayPattern.Revert(segment), Is.EqualTo(run.Matrix($"segment_{i}_reverted")));
            if (run.Has($"segment_{i}_final"))
                Assert.That(DelayPattern.Frames(segment, run.CodebookSize, referenceTrimming: true), Is.EqualTo(run.Matrix($"segment_{i}_final")));
        }
    }

    [TestCaseSource(nameof(SampledRuns))]
    public void Recorded_logits_give_the_recorded_scores(string folder, string name)
    {
        var run = new RecordedRun(folder, name);
        int scored = 0;
        foreach (string kind in new[] { "audio", "text" })
        {
            if (!run.Has($"{kind}_scores"))
                continue;
            float[] logits = run.Floats($"{kind}_raw_logits"), expected = run.Floats($"{kind}_scores");
            int rows = run.Ints($"{kind}_step_index").Length * (kind == "audio" ? run.Tokens.Codebooks : 1);
            var processor = new LogitsProcessor(run.Options.Temperature, run.Options.TopK, run.Options.TopP);
            var scores = new float[rows == 0 ? 0 : logits.Length / rows];
            for (int row = 0; row < rows; row++, scored++)
            {
                processor.Apply(Row(logits, row, rows), scores);
                float[] golden = Row(expected, row, rows).ToArray();
                Assert.That(scores.Select(float.IsNegativeInfinity).SequenceEqual(golden.Select(float.IsNegativeInfinity)), Is.True, $"removed of {kind} row {row}");
                float worst = scores.Zip(golden).Where(s => !float.IsNegativeInfinity(s.First)).Max(s => Math.Abs(s.First - s.Second));
                Assert.That(worst, Is.LessThan(1e-5f), $"scores of {kind} row {row}");
            }
        }
        Assert.That(scored, Is.Positive);
    }

    [TestCaseSource(nameof(SampledRuns))]
    public void Recorded_draws_are_found_as_often_in_the_window_as_recorded(string folder, string name)
    {
        var run = new RecordedRun(folder, name);
        if (!run.Has("audio_ras_rep_num") || run.Options.RasWinLen is not > 0)
        {
            Assert.That(run.Case.GetProperty("n_ras").GetInt32(), Is.Zero);
            return;
        }
        int codebooks = run.Tokens.Codebooks;
        int[] steps = run.Ints("audio_step_index"), draws = run.Ints("audio_draw"), counts = run.Ints("audio_ras_rep_num"), redraws = run.Ints("audio_ras_draw");
        int[] outCodes = run.Ints("step_out_codes");
        List<int> columns = run.Has("audio_out_ids") ? [.. GoldenJson.Transpose(run.Matrix("audio_out_ids")).Cast<int>()] : [];
        int audio = 0;
        for (int step = 0; step < outCodes.Length / codebooks; step++)
        {
            for (int c = 0; audio < steps.Length && steps[audio] == step && c < codebooks; c++)
            {
                int i = audio * codebooks + c;
                int count = RepetitionAwareSampling.CountRepeats([.. columns], codebooks, c, draws[i], run.Options.RasWinLen.Value);
                Assert.That(count, Is.EqualTo(counts[i]), $"codebook {c} of step {step}");
                Assert.That(redraws[i] >= 0, Is.EqualTo(count >= run.Options.RasWinMaxNumRepeat), $"redraw in codebook {c} of step {step}");
            }
            if (audio < steps.Length && steps[audio] == step)
                audio++;
            if (outCodes[step * codebooks] >= 0)
                columns.AddRange(outCodes.AsSpan(step * codebooks, codebooks));
        }
        Assert.That(audio, Is.EqualTo(steps.Length));
    }

    private static ReadOnlySpan<float> Row(float[] values, int row, int rows) => values.AsSpan(row * (values.Length / rows), values.Length / rows);

    // Draws what the reference drew. In a greedy run what it drew is checked to be what a greedy sampler draws.
    private sealed class RecordedSampler : Sampler
    {
        private readonly int[] _draws, _redraws, _steps, _tokens;
        private readonly int _codebooks;
        private readonly bool _greedy;

        public RecordedSampler(RecordedRun run) : base(run.Options)
        {
            _draws = run.Has("audio_draw") ? run.Ints("audio_draw") : [];
            _redraws = run.Has("audio_ras_draw") ? run.Ints("audio_ras_draw") : [];
            (_steps, _tokens) = (run.Ints("audio_step_index"), run.Ints("step_out_token"));
            (_codebooks, _greedy) = (run.Tokens.Codebooks, run.Options.Temperature == 0);
        }

        public override int Draw(ReadOnlySpan<float> logits, int step, int row)
        {
            int audio = Array.IndexOf(_steps, step), recorded = audio < 0 ? _tokens[step] : _draws[audio * _codebooks + row];
            if (_greedy)
                Assert.That(base.Draw(logits, step, row), Is.EqualTo(recorded), $"greedy draw of row {row} in step {step}");
            return recorded;
        }

        public override int Redraw(ReadOnlySpan<float> logits, int step, int row)
        {
            int recorded = _redraws[Array.IndexOf(_steps, step) * _codebooks + row];
            Assert.That(recorded, Is.GreaterThanOrEqualTo(0), $"the reference did not draw row {row} of step {step} again");
            return recorded;
        }
    }
}
