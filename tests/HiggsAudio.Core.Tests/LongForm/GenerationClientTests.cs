using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Core.Tests.Serving;
using HiggsAudio.LongForm;
using HiggsAudio.Prompts;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.LongForm;

/// <summary>Texts of several chunks against recorded runs of the reference's HiggsAudioModelClient (examples/generation.py).</summary>
[Parallelizable(ParallelScope.None)]
internal sealed class GenerationClientTests
{
    private static IEnumerable<TestCaseData> Cases() => EndToEndFixture.Cases("generation_client");

    [TestCaseSource(nameof(Cases))]
    public async Task A_text_of_several_chunks_is_spoken_like_the_reference(string folder, string name)
    {
        JsonElement json = EndToEndFixture.Case(folder, name);
        using Checkpoint expected = EndToEndFixture.Tensors(folder, name);
        HiggsAudioServeEngine engine = EndToEndFixture.Engine(folder);
        SpeakOptions options = Options(json);
        IReadOnlyList<Message> messages = Messages(folder, json, expected);
        SpeechPiece[] pieces = [.. Chunks(json).Select(chunk => new SpeechPiece(chunk))];

        SpeakResponse answer = await engine.CollectAsync(engine.SpeakEventsAsync(pieces, _ => messages, options));

        Assert.That(answer.Chunks, Has.Count.EqualTo(pieces.Length));
        for (int i = 0; i < pieces.Length; i++)
            AssertChunk(answer.Chunks[i], expected, json, i);
        AssertPrompts(engine, answer, messages, expected, options);
        Assert.That(answer.SamplingRate, Is.EqualTo(json.GetProperty("sampling_rate").GetInt32()));
        EndToEndTests.AssertSameSound(answer.Audio!, expected.Floats("audio"));
    }

    private static void AssertChunk(SpokenChunk chunk, Checkpoint expected, JsonElement json, int i)
    {
        int[] sequence = expected.Ints($"chunk{i}_sequence"), prompt = expected.Ints($"chunk{i}_input_ids");
        int[] lengths = [.. json.GetProperty("segment_lengths")[i].EnumerateArray().Select(s => s.GetInt32())];
        Assert.That(chunk.TextTokens, Is.EqualTo(sequence[prompt.Length..]), $"text of chunk {i}");
        Assert.That(chunk.Segments.Select(s => s.Frames), Is.EqualTo(lengths), $"segments of chunk {i}");
        for (int s = 0; s < lengths.Length; s++)
            Assert.That(chunk.Segments[s], Is.EqualTo(expected.Codes($"chunk{i}_segment{s}")), $"segment {s} of chunk {i}");
    }

    // What each chunk was given: voices, and the chunks before it.
    private static void AssertPrompts(HiggsAudioServeEngine engine, SpeakResponse answer, IReadOnlyList<Message> messages, Checkpoint expected, SpeakOptions options)
    {
        var context = new LongFormContext(messages, options.ChunkBufferSize);
        var builder = new PromptBuilder(engine.Tokenizer, SpecialTokens.From(engine.Tokenizer, engine.Config));
        for (int i = 0; i < answer.Chunks.Count; i++)
        {
            PromptTokens tokens = builder.Build(context.Next(answer.Chunks[i].Text), options.Generation.ForceAudioGeneration ? AssistantStart.Audio : AssistantStart.Text);
            Prompt prompt = new PromptCollator(engine.Config).Collate(tokens, [.. tokens.Audio.Select(audio => audio.Content.Codes)]);
            Assert.That(prompt.InputIds, Is.EqualTo(expected.Ints($"chunk{i}_input_ids")), $"prompt of chunk {i}");
            AssertColumns(prompt.AudioIn, expected, $"chunk{i}_audio_in_ids");
            AssertColumns(prompt.AudioOut, expected, $"chunk{i}_audio_out_ids");
            context.Add(answer.Chunks[i].Text, AudioContent.FromCodes(answer.Chunks[i].AudioCodes!));
        }
    }

    private static void AssertColumns(PromptClips clips, Checkpoint expected, string name)
    {
        if (expected.Tensors.ContainsKey(name))
            Assert.That(AudioCodes.FromFrames(clips.Codebooks, clips.Codes), Is.EqualTo(expected.Codes(name)), name);
        else
            Assert.That(clips.Columns, Is.Zero, name);
    }

    private static IEnumerable<string> Chunks(JsonElement json) => json.GetProperty("chunks").EnumerateArray().Select(chunk => chunk.GetString()!);

    private static SpeakOptions Options(JsonElement json) => SpeakOptions.Reference with
    {
        Generation = EndToEndFixture.Options(json) with { ReturnAudioInTokens = true },
        ChunkBufferSize = json.TryGetProperty("generation_chunk_buffer_size", out JsonElement size) && size.ValueKind == JsonValueKind.Number ? size.GetInt32() : null,
    };

    // The recorded codes of the voice stand for its file.
    private static IReadOnlyList<Message> Messages(string folder, JsonElement json, Checkpoint tensors)
    {
        IReadOnlyList<Message> messages = EndToEndFixture.Sample(folder, json, tensors).Messages;
        if (!tensors.Tensors.ContainsKey("ref_codes"))
            return messages;
        var voice = AudioContent.FromCodes(tensors.Codes("ref_codes"));
        return [.. messages.Select(m => new Message(m.Role, m.Content.Select(c => c is AudioContent ? voice : c)) { Recipient = m.Recipient })];
    }
}
