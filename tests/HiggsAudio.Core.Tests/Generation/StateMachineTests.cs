using System.Text.Json;
using HiggsAudio.Generation;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Generation;

internal sealed class StateMachineTests
{
    private static IEnumerable<TestCaseData> StateMachineCases() => GoldenJson.Cases("utils", "audio_state_machine.json");

    private static IEnumerable<TestCaseData> RepetitionCases() => GoldenJson.Cases("utils", "ras.json");

    [TestCaseSource(nameof(StateMachineCases))]
    public void Drawn_codes_become_the_references_columns(JsonElement golden)
    {
        int bos = golden.GetProperty("bos").GetInt32(), eos = golden.GetProperty("eos").GetInt32();
        int audioOut = golden.GetProperty("audio_out_token").GetInt32(), audioEos = golden.GetProperty("audio_eos_token").GetInt32();
        JsonElement[] steps = [.. golden.GetProperty("steps").EnumerateArray()];
        int codebooks = steps[0].GetProperty("drawn").GetArrayLength();
        var tokens = new GenerationTokens(audioEos + audioOut, audioOut, audioEos, bos, eos, codebooks);
        int[][] drawn = [.. steps.Select(s => GoldenJson.Ints(s.GetProperty("drawn")))];
        var options = new GenerationOptions { RasWinLen = null, MaxNewTokens = 100_000 };
        var state = new GenerationState(tokens, options, new StopCondition([]), [tokens.AudioOutBos], sampler: new ScriptedSampler(drawn));
        Assert.That(state.Advance([]), Is.EqualTo(StepResult.AudioInit));
        var logits = new float[codebooks * (eos + 1)];
        for (int i = 0; i < steps.Length; i++)
        {
            StepResult result = state.Advance(logits);
            Assert.That(result, Is.EqualTo(steps[i].GetProperty("token").GetInt32() == audioOut ? StepResult.Audio : StepResult.AudioEnd), $"step {i}");
            Assert.That(state.NextCodes.ToArray(), Is.EqualTo(GoldenJson.Ints(steps[i].GetProperty("codes"))), $"step {i}");
            Assert.That(state.Delay, Is.EqualTo(steps[i].GetProperty("num_delay_after").GetInt32()), $"step {i}");
            Assert.That(state.Remaining, Is.EqualTo(GoldenJson.NullableInt(steps[i].GetProperty("num_remaining_after"))), $"step {i}");
        }
        int[,] segment = state.Segment(0);
        Assert.That(segment, Is.EqualTo(GoldenJson.Matrix(golden.GetProperty("sequence"))));
        Assert.That(DelayPattern.Revert(segment), Is.EqualTo(GoldenJson.Matrix(golden.GetProperty("reverted"))));
        Assert.That(DelayPattern.Frames(segment, bos, referenceTrimming: true), Is.EqualTo(GoldenJson.Matrix(golden.GetProperty("final"))));
    }

    [TestCaseSource(nameof(RepetitionCases))]
    public void Repeats_are_counted_as_in_the_reference(JsonElement golden)
    {
        int[,] history = GoldenJson.Matrix(golden.GetProperty("history"));
        int[] drawn = GoldenJson.Ints(golden.GetProperty("drawn")), columns = [.. GoldenJson.Transpose(history).Cast<int>()];
        int window = golden.GetProperty("ras_win_len").GetInt32(), most = golden.GetProperty("ras_win_max_num_repeat").GetInt32();
        int[] counts = [.. drawn.Select((code, c) => RepetitionAwareSampling.CountRepeats(columns, drawn.Length, c, code, window))];
        Assert.That(counts, Is.EqualTo(GoldenJson.Ints(golden.GetProperty("rep_num"))));
        int[] again = [.. Enumerable.Range(0, drawn.Length).Where(c => counts[c] >= most)];
        Assert.That(again, Is.EqualTo(GoldenJson.Ints(golden.GetProperty("resampled_rows"))));
        Assert.That(again, Has.Length.EqualTo(golden.GetProperty("n_resampled_by_reference").GetInt32()));
    }

    [TestCaseSource(nameof(RepetitionCases))]
    public void The_state_draws_exactly_the_repeated_codes_again(JsonElement golden)
    {
        int[,] history = GoldenJson.Matrix(golden.GetProperty("history"));
        int[] drawn = GoldenJson.Ints(golden.GetProperty("drawn")), columns = [.. GoldenJson.Transpose(history).Cast<int>()];
        var options = new GenerationOptions
        {
            RasWinLen = golden.GetProperty("ras_win_len").GetInt32(),
            RasWinMaxNumRepeat = golden.GetProperty("ras_win_max_num_repeat").GetInt32(),
        };
        var tokens = new GenerationTokens(100, 101, 102, 64, 65, drawn.Length);
        var sampler = new ScriptedSampler([drawn]);
        var state = new GenerationState(tokens, options, new StopCondition([]), [101], columns, 0, sampler);
        state.Advance(new float[drawn.Length * 66]);
        Assert.That(sampler.Redrawn, Is.EqualTo(GoldenJson.Ints(golden.GetProperty("resampled_rows"))));
    }

    /// <summary>Draws given codes, one array per audio step.</summary>
    private sealed class ScriptedSampler(int[][] codes) : Sampler(new GenerationOptions { Seed = 0 })
    {
        private int _lastStep = -1, _index = -1;

        public List<int> Redrawn { get; } = [];

        public override int Draw(ReadOnlySpan<float> logits, int step, int row)
        {
            if (step != _lastStep)
                (_lastStep, _index) = (step, _index + 1);
            return codes[_index][row];
        }

        public override int Redraw(ReadOnlySpan<float> logits, int step, int row)
        {
            Redrawn.Add(row);
            return codes[_index][row];
        }
    }
}
