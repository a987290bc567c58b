using System.Text.Json;
using HiggsAudio.Core.Tests.Generation;
using HiggsAudio.LongForm;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.LongForm;

/// <summary>The messages before a transcript, against those of the reference's examples/generation.py.</summary>
internal sealed class SpeakerPromptsTests
{
    private static IEnumerable<TestCaseData> CleanupCases() => GoldenJson.Cases("text", "generation_text.json", section: "transcript_cleanup");

    // Each with the descriptions and transcripts of its file.
    private static IEnumerable<TestCaseData> PipelineCases()
    {
        foreach (string folder in Golden.Folders("text"))
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "generation_text.json")));
            JsonElement file = document.RootElement.Clone();
            if (!file.TryGetProperty("main_pipeline", out JsonElement cases))
                continue;
            for (int i = 0; i < cases.GetArrayLength(); i++)
                yield return new TestCaseData(file, i).SetArgDisplayNames($"{Golden.Display(folder)}/main_pipeline[{i}]");
        }
    }

    [TestCaseSource(nameof(CleanupCases))]
    public void A_transcript_without_voices_has_the_references_messages(JsonElement golden) =>
        AssertMessages(SpeakerPrompts.Messages(speakerTags: TranscriptNormalizer.SpeakerTags(golden.GetProperty("input").GetString()!)), golden.GetProperty("messages"));

    [TestCaseSource(nameof(PipelineCases))]
    public void Scene_and_voices_have_the_references_messages(JsonElement file, int index)
    {
        JsonElement golden = file.GetProperty("main_pipeline")[index], args = golden.GetProperty("args");
        IReadOnlyList<SpeakerPrompt>? speakers = null;
        if (args.TryGetProperty("ref_audio", out JsonElement names) && names.ValueKind == JsonValueKind.String)
            speakers = SpeakerPrompts.Parse(names.GetString()!,
                name => SpeakerPrompt.FromAudio(AudioContent.FromFile($"{name}.wav"), file.GetProperty("voice_prompt_texts").GetProperty(name).GetString()!),
                name => file.GetProperty("profiles").GetProperty(name).GetString()!);
        bool inSystem = args.TryGetProperty("ref_audio_in_system_message", out JsonElement flag) && flag.GetBoolean();
        IReadOnlyList<Message> messages = SpeakerPrompts.Messages(golden.GetProperty("scene_text").GetString(), speakers,
            TranscriptNormalizer.SpeakerTags(golden.GetProperty("transcript_text").GetString()!), inSystem);
        AssertMessages(messages, golden.GetProperty("messages"));
        Assert.That(messages.Sum(m => m.Content.Count(c => c is AudioContent)), Is.EqualTo(golden.GetProperty("n_audio_ids").GetInt32()));
    }

    private static void AssertMessages(IReadOnlyList<Message> messages, JsonElement golden)
    {
        Assert.That(messages, Has.Count.EqualTo(golden.GetArrayLength()));
        for (int i = 0; i < messages.Count; i++)
        {
            Assert.That(messages[i].Role, Is.EqualTo(golden[i].GetProperty("role").GetString()));
            JsonElement content = golden[i].GetProperty("content");
            JsonElement[] pieces = content.ValueKind == JsonValueKind.Array ? [.. content.EnumerateArray()] : [content];
            Assert.That(messages[i].Content.Select(Describe), Is.EqualTo(pieces.Select(Describe)));
        }
    }

    // Audio in the system message has no url in the reference.
    private static string Describe(MessageContent content) => content is TextContent text ? text.Text : "<audio>";

    private static string Describe(JsonElement piece) =>
        piece.ValueKind == JsonValueKind.String ? piece.GetString()! : piece.GetProperty("type").GetString() == "text" ? piece.GetProperty("text").GetString()! : "<audio>";

    [Test]
    public void Recordings_as_turns_are_in_the_order_of_the_speakers()
    {
        AudioContent[] audio = [AudioContent.FromFile("a.wav"), AudioContent.FromFile("b.wav")];
        IReadOnlyList<Message> messages = SpeakerPrompts.Messages(speakers: [SpeakerPrompt.FromAudio(audio[0], " One.\n"), SpeakerPrompt.FromAudio(audio[1], "Two.")]);
        Assert.That(messages.Select(m => m.Content[0]).Where(c => c is AudioContent), Is.EqualTo(audio));
        Assert.That(messages.Select(m => m.Content[0].ToString()).Where((_, i) => i % 2 == 0), Is.EqualTo(new[] { "[SPEAKER0] One.", "[SPEAKER1] Two." }));
    }

    [TestCase(null, "1 2 3 4")]
    [TestCase(2, "3 4")]
    [TestCase(0, "")]
    public void The_context_keeps_the_last_chunks_and_their_audio(int? bufferSize, string kept)
    {
        IReadOnlyList<Message> before = SpeakerPrompts.Messages("A quiet room.");
        var context = new LongFormContext(before, bufferSize);
        for (int i = 1; i <= 4; i++)
            context.Add($"{i}", AudioContent.FromFile($"{i}.wav"));
        IReadOnlyList<Message> messages = context.Next("5").Messages;
        Assert.That(messages[0], Is.SameAs(before[0]));
        Assert.That(messages[^1].Content[0].ToString(), Is.EqualTo("5"));
        string[] expected = [.. kept.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        Assert.That(messages.Skip(1).SkipLast(1).Where(m => m.Role == "user").Select(m => m.Content[0].ToString()), Is.EqualTo(expected));
        Assert.That(messages.Where(m => m.Role == "assistant").Select(m => ((AudioContent)m.Content[0]).AudioUrl), Is.EqualTo(expected.Select(e => e + ".wav")));
    }

    [Test]
    public void An_empty_description_is_refused() => Assert.That(() => SpeakerPrompt.FromProfile(" "), Throws.ArgumentException);
}
