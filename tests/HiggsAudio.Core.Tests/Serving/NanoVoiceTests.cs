using HiggsAudio.Compute;
using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>The embedded checkpoint against the reference's outputs on it.</summary>
internal sealed class NanoVoiceTests
{
    // Golden answers were made with keys and values in 32-bit floats.
    private static readonly Lazy<HiggsAudioServeEngine> Shared = new(() => NanoVoice.Load(new EngineOptions { Threads = 2, KeyValueFormat = KeyValueFormat.Float32 }));

    internal static HiggsAudioServeEngine Engine => Shared.Value;

    private static IEnumerable<TestCaseData> Cases() => Golden.TestCases("nano");

    [TestCaseSource(nameof(Cases))]
    public void An_answer_is_the_reference_s(string folder, string name)
    {
        JsonElement json = Golden.Cases(folder).Single(c => c.Name == name).Case;
        using Checkpoint expected = EndToEndFixture.Tensors(folder, name);
        Message[] messages = [.. json.GetProperty("messages").EnumerateArray().Select(m => ToMessage(m, folder, json))];

        HiggsAudioResponse answer = Engine.Generate(new ChatMLSample(messages), new GenerationOptions
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
        float[] audio = expected.Floats("audio");
        float peak = audio.Max(MathF.Abs);
        Assert.That(answer.Audio!.Length, Is.EqualTo(audio.Length));
        Assert.That(audio.Zip(answer.Audio.Samples.ToArray(), (a, b) => MathF.Abs(a - b)).Max(), Is.LessThanOrEqualTo(1e-3f * peak));
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
