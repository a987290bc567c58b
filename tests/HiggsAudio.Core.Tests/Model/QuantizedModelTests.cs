using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Core.Tests.Serving;
using HiggsAudio.Model;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>The language model with weights of 8 and 4 bits: how far it drifts from the reference, and what stays as it is stored.</summary>
internal sealed class QuantizedModelTests
{
    private static IEnumerable<TestCaseData> Prefills() =>
        from item in LmFixture.Cases(["prefill"], LmFixture.Cpu)
        from bound in new[] { (WeightFormat.Int8, 0.1), (WeightFormat.Int4, 0.75) }
        select new TestCaseData(item.Arguments[0], item.Arguments[1], bound.Item1, bound.Item2).SetArgDisplayNames(Golden.Display((string)item.Arguments[0]!), (string)item.Arguments[1]!, bound.Item1.ToString());

    // Random layers of small width pass noise on undamped: the drift of a trained model is less. Two unrelated results would be 1.4 apart.
    [TestCaseSource(nameof(Prefills))]
    public void Logits_stay_near_the_references(string folder, string name, WeightFormat format, double bound)
    {
        using var fixture = new LmFixture(folder, LmFixture.Cpu, format);
        using var golden = new LmCase(folder, name);
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        PromptRow[] rows = PromptRow.Expand(golden, fixture.Model.Config);
        var requests = new (int Text, int Audio)[rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i].AddTo(batch, sequence);
            requests[i] = (batch.RequestTextLogits(), batch.RequestAudioLogits());
        }
        fixture.Model.Forward(fixture.Lane, batch);

        float[] text = golden.Floats("text_logits"), audio = golden.Floats("audio_logits_all");
        int[] at = golden.Ints("logits_rows");
        double error = 0, size = 0;
        for (int i = 0; i < at.Length; i++)
        {
            Add(batch.TextLogits(requests[at[i]].Text), text.AsSpan(i * text.Length / at.Length, text.Length / at.Length));
            Add(batch.AudioLogits(requests[at[i]].Audio), audio.AsSpan(i * audio.Length / at.Length, audio.Length / at.Length));
        }
        TestContext.Out.WriteLine($"relative drift {Math.Sqrt(error / size):0.0000}");
        Assert.That(Math.Sqrt(error / size), Is.InRange(1e-9, bound));

        void Add(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
        {
            for (int i = 0; i < expected.Length; i++)
                (error, size) = (error + Math.Pow(actual[i] - expected[i], 2), size + Math.Pow(expected[i], 2));
        }
    }

    private static IEnumerable<TestCaseData> NanoCases() =>
        from item in Golden.TestCases("nano").Where(item => ((string)item.Arguments[0]!).StartsWith(Golden.Repository, StringComparison.Ordinal))
        from bound in new[] { (WeightFormat.Int8, 0.9), (WeightFormat.Int4, 0.6) }
        select new TestCaseData(item.Arguments[0], item.Arguments[1], bound.Item1, bound.Item2).SetArgDisplayNames((string)item.Arguments[1]!, bound.Item1.ToString());

    // Both are fed the reference's codes, so that one other choice does not make all that follow incomparable.
    [TestCaseSource(nameof(NanoCases))]
    public void The_nano_voice_mostly_makes_the_same_choices(string folder, string name, WeightFormat format, double share)
    {
        using Checkpoint golden = EndToEndFixture.Tensors(folder, name);
        int[] expected = Choices(golden, WeightFormat.AsStored), actual = Choices(golden, format);
        double part = expected.Zip(actual, (a, b) => a == b ? 1.0 : 0).Average();
        TestContext.Out.WriteLine($"{part:P1} of {expected.Length} codes");
        Assert.That(part, Is.GreaterThanOrEqualTo(share));
    }

    private static int[] Choices(Checkpoint golden, WeightFormat format)
    {
        using var fixture = new LmFixture(NanoVoice.Unpack().ModelFolder, LmFixture.Cpu, format);
        HiggsAudioConfig config = fixture.Model.Config;
        using SequenceState sequence = fixture.Model.CreateSequence();
        TokenBatch batch = fixture.Model.CreateBatch();
        foreach (int token in golden.Ints("prompt_ids"))
            if (token != config.AudioInTokenId && token != config.AudioOutTokenId)
                batch.AddText(sequence, token);
        AudioCodes codes = golden.Codes("delayed_codes");
        var requests = new int[codes.Frames];
        for (int frame = 0; frame < requests.Length; frame++)
        {
            batch.AddAudio(sequence, [.. Enumerable.Range(0, codes.Codebooks).Select(c => codes[c, frame])]);
            requests[frame] = batch.RequestAudioLogits();
        }
        fixture.Model.Forward(fixture.Lane, batch);
        return [.. requests.SelectMany(request => Near.Largest(batch.AudioLogits(request), config.AudioNumCodebooks))];
    }

    [Test]
    public void A_plan_keeps_what_is_delicate_and_follows_exceptions_by_name()
    {
        var plan = new QuantizationPlan(WeightFormat.Int4, new Dictionary<string, WeightFormat>
        {
            ["layers.1"] = WeightFormat.Int8,
            ["layers.1.mlp.down_proj"] = WeightFormat.Float32,
        });
        Assert.That(plan.FormatOf("embed_tokens.weight"), Is.EqualTo(WeightFormat.AsStored));
        Assert.That(plan.FormatOf("audio_codebook_embeddings.weight"), Is.EqualTo(WeightFormat.AsStored));
        Assert.That(plan.FormatOf("audio_lm_head.linear_frozen.weight"), Is.EqualTo(WeightFormat.AsStored));
        Assert.That(plan.FormatOf("text_lm_head.weight"), Is.EqualTo(WeightFormat.Int8));
        Assert.That(plan.FormatOf("layers.0.mlp.up_proj.weight"), Is.EqualTo(WeightFormat.Int4));
        Assert.That(plan.FormatOf("layers.0.self_attn.v_proj.weight"), Is.EqualTo(WeightFormat.Int8));
        Assert.That(plan.FormatOf("layers.1.mlp.up_proj.weight"), Is.EqualTo(WeightFormat.Int8));
        Assert.That(plan.FormatOf("layers.1.mlp.down_proj.weight"), Is.EqualTo(WeightFormat.Float32));
        Assert.That(plan.FormatOf("layers.10.mlp.up_proj.weight"), Is.EqualTo(WeightFormat.Int4));
        Assert.That(new QuantizationPlan(WeightFormat.Int8).FormatOf("text_lm_head.weight"), Is.EqualTo(WeightFormat.Int8));
    }

    [Test]
    public void An_exception_for_a_tensor_that_is_not_there_is_refused_by_name()
    {
        using Checkpoint checkpoint = Checkpoint.Open(LmFixture.Folder("lm_a"));
        using var device = new CpuDevice(1);
        var plan = new QuantizationPlan(WeightFormat.AsStored, new Dictionary<string, WeightFormat> { ["layers.99"] = WeightFormat.Int8 });
        Assert.That(() => HiggsAudioModel.Load(checkpoint, HiggsAudioConfig.Load(LmFixture.Folder("lm_a")), device, plan), Throws.ArgumentException.With.Message.Contains("layers.99"));
    }
}
