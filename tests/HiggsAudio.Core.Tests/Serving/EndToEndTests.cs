using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>The engine against recorded runs of the reference's HiggsAudioServeEngine.</summary>
[Parallelizable(ParallelScope.None)]
internal sealed class EndToEndTests
{
    private static IEnumerable<TestCaseData> ServeEngineCases() => EndToEndFixture.Cases("serve_engine");

    [TestCaseSource(nameof(ServeEngineCases))]
    public void An_answer_is_the_reference_s(string folder, string name)
    {
        JsonElement json = EndToEndFixture.Case(folder, name);
        using Checkpoint expected = EndToEndFixture.Tensors(folder, name);
        HiggsAudioServeEngine engine = EndToEndFixture.Engine(folder);
        ChatMLSample sample = EndToEndFixture.Sample(folder, json.GetProperty("sample"), expected);

        HiggsAudioResponse answer = engine.Generate(sample, EndToEndFixture.Options(json));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answer.GeneratedTextTokens, Is.EqualTo(expected.Ints("generated_text_tokens")));
            Assert.That(answer.GeneratedText, Is.EqualTo(json.GetProperty("generated_text").GetString()));
            Assert.That(answer.GeneratedAudioTokens[0], Is.EqualTo(expected.Codes("generated_audio_tokens")));
            Assert.That(answer.GeneratedAudioTokens.Select(s => s.Frames), Is.EqualTo(json.GetProperty("segments").EnumerateArray().Select(s => s.GetInt32())));
            Assert.That(answer.SamplingRate, Is.EqualTo(json.GetProperty("sampling_rate").GetInt32()));
            Assert.That(answer.Usage.CompletionTokens, Is.EqualTo(json.GetProperty("n_steps").GetInt32()));
        }
        AssertSameSound(answer.Audio!, expected.Floats("audio"));
    }

    private static IEnumerable<TestCaseData> Streams() =>
        from test in ServeEngineCases()
        where File.Exists(Path.Combine((string)test.Arguments[0]!, $"stream_{test.Arguments[1]}.json"))
        select test;

    [TestCaseSource(nameof(Streams))]
    public async Task Deltas_are_the_reference_s(string folder, string name)
    {
        JsonElement json = EndToEndFixture.Case(folder, name);
        using Checkpoint tensors = EndToEndFixture.Tensors(folder, name);
        using JsonDocument expected = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder, $"stream_{name}.json")));
        HiggsAudioServeEngine engine = EndToEndFixture.Engine(folder);
        var deltas = new List<HiggsAudioStreamerDelta>();
        await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(EndToEndFixture.Sample(folder, json.GetProperty("sample"), tensors), EndToEndFixture.Options(json)))
            deltas.Add(delta);

        (int[]? Text, int[]? Audio)[] want = [.. expected.RootElement.EnumerateArray().Select(d => (Ints(d, "text_tokens"), Ints(d, "audio_tokens")))];
        Assert.That(deltas[..^1].Select(d => d.TextTokens), Is.EqualTo(want.Select(w => w.Text)));
        Assert.That(deltas[..^1].Select(d => d.AudioTokens), Is.EqualTo(want.Select(w => w.Audio)));
        Assert.That(deltas[^1].FinishReason, Is.EqualTo(FinishReason.Length));
        // The reference's pieces tear characters apart; ours are whole, and the same text in all.
        Assert.That(string.Concat(deltas.Select(d => d.Text)), Is.EqualTo(engine.Tokenizer.Decode([.. want.SelectMany(w => w.Text ?? [])])));
        AssertSameSound(new Waveform(deltas.SelectMany(d => d.Audio.ToArray()).ToArray(), engine.SamplingRate), tensors.Floats("audio"));
    }

    private static int[]? Ints(JsonElement delta, string name) =>
        delta.GetProperty(name) is { ValueKind: JsonValueKind.Array } values ? [.. values.EnumerateArray().Select(v => v.GetInt32())] : null;

    internal static void AssertSameSound(Waveform actual, float[] expected)
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length));
        float peak = expected.Max(MathF.Abs), worst = 0;
        for (int i = 0; i < expected.Length; i++)
            worst = MathF.Max(worst, MathF.Abs(actual.Span[i] - expected[i]));
        Assert.That(worst, Is.LessThanOrEqualTo(1e-4f * peak), "largest difference");
    }
}
