using HiggsAudio.Compute;
using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Nano checkpoints against golden answers: the embedded one, and those that come with a folder of answers.</summary>
internal sealed class NanoVoiceTests
{
    // Golden answers were made with keys and values in 32-bit floats.
    private static readonly Lazy<HiggsAudioServeEngine> Shared = new(() => NanoVoice.Load(new EngineOptions { Threads = 2, KeyValueFormat = KeyValueFormat.Float32 }));

    internal static HiggsAudioServeEngine Engine => Shared.Value;

    // The reference's answers to the pair that this project began with are beside the repository, where they are at all.
    private static readonly string FirstPair = Path.GetFullPath(Path.Combine(Golden.Repository, "..", "shared", "nano", "golden"));

    private static IEnumerable<TestCaseData> Cases() => Golden.TestCases("nano").Concat(Golden.Cases(FirstPair)
        .Select(c => new TestCaseData(FirstPair, c.Name).SetArgDisplayNames("first pair", c.Name)));

    [TestCaseSource(nameof(Cases))]
    public void An_answer_is_the_golden_one(string folder, string name)
    {
        JsonElement json = Golden.Cases(folder).Single(c => c.Name == name).Case;
        using Checkpoint expected = EndToEndFixture.Tensors(folder, name);
        Message[] messages = [.. json.GetProperty("messages").EnumerateArray().Select(m => ToMessage(m, folder, json))];
        using HiggsAudioServeEngine? own = OwnEngine(folder);
        HiggsAudioServeEngine engine = own ?? Engine;
        if (own is null && !folder.StartsWith(Golden.Repository, StringComparison.Ordinal))
            Assume.That(Difference(engine.Codec.Decode(expected.Codes("codes")), expected.Floats("audio")), Is.LessThan(0.1),
                "These are answers of another checkpoint than the embedded one: put its folders generation and tokenizer beside theirs.");

        HiggsAudioResponse answer = engine.Generate(new ChatMLSample(messages), new GenerationOptions
        {
            Temperature = 0,
            RasWinLen = null,
            ForceAudioGeneration = true,
        });

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answer.GeneratedTextTokens, Is.EqualTo(expected.Ints("text_tokens")));
            Assert.That(answer.GeneratedAudioTokens[0], Is.EqualTo(expected.Codes("delayed_codes")));
            Assert.That(answer.AudioCodes!.ToArray(), Is.EqualTo(expected.Codes("codes").ToArray()));
            Assert.That(answer.FinishReason, Is.EqualTo(FinishReason.Stop));
        }
        Assert.That(Difference(answer.Audio!, expected.Floats("audio")), Is.LessThanOrEqualTo(1e-3f));
    }

    // A checkpoint that lies beside a folder of answers.
    private static HiggsAudioServeEngine? OwnEngine(string folder)
    {
        (string model, string codec) = (Path.Combine(folder, "..", "generation"), Path.Combine(folder, "..", "tokenizer"));
        return Directory.Exists(model) && Directory.Exists(codec)
            ? HiggsAudioServeEngine.Load(model, codec, new EngineOptions { Threads = 2, KeyValueFormat = KeyValueFormat.Float32 })
            : null;
    }

    // The largest difference of two sounds of one length, as a share of the peak.
    private static float Difference(Waveform found, float[] expected)
    {
        Assert.That(found.Length, Is.EqualTo(expected.Length));
        return expected.Zip(found.Samples.ToArray(), (a, b) => MathF.Abs(a - b)).Max() / expected.Max(MathF.Abs);
    }

    [Test]
    public void Unpacking_repairs_a_broken_cache_and_is_safe_against_another_one_at_work()
    {
        string cache = Directory.CreateTempSubdirectory("nano-cache").FullName;
        try
        {
            (string model, string codec) = NanoVoice.Unpack(cache);
            string weights = Path.Combine(model, "model.safetensors");
            byte[] whole = File.ReadAllBytes(weights);
            File.WriteAllBytes(weights, whole[..1000]);
            Parallel.For(0, 4, _ => NanoVoice.Unpack(cache));
            Assert.That(File.ReadAllBytes(weights), Is.EqualTo(whole));
            Assert.That(File.Exists(Path.Combine(codec, "config.json")), Is.True);
            Assert.That(Directory.GetFiles(cache, "*.tmp", SearchOption.AllDirectories), Is.Empty);
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    [Test]
    public void An_unknown_voice_is_refused_by_name() =>
        Assert.That(() => NanoVoice.Say("hello", "robot"), Throws.ArgumentException.With.Message.Contains("robot"));

    private static Message ToMessage(JsonElement message, string folder, JsonElement json)
    {
        string text = message.GetProperty("content").GetString()!;
        return new Message(message.GetProperty("role").GetString()!,
            text == "<ref audio>" ? AudioContent.FromFile(Path.Combine(folder, json.GetProperty("reference_wav").GetString()!)) : new TextContent(text));
    }
}
