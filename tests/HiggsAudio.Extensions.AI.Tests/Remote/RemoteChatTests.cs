using System.Text;
using Microsoft.Extensions.AI;
using NUnit.Framework;
using MeaiText = Microsoft.Extensions.AI.TextContent;

namespace HiggsAudio.Extensions.AI.Tests.Remote;

/// <summary>POST /v1/chat/completions, whole and streamed, replayed byte by byte.</summary>
internal sealed class RemoteChatTests
{
    private static readonly byte[] Wav = Sound.Wav(Sound.Pcm[..400]);

    private static ChatMessage[] Conversation =>
    [
        new(ChatRole.System, "Be calm."),
        new(ChatRole.User, "reference transcript"),
        new(ChatRole.Assistant, [new DataContent(Wav, "audio/wav")]),
        new(ChatRole.User, [new MeaiText("say: "), new DataContent(Sound.Pcm.AsMemory(0, 400), "audio/l16;rate=24000;channels=1")]),
    ];

    [TestCase(false), TestCase(true)]
    public async Task A_request_has_the_fork_s_shape(bool streaming)
    {
        using var server = new FakeServer(streaming ? FakeAnswer.Events(50, "[DONE]") : FakeAnswer.Json("""{"choices":[{"message":{"content":"x"}}]}"""));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.BosonVllm);
        var options = new ChatOptions { Instructions = "Speak.", Temperature = 1, TopP = 0.95f, TopK = 50, MaxOutputTokens = 500, Seed = 123, StopSequences = ["END"] };
        if (streaming)
            await client.GetStreamingResponseAsync(Conversation, options).ToChatResponseAsync();
        else
            await client.GetResponseAsync(Conversation, options);
        string wav = Convert.ToBase64String(Wav);
        string expected = """
            {"model":"higgs","messages":[
            {"role":"system","content":[{"type":"text","text":"Speak.\n\n"},{"type":"text","text":"Be calm."}]},
            {"role":"user","content":[{"type":"text","text":"reference transcript"}]},
            {"role":"assistant","content":[{"type":"input_audio","input_audio":{"data":"@WAV","format":"wav"}}]},
            {"role":"user","content":[{"type":"text","text":"say: "},{"type":"input_audio","input_audio":{"data":"@WAV","format":"wav"}}]}],
            "modalities":["text","audio"],"audio":{"format":"@FORMAT","voice":"alloy"},
            "temperature":1,"top_p":0.95,"top_k":50,"seed":123,"max_completion_tokens":500,
            "stop":["<|eot_id|>","<|end_of_text|>","<|audio_eos|>","END"],"stream":@STREAM}
            """.Replace("@WAV", wav, StringComparison.Ordinal)
            .Replace("@FORMAT", streaming ? "pcm16" : "wav", StringComparison.Ordinal)
            .Replace("@STREAM", streaming ? """true,"stream_options":{"include_usage":true}""" : "false", StringComparison.Ordinal);
        SeenRequest request = server.Requests.Single();
        Assert.That(request.Line, Is.EqualTo("POST /v1/chat/completions HTTP/1.1"));
        Assert.That(System.Text.Json.Nodes.JsonNode.DeepEquals(System.Text.Json.Nodes.JsonNode.Parse(request.Body), System.Text.Json.Nodes.JsonNode.Parse(expected)), Is.True, Encoding.UTF8.GetString(request.Body));
        Assert.That(options.StopSequences, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_whole_answer_has_text_sound_reason_and_usage()
    {
        string json = """
            {"id":"chatcmpl-1","object":"chat.completion","created":0,"model":"served",
             "choices":[{"index":0,"message":{"role":"assistant","content":"hello","audio":{"id":"audio-1","data":"@WAV","expires_at":0,"transcript":"said"}},
               "finish_reason":"length","stop_reason":null}],
             "usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":3},"completion_tokens_details":{"audio_tokens":18}}}
            """.Replace("@WAV", Convert.ToBase64String(Wav), StringComparison.Ordinal);
        using var server = new FakeServer(FakeAnswer.Json(json));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.BosonVllm);
        ChatResponse response = await client.GetResponseAsync(Conversation);
        var sound = response.Messages.Single().Contents.OfType<DataContent>().Single();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Text, Is.EqualTo("hello"));
            Assert.That((sound.MediaType, sound.AdditionalProperties!["transcript"]), Is.EqualTo(("audio/wav", (object)"said")));
            Assert.That(sound.Data.ToArray(), Is.EqualTo(Wav));
            Assert.That((response.ResponseId, response.ModelId, response.FinishReason), Is.EqualTo(("chatcmpl-1", "served", (ChatFinishReason?)ChatFinishReason.Length)));
            Assert.That((response.Usage!.InputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount), Is.EqualTo(((long?)10, (long?)20, (long?)30)));
            Assert.That((response.Usage.CachedInputTokenCount, response.Usage.InputAudioTokenCount, response.Usage.OutputAudioTokenCount), Is.EqualTo(((long?)4, (long?)3, (long?)18)));
        }
    }

    [TestCase(1), TestCase(17), TestCase(100000)]
    public async Task Pieces_of_an_answer_come_in_order(int length)
    {
        string Chunk(string delta, string reason = "null") =>
            $$$"""{"id":"c1","object":"chat.completion.chunk","model":"served","choices":[{"index":0,"delta":{{{delta}}},"finish_reason":{{{reason}}}}]}""";
        string Audio(byte[] pcm) => $$$"""{"content":null,"audio":{"id":"a","data":"{{{Convert.ToBase64String(pcm)}}}","expires_at":0,"transcript":""}}""";
        string[] events =
        [
            Chunk("""{"role":"assistant","content":""}"""),
            Chunk("""{"content":"hé"}"""),
            Chunk(Audio(Sound.Pcm[..100])),
            Chunk(Audio(Sound.Pcm[100..300])),
            Chunk("{}", "\"stop\""),
            """{"id":"c1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}""",
            "[DONE]",
        ];
        using var server = new FakeServer(FakeAnswer.Events(length, events));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.BosonVllm);
        var updates = new List<ChatResponseUpdate>();
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(Conversation))
            updates.Add(update);
        DataContent[] sound = [.. updates.SelectMany(update => update.Contents).OfType<DataContent>()];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(string.Concat(updates.Select(update => update.Text)), Is.EqualTo("hé"));
            Assert.That(sound.SelectMany(piece => piece.Data.ToArray()), Is.EqualTo(Sound.Pcm[..300]));
            Assert.That(sound.Select(piece => piece.MediaType).Distinct(), Is.EqualTo(new[] { "audio/l16;rate=24000;channels=1" }));
            Assert.That(updates.Select(update => update.FinishReason).OfType<ChatFinishReason>(), Is.EqualTo(new[] { ChatFinishReason.Stop }));
            Assert.That(updates[^1].Contents.OfType<UsageContent>().Single().Details.TotalTokenCount, Is.EqualTo(3));
            Assert.That(updates.Select(update => update.ResponseId).Distinct(), Is.EqualTo(new[] { "c1" }));
        }
    }

    [TestCase("""{"error":{"message":"out of memory","type":"ServerError","code":500}}"""), TestCase("""{"object":"error","message":"out of memory","type":"ServerError","code":500}""")]
    public void An_error_among_the_pieces_is_found(string json)
    {
        using var server = new FakeServer(FakeAnswer.Events(11, """{"choices":[{"delta":{"content":"a"}}]}""", json));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.BosonVllm);
        HiggsAudioRemoteException? problem = Assert.ThrowsAsync<HiggsAudioRemoteException>(() => client.GetStreamingResponseAsync(Conversation).ToChatResponseAsync());
        Assert.That(problem!.ErrorType, Is.EqualTo("ServerError"));
        Assert.That(problem.Message, Does.Contain("out of memory"));
    }

    [TestCase("""{"choices":[{"delta":{"content":"a"}}]}""", "cut"), TestCase("[1", "JSON")]
    public void An_answer_that_is_cut_or_broken_is_told(string data, string told)
    {
        using var server = new FakeServer(FakeAnswer.Events(11, data));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.BosonVllm);
        Assert.That(() => client.GetStreamingResponseAsync(Conversation).ToChatResponseAsync(), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains(told));
    }

    [TestCase("{}"), TestCase("[]"), TestCase("""{"choices":[]}"""), TestCase("""{"choices":[{"message":{"audio":{"data":"***"}}}]}"""), TestCase("nonsense"), TestCase("""{"object":"error","message":"no"}""")]
    public void A_whole_answer_that_is_not_understood_is_told(string json)
    {
        using var server = new FakeServer(FakeAnswer.Json(json));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.OpenAI);
        Assert.That(() => client.GetResponseAsync(Conversation), Throws.TypeOf<HiggsAudioRemoteException>());
    }

    [Test]
    public async Task Odd_members_of_an_answer_do_no_harm()
    {
        using var server = new FakeServer(FakeAnswer.Json("""{"id":5,"model":null,"choices":[{"message":{"content":[1],"audio":[2]},"finish_reason":3}],"usage":{"prompt_tokens":"many","completion_tokens":1e99}}"""));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.OpenAI);
        ChatResponse response = await client.GetResponseAsync(Conversation);
        Assert.That(response.Messages.Single().Contents, Is.Empty);
        Assert.That(response.Usage!.InputTokenCount, Is.Null);
    }
}
