using System.Text.Json;
using HiggsAudio.Model;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>
/// Greedy answers of the reference's engine, step by step, each step fed what the reference fed. Among them are prompts with the placeholder
/// of audio that the engine has no codes for: padding. Its static cache counts the rows whose first key is not zero, and the key of padding
/// is; so every step overwrites the slot of the one before, and sees none of the answer so far. Here that is done by going back.
/// </summary>
internal sealed class GoldenGreedyTests
{
    private static IEnumerable<TestCaseData> Answers() =>
        Golden.TestCases("e2e", c => c.TryGetProperty("kind", out var kind) && kind.GetString() == "serve_engine"
            && c.GetProperty("temperature").GetDouble() == 0 && c.GetProperty("ras_win_len").ValueKind == JsonValueKind.Null);

    [TestCaseSource(nameof(Answers))]
    public void Every_token_and_code_of_an_engines_answer_is_the_likeliest(string folder, string name)
    {
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "meta.json")));
        using var fixture = new LmFixture(Path.GetFullPath(Path.Combine(folder, meta.RootElement.GetProperty("lm").GetString()!)));
        using var golden = new LmCase(folder, name);
        HiggsAudioConfig config = fixture.Model.Config;
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        int[] modes = golden.Ints("step_mode"), outTokens = golden.Ints("step_out_token"), inTokens = golden.Ints("step_in_token"), outCodes = golden.Ints("step_out_codes");
        SequenceLength? stuck = null;   // where the reference's cache takes every step to be
        int compared = 0, codebooks = config.AudioNumCodebooks;
        for (int step = 0; step < modes.Length; step++)
        {
            batch.Clear();
            if (step == 0)
                foreach (PromptRow row in PromptRow.Expand(golden, config, "prompt_ids"))
                    row.AddTo(batch, sequence);
            else if (modes[step] == 2)
                batch.AddAudio(sequence, outCodes.AsSpan((step - 1) * codebooks, codebooks));
            else
                batch.AddText(sequence, inTokens[step]);
            int request = modes[step] == 2 ? batch.RequestAudioLogits() : batch.RequestTextLogits();
            fixture.Model.Forward(fixture.Lane, batch);
            sequence.EndPrefill();
            if (step == 0 && sequence.Length.PaddingRows is > 0 and var padding)
                stuck = sequence.Length with { Rows = sequence.Length.Rows - padding, TextRows = sequence.Length.TextRows - padding };
            if (stuck is { } length)
                sequence.Truncate(length);
            if (modes[step] == 0)
                Assert.That(Near.Largest(batch.TextLogits(request), 1)[0], Is.EqualTo(outTokens[step]), $"token of step {step}");
            int[] largest = modes[step] == 2 ? Near.Largest(batch.AudioLogits(request), codebooks) : [];
            for (int c = 0; c < largest.Length; c++)
            {
                int code = outCodes[step * codebooks + c];
                if (code == config.AudioStreamBosId || code == config.AudioStreamEosId)
                    continue;   // the delay pattern's, not the model's
                Assert.That(largest[c], Is.EqualTo(code), $"code {c} of step {step}");
                compared++;
            }
        }
        Assert.That(compared, Is.Positive);
    }
}
