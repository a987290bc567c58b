using System.Text.Json;
using HiggsAudio.Generation;
using HiggsAudio.Model;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>The reference's greedy generate(), run freely: model and generation loop together.</summary>
internal sealed class GoldenAnswerTests
{
    private static IEnumerable<TestCaseData> Answers() => LmFixture.Cases(["greedy"], LmFixture.Cpu);

    [TestCaseSource(nameof(Answers))]
    public void A_greedy_answer_is_the_references_to_the_last_code(string folder, string name, string device)
    {
        JsonElement meta = Golden.Cases(folder).Single(c => c.Name == name).Case;
        using var fixture = new LmFixture(folder, device);
        using var golden = new LmCase(folder, name);
        GenerationState state = Start(fixture.Model.Config, golden, meta.GetProperty("max_new_tokens").GetInt32());
        Run(fixture, golden, state);

        Assert.That(state.Steps, Is.EqualTo(meta.GetProperty("n_steps").GetInt32()));
        Assert.That(state.Sequence.ToArray(), Is.EqualTo(golden.Ints("sequences")));
        Assert.That(state.Segments, Is.EqualTo(golden.Ints("n_segments")[0]));
        for (int i = 0; i < state.Segments; i++)
            Assert.That(state.Segment(i).Cast<int>(), Is.EqualTo(golden.Ints($"segment_{i}")), $"segment {i}");
    }

    private static GenerationState Start(HiggsAudioConfig config, LmCase golden, int steps)
    {
        var tokens = new GenerationTokens(config.AudioOutBosTokenId, config.AudioOutTokenId, config.AudioEosTokenId, config.AudioStreamBosId, config.AudioStreamEosId, config.AudioNumCodebooks);
        var options = new GenerationOptions { Temperature = 0, RasWinLen = null, MaxNewTokens = steps };
        int[] columns = golden.Has("audio_out_ids") ? [.. Enumerable.Range(0, golden.Size("audio_out_ids", 1)).SelectMany(c => golden.Column("audio_out_ids", c))] : [];
        int lastClip = golden.Has("audio_out_ids_start") ? golden.Ints("audio_out_ids_start")[^1] : 0;
        return new GenerationState(tokens, options, new StopCondition(config.EosTokenIds), golden.Ints("input_ids"), columns, lastClip);
    }

    private static void Run(LmFixture fixture, LmCase golden, GenerationState state)
    {
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        while (!state.IsFinished)
        {
            batch.Clear();
            if (state.NextInput == StepInput.Text)
                batch.AddText(sequence, state.NextToken);
            else if (state.NextInput == StepInput.Audio)
                batch.AddAudio(sequence, state.NextCodes);
            else
                foreach (PromptRow row in PromptRow.Expand(golden, fixture.Model.Config))
                    row.AddTo(batch, sequence);
            StepLogits needs = state.Needs;
            int request = needs == StepLogits.Text ? batch.RequestTextLogits() : needs == StepLogits.Audio ? batch.RequestAudioLogits() : -1;
            fixture.Model.Forward(fixture.Lane, batch);
            sequence.EndPrefill();
            state.Advance(needs == StepLogits.Text ? batch.TextLogits(request) : needs == StepLogits.Audio ? batch.AudioLogits(request) : []);
        }
    }
}
