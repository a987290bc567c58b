using System.Text.Json;
using HiggsAudio.Testing;
using Microsoft.Extensions.AI;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Chat;

/// <summary>IChatClient: on the nano voice for sound, on a tiny random checkpoint for text and sound mixed.</summary>
internal sealed class ChatClientTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, MaxNewTokens = 60 };
    private static readonly ChatOptions GreedyChat = new() { RawRepresentationFactory = _ => Greedy };

    private static HiggsAudioChatClient Nano { get; } = new(NanoEngine.Shared, new HiggsAudioOptions { ModelId = "nano" });

    private static readonly Lazy<HiggsAudioServeEngine> Tiny = new(LoadTiny);

    [Test]
    public async Task An_answer_of_sound_is_the_engine_s()
    {
        HiggsAudioResponse expected = NanoEngine.Shared.Generate(NanoVoice.Say("good morning."), Greedy);
        ChatResponse response = await Nano.GetResponseAsync(Say("good morning."), GreedyChat);
        var sound = (DataContent)response.Messages.Single().Contents.Single();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(sound.MediaType, Is.EqualTo("audio/wav"));
            Assert.That(Waveform.Load(new MemoryStream(sound.Data.ToArray())).Length, Is.EqualTo(expected.Audio!.Length));
            Assert.That(sound.RawRepresentation, Is.EqualTo(expected.AudioCodes));
            Assert.That(response.Messages[0].Role, Is.EqualTo(ChatRole.Assistant));
            Assert.That(response.FinishReason, Is.EqualTo(expected.FinishReason == FinishReason.Stop ? ChatFinishReason.Stop : ChatFinishReason.Length));
            Assert.That(response.Usage!.InputTokenCount, Is.EqualTo(expected.Usage.PromptTokens));
            Assert.That(response.Usage.OutputTokenCount, Is.EqualTo(expected.Usage.CompletionTokens));
            Assert.That(response.Usage.OutputAudioTokenCount, Is.EqualTo(expected.AudioCodes!.Frames));
            Assert.That(response.ModelId, Is.EqualTo("nano"));
        }
    }

    [Test]
    public async Task Updates_join_to_the_answer()
    {
        ChatResponse whole = await Nano.GetResponseAsync(Say("how are you today?"), GreedyChat);
        List<ChatResponseUpdate> updates = await ListAsync(Nano.GetStreamingResponseAsync(Say("how are you today?"), GreedyChat));
        DataContent[] pieces = [.. updates.SelectMany(update => update.Contents).OfType<DataContent>()];
        Assert.That(pieces, Has.Length.GreaterThan(1));
        Assert.That(pieces.Select(piece => piece.MediaType).Distinct(), Is.EqualTo(new[] { "audio/l16;rate=24000;channels=1" }));
        byte[] wav = ((DataContent)whole.Messages[0].Contents[0]).Data.ToArray();
        Assert.That(pieces.SelectMany(piece => piece.Data.ToArray()), Is.EqualTo(wav[44..]));
        Assert.That(updates[^1].FinishReason, Is.EqualTo(whole.FinishReason));
        Assert.That(updates[..^1].Select(update => update.FinishReason), Is.All.Null);
        ChatResponse joined = updates.ToChatResponse();
        Assert.That(joined.Usage!.TotalTokenCount, Is.EqualTo(whole.Usage!.TotalTokenCount));
        // The pieces carry the codes, so that nothing is encoded again when they are sent back.
        List<ChatMessage> next = [.. Say("how are you today?"), .. joined.Messages, new ChatMessage(ChatRole.User, "yes.")];
        List<ChatMessage> same = [.. Say("how are you today?"), .. whole.Messages, new ChatMessage(ChatRole.User, "yes.")];
        AudioCodes expected = Codes(await Nano.GetResponseAsync(same, GreedyChat));
        Assert.That(Codes(await Nano.GetResponseAsync(next, GreedyChat)), Is.EqualTo(expected));
        ChatMLSample sample = new([.. NanoVoice.Say("how are you today?").Messages, new Message("assistant", AudioContent.FromCodes(Codes(whole))), new Message("user", "yes.")]);
        Assert.That(NanoEngine.Shared.Generate(sample, Greedy).AudioCodes, Is.EqualTo(expected));
    }

    [TestCase("audio/wav"), TestCase("audio/l16;rate=24000;channels=1"), TestCase("audio/l16;rate=16000")]
    public async Task Sound_goes_in_as_a_file_or_as_samples(string mediaType)
    {
        int rate = mediaType.Contains("16000", StringComparison.Ordinal) ? 16000 : 24000;
        Waveform reference = NanoEngine.Shared.Generate(NanoVoice.Say("thank you very much.", "scottish"), Greedy).Audio!.ResampleTo(rate);
        var wav = new MemoryStream();
        reference.SaveWav(wav);
        byte[] bytes = mediaType == "audio/wav" ? wav.ToArray() : wav.ToArray()[44..];
        List<ChatMessage> messages =
        [
            new(ChatRole.User, "thank you very much."),
            new(ChatRole.Assistant, [new DataContent(bytes, mediaType)]),
            new(ChatRole.User, "yes."),
        ];
        var sample = new ChatMLSample(new Message("user", "thank you very much."), new Message("assistant", AudioContent.FromBytes(wav.ToArray())), new Message("user", "yes."));
        Assert.That(Codes(await Nano.GetResponseAsync(messages, GreedyChat)), Is.EqualTo(NanoEngine.Shared.Generate(sample, Greedy).AudioCodes));
    }

    // The tiny checkpoint is random: what it says has no meaning, but is text and sound in any order.
    [Test]
    public async Task Text_and_sound_come_in_the_model_s_order_without_special_tokens([Range(1, 8)] int seed)
    {
        using var client = new HiggsAudioChatClient(Tiny.Value);
        var generation = new GenerationOptions { Temperature = 1.5f, TopP = 1, MaxNewTokens = 50, Seed = seed };
        var sample = new ChatMLSample(new Message("system", "Be brief.\n\nhi"), new Message("user", "tell me"));
        HiggsAudioResponse expected = Tiny.Value.Generate(sample, generation);
        var options = new ChatOptions { Instructions = "Be brief.", Temperature = 1.5f, TopP = 1, MaxOutputTokens = 50, Seed = seed };
        ChatMessage[] messages = [new(ChatRole.System, "hi"), new(ChatRole.User, "tell me")];

        ChatResponse response = await client.GetResponseAsync(messages, options);
        List<ChatResponseUpdate> updates = await ListAsync(client.GetStreamingResponseAsync(messages, options));

        string text = Tiny.Value.Tokenizer.Decode([.. expected.GeneratedTextTokens], skipSpecialTokens: true);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Text, Is.EqualTo(text));
            Assert.That(string.Concat(updates.Select(update => update.Text)), Is.EqualTo(text));
            Assert.That(Samples(response.Messages[0].Contents), Is.EqualTo(expected.Audio?.Length ?? 0));
            Assert.That(Samples(updates.SelectMany(update => update.Contents)), Is.EqualTo(expected.Audio?.Length ?? 0));
            Assert.That(response.Usage!.OutputTokenCount, Is.EqualTo(expected.Usage.CompletionTokens));
            Assert.That(response.Usage.InputTokenCount, Is.EqualTo(expected.Usage.PromptTokens));
        }
    }

    [Test]
    public async Task Stop_sequences_and_the_most_tokens_end_an_answer()
    {
        using var client = new HiggsAudioChatClient(Tiny.Value);
        ChatMessage[] messages = [new(ChatRole.User, "tell me")];
        var options = new ChatOptions { Temperature = 1.5f, TopP = 1, MaxOutputTokens = 7, Seed = 3 };
        ChatResponse cut = await client.GetResponseAsync(messages, options);
        Assert.That(cut.Usage!.OutputTokenCount, Is.LessThanOrEqualTo(7));
        string text = (await client.GetResponseAsync(messages, new ChatOptions { Temperature = 1.5f, TopP = 1, MaxOutputTokens = 50, Seed = 3 })).Text;
        Assert.That(text, Is.Not.Empty);
        var stop = new ChatOptions { Temperature = 1.5f, TopP = 1, MaxOutputTokens = 50, Seed = 3, StopSequences = [text[..1]] };
        ChatResponse stopped = await client.GetResponseAsync(messages, stop);
        Assert.That(stopped.FinishReason, Is.EqualTo(ChatFinishReason.Stop));
        Assert.That(stopped.Text.Length, Is.LessThan(text.Length).Or.EqualTo(1));
        Assert.That(stop.StopSequences, Has.Count.EqualTo(1), "the caller's options are not changed");
    }

    [Test]
    public void What_the_model_has_not_is_refused_by_name()
    {
        ChatMessage[] hi = [new(ChatRole.User, "hi")];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(() => Nano.GetResponseAsync(hi, new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1, "one")] }), Throws.TypeOf<NotSupportedException>().With.Message.Contains("tools"));
            Assert.That(() => Nano.GetStreamingResponseAsync(hi, new ChatOptions { ResponseFormat = ChatResponseFormat.Json }), Throws.TypeOf<NotSupportedException>().With.Message.Contains("structure"));
            Assert.That(() => Nano.GetResponseAsync(hi, new ChatOptions { ConversationId = "7" }), Throws.TypeOf<NotSupportedException>().With.Message.Contains("kept"));
            Assert.That(() => Nano.GetResponseAsync(hi, new ChatOptions { TopP = 2 }), Throws.ArgumentException.With.Message.Contains("TopP"));
            Assert.That(() => Nano.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[] { 1, 2 }, "image/png")])]), Throws.TypeOf<NotSupportedException>().With.Message.Contains("image/png"));
            Assert.That(() => Nano.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[] { 1, 2 }, "audio/mpeg")])]), Throws.TypeOf<NotSupportedException>().With.Message.Contains("audio/mpeg"));
            Assert.That(() => Nano.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[] { 1, 2, 3 }, "audio/l16")])]), Throws.ArgumentException.With.Message.Contains("3 bytes"));
            Assert.That(() => Nano.GetResponseAsync([new(ChatRole.User, [new UriContent("http://host/a.wav", "audio/wav")])]), Throws.TypeOf<NotSupportedException>().With.Message.Contains("http://host/a.wav"));
            Assert.That(() => Nano.GetResponseAsync([new(new ChatRole("narrator"), "hi")]), Throws.ArgumentException.With.Message.Contains("narrator"));
            Assert.That(() => Nano.GetResponseAsync([]), Throws.ArgumentException);
            Assert.That(async () => await Nano.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[] { 1, 2 }, "audio/wav")])]), Throws.TypeOf<AudioFormatException>());
        }
    }

    [Test]
    public async Task Leaving_the_loop_ends_the_call()
    {
        var provider = Nano.GetService<HiggsAudioEngineProvider>()!;
        await foreach (ChatResponseUpdate _ in Nano.GetStreamingResponseAsync(Say("good morning."), GreedyChat))
            break;
        Assert.That(provider.Admission.Calls, Is.Zero);
        await Nano.GetResponseAsync(Say("yes."), GreedyChat);
        Assert.That(NanoEngine.Shared.ActiveRequests, Is.Zero);
    }

    [Test]
    public void Services()
    {
        Assert.That(Nano.GetService<HiggsAudioServeEngine>(), Is.SameAs(NanoEngine.Shared));
        Assert.That(Nano.GetService<ChatClientMetadata>()!.DefaultModelId, Is.EqualTo("nano"));
        Assert.That(Nano.GetService<IChatClient>(), Is.SameAs(Nano));
        Assert.That(Nano.GetService<IChatClient>("key"), Is.Null);
    }

    private static List<ChatMessage> Say(string text) =>
        [.. NanoVoice.Say(text).Messages.Select(message => new ChatMessage(new ChatRole(message.Role), message.Content[0].ToString()))];

    private static AudioCodes Codes(ChatResponse response) => (AudioCodes)response.Messages[0].Contents.OfType<DataContent>().Single().RawRepresentation!;

    private static int Samples(IEnumerable<AIContent> contents) =>
        contents.OfType<DataContent>().Sum(content => (content.Data.Length - (content.MediaType == "audio/wav" ? 44 : 0)) / 2);

    private static HiggsAudioServeEngine LoadTiny()
    {
        string folder = Golden.Folders("e2e")[0];
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "meta.json")));
        string At(string name) => Path.GetFullPath(Path.Combine(folder, meta.RootElement.GetProperty(name).GetString()!));
        return HiggsAudioServeEngine.Load(At("lm"), At("codec"), new EngineOptions { TokenizerFolder = At("tokenizer"), Threads = 2 });
    }

    private static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> items)
    {
        var list = new List<T>();
        await foreach (T item in items)
            list.Add(item);
        return list;
    }
}
