using System.Text.Json;
using HiggsAudio.Compute;
using HiggsAudio.Model;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>Prompts run through the reference, layer by layer.</summary>
internal sealed class GoldenPrefillTests
{
    private const double Tolerance = 1e-3;

    private static IEnumerable<TestCaseData> Prefills() => LmFixture.Cases(["prefill"], LmFixture.Cpu, LmFixture.Reference);

    private static IEnumerable<TestCaseData> BFloat16Prefills() => LmFixture.Cases(["prefill_bf16"], LmFixture.Cpu);

    [TestCaseSource(nameof(Prefills))]
    public void A_prompt_gives_the_references_hidden_states_logits_keys_and_values(string folder, string name, string device)
    {
        using var fixture = new LmFixture(folder, device);
        using var golden = new LmCase(folder, name);
        using Run run = Run.Of(fixture, golden);
        AssertExpansion(golden, run.Rows);

        int layers = fixture.Model.Config.NumHiddenLayers, width = run.Rows.Length * fixture.Model.Config.HiddenSize;
        float[] states = golden.Floats("hidden_states");   // the last is after the final norm, the output of the last layer is not there
        Assert.That(run.States, Has.Count.EqualTo(layers + 2));
        for (int i = 0; i <= layers; i++)
            Near.AssertWithin(Tolerance, run.States[i < layers ? i : layers + 1], states.AsSpan(i * width, width), $"hidden state {i}");

        float[] text = golden.Floats("text_logits"), audio = golden.Floats("audio_logits_all"), audioOut = golden.Floats("audio_logits");
        int[] rows = golden.Ints("logits_rows");
        for (int i = 0; i < rows.Length; i++)
        {
            Near.AssertWithin(Tolerance, run.Batch.TextLogits(rows[i]), Part(text, i, rows.Length), $"text logits of row {rows[i]}");
            Near.AssertWithin(Tolerance, run.Batch.AudioLogits(rows[i]), Part(audio, i, rows.Length), $"audio logits of row {rows[i]}");
        }
        int[] audioOutRows = AudioOutRows(golden);
        for (int i = 0; i < audioOutRows.Length; i++)
            Near.AssertWithin(Tolerance, run.Batch.AudioLogits(audioOutRows[i]), Part(audioOut, i, audioOutRows.Length), $"audio logits of audio row {i}");
        AssertFirstLayersCache(fixture.Model.Config, golden, run);
    }

    [TestCaseSource(nameof(BFloat16Prefills))]
    public void Logits_differ_from_bfloat16_arithmetic_as_much_as_the_references_do(string folder, string name, string device)
    {
        JsonElement meta = Golden.Cases(folder).Single(c => c.Name == name).Case;
        using var fixture = new LmFixture(folder, device);
        using var golden = new LmCase(folder, name);
        using Run run = Run.Of(fixture, golden);
        int[] rows = golden.Ints("logits_rows"), audioOutRows = AudioOutRows(golden, run.Rows);
        float[] text = golden.Floats("text_logits"), audio = golden.Floats("audio_logits");
        double textDistance = rows.Select((row, i) => Near.Distance(run.Batch.TextLogits(row), Part(text, i, rows.Length))).Max();
        double audioDistance = audioOutRows.Select((row, i) => Near.Distance(run.Batch.AudioLogits(row), Part(audio, i, audioOutRows.Length))).Max();
        Assert.That(textDistance, Is.EqualTo(meta.GetProperty("max_abs_diff_to_f32_text").GetDouble()).Within(Tolerance));
        Assert.That(audioDistance, Is.EqualTo(meta.GetProperty("max_abs_diff_to_f32_audio").GetDouble()).Within(Tolerance));
    }

    private static ReadOnlySpan<float> Part(float[] values, int index, int count) => values.AsSpan(index * (values.Length / count), values.Length / count);

    private static void AssertExpansion(LmCase golden, PromptRow[] rows)
    {
        int[] audioIn = golden.Ints("audio_in_mask"), audioOut = golden.Ints("audio_out_mask"), ids = golden.Ints("expanded_input_ids");
        Assert.That(rows.Select(r => r.Codes is not null), Is.EqualTo(audioIn.Zip(audioOut, (a, b) => a + b > 0)));
        Assert.That(rows.Where(r => r.Token >= 0).Select(r => r.Token), Is.EqualTo(ids.Where((_, i) => rows[i].Token >= 0)));
    }

    private static int[] AudioOutRows(LmCase golden) => [.. golden.Ints("audio_out_mask").Index().Where(m => m.Item != 0).Select(m => m.Index)];

    // Without a mask: the last columns in the prompt are those of <|AUDIO_OUT|>, where there is no audio in.
    private static int[] AudioOutRows(LmCase golden, PromptRow[] rows)
    {
        Assert.That(golden.Has("audio_in_ids"), Is.False);
        return [.. rows.Index().Where(r => r.Item.Codes is not null).Select(r => r.Index)];
    }

    private static void AssertFirstLayersCache(HiggsAudioConfig config, LmCase golden, Run run)
    {
        int heads = config.NumKeyValueHeads, dim = config.HeadDim, slot = 0;
        bool textOnly = config.AudioAdapterType == AudioAdapterType.DualFfnFastForward && !config.IsDualFfn(0);
        float[] keys = golden.Floats("k_cache_layer0"), values = golden.Floats("v_cache_layer0");
        float[] key = new float[heads * dim], value = new float[heads * dim];
        for (int row = 0; row < run.Rows.Length; row++)
        {
            if (textOnly && run.Rows[row].Codes is not null)
                continue;   // the reference computes and hides it
            run.Sequence.Cache.Read(0, slot++, key, value);
            for (int h = 0; h < heads; h++)
            {
                int at = (h * run.Rows.Length + row) * dim;
                Near.AssertWithin(Tolerance, key.AsSpan(h * dim, dim), keys.AsSpan(at, dim), $"key {h} of row {row}");
                Near.AssertWithin(Tolerance, value.AsSpan(h * dim, dim), values.AsSpan(at, dim), $"value {h} of row {row}");
            }
        }
    }

    /// <summary>A whole prompt in one pass, the logits of every row asked for, hidden states in the prompt's order.</summary>
    private sealed record Run(PromptRow[] Rows, TokenBatch Batch, SequenceState Sequence, List<float[]> States) : IDisposable
    {
        public static Run Of(LmFixture fixture, LmCase golden)
        {
            PromptRow[] rows = PromptRow.Expand(golden, fixture.Model.Config);
            TokenBatch batch = fixture.Model.CreateBatch();
            SequenceState sequence = fixture.Model.CreateSequence();
            foreach (PromptRow row in rows)
            {
                row.AddTo(batch, sequence);
                batch.RequestTextLogits();
                batch.RequestAudioLogits();
            }
            var states = new List<float[]>();
            fixture.Lane.Observer = (what, index, x) =>
            {
                if (what == "hidden_states")
                {
                    Assert.That(index, Is.EqualTo(states.Count));
                    states.Add(InPromptOrder(fixture.Lane, x, batch));
                }
                else if (what == "final_norm" && states.Count == fixture.Model.Config.NumHiddenLayers + 1)
                    states.Add(fixture.Lane.Read(x));   // in the order of the requests
            };
            fixture.Model.Forward(fixture.Lane, batch);
            fixture.Lane.Observer = null;
            return new Run(rows, batch, sequence, states);
        }

        private static float[] InPromptOrder(Backend lane, Matrix x, TokenBatch batch) =>
            [.. Enumerable.Range(0, batch.Count).SelectMany(row => lane.Read(x[batch.RowOf(row)..(batch.RowOf(row) + 1)]))];

        public void Dispose() => Sequence.Dispose();
    }
}
