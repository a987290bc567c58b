using System.Globalization;
using HiggsAudio.Model;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>The reference's generate(), step by step: each step is fed what the reference fed, and must give its logits.</summary>
internal sealed class GoldenStepTests
{
    private const double Tolerance = 1e-3;
    private const int AudioInProgress = 2;

    private static IEnumerable<TestCaseData> Generations() => LmFixture.Cases(["greedy", "sampled"], LmFixture.Cpu);

    [TestCaseSource(nameof(Generations))]
    public void Every_step_gives_the_references_logits(string folder, string name, string device)
    {
        using var fixture = new LmFixture(folder, device);
        using var golden = new LmCase(folder, name);
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        int[] modes = golden.Ints("step_mode"), tokens = golden.Ints("step_in_token"), codes = golden.Ints("step_in_codes");
        int codebooks = fixture.Model.Config.AudioNumCodebooks;
        Expected text = new(golden, "text"), audio = new(golden, "audio");
        for (int step = 0; step < modes.Length; step++)
        {
            batch.Clear();
            if (step == 0)
                foreach (PromptRow row in PromptRow.Expand(golden, fixture.Model.Config))
                    row.AddTo(batch, sequence);
            else if (codes[step * codebooks] >= 0)
                batch.AddAudio(sequence, codes.AsSpan(step * codebooks, codebooks));
            else
                batch.AddText(sequence, tokens[step]);
            bool isAudio = modes[step] == AudioInProgress;
            int request = isAudio ? batch.RequestAudioLogits() : batch.RequestTextLogits();
            fixture.Model.Forward(fixture.Lane, batch);
            sequence.EndPrefill();
            ReadOnlySpan<float> logits = isAudio ? batch.AudioLogits(request) : batch.TextLogits(request);
            Near.AssertWithin(Tolerance, logits, (isAudio ? audio : text).Of(step), $"logits of step {step}");
        }
        Assert.That((text.Seen, audio.Seen), Is.EqualTo((text.Count, audio.Count)), "steps compared");
    }

    /// <summary>
    /// The reference cannot go on with a prompt that ends inside a segment of several columns. Here the prompt ends in the columns that it made
    /// itself, and goes on as it did.
    /// </summary>
    [TestCaseSource(nameof(ResumeErrors))]
    public void A_prompt_that_ends_inside_a_segment_goes_on_where_the_reference_fails(string folder, string error)
    {
        int columns = int.Parse(error["error_resume_".Length..], CultureInfo.InvariantCulture);
        using var fixture = new LmFixture(folder);
        using LmCase golden = Golden.Cases(folder, c => c.TryGetProperty("kind", out var kind) && kind.GetString() == "greedy")
            .Select(c => new LmCase(folder, c.Name)).First(c => c.Ints("step_mode").Take(columns + 1).SequenceEqual([1, .. Enumerable.Repeat(AudioInProgress, columns)]));
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        foreach (PromptRow row in PromptRow.Expand(golden, fixture.Model.Config))
            row.AddTo(batch, sequence);
        int[] codes = golden.Ints("step_in_codes");
        int codebooks = fixture.Model.Config.AudioNumCodebooks;
        for (int step = 1; step <= columns; step++)
            batch.AddAudio(sequence, codes.AsSpan(step * codebooks, codebooks));
        int request = batch.RequestAudioLogits();
        fixture.Model.Forward(fixture.Lane, batch);
        Near.AssertWithin(Tolerance, batch.AudioLogits(request), new Expected(golden, "audio").Of(columns), $"logits after {columns} columns");
    }

    private static IEnumerable<TestCaseData> ResumeErrors() =>
        Golden.TestCases("lm_", c => c.TryGetProperty("error", out _)).Where(c => ((string)c.Arguments[1]!).StartsWith("error_resume_", StringComparison.Ordinal));

    /// <summary>Recorded logits by step.</summary>
    private sealed class Expected(LmCase golden, string kind)
    {
        private readonly int[] _steps = golden.Ints($"{kind}_step_index");
        private readonly float[] _logits = golden.Has($"{kind}_raw_logits") ? golden.Floats($"{kind}_raw_logits") : [];

        public int Count => _steps.Length;

        public int Seen { get; private set; }

        public ReadOnlySpan<float> Of(int step)
        {
            Seen++;
            int width = _logits.Length / _steps.Length;
            return _logits.AsSpan(Array.IndexOf(_steps, step) * width, width);
        }
    }
}
