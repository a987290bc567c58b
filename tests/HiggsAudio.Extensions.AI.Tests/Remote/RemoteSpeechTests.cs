using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Remote;

/// <summary>POST /v1/audio/speech of each kind of server, replayed byte by byte.</summary>
internal sealed class RemoteSpeechTests
{
    private const string FlatError = """{"object":"error","message":"voice is broken","type":"BadRequestError","param":null,"code":400}""";
    private const string WrappedError = """{"error":{"message":"voice is broken","type":"BadRequestError","param":null,"code":400}}""";

    [TestCase(HiggsAudioServerDialect.BosonVllm,
        """{"model":"higgs","input":"hi","voice":"belinda","response_format":"pcm","temperature":0.5,"top_p":0.9,"top_k":20,"seed":7,"max_tokens":99}""")]
    [TestCase(HiggsAudioServerDialect.OpenAI,
        """{"model":"higgs","input":"hi","voice":"belinda","response_format":"pcm","temperature":0.5,"top_p":0.9,"top_k":20,"seed":7,"max_tokens":99}""")]
    [TestCase(HiggsAudioServerDialect.VllmOmni,
        """{"model":"higgs","input":"hi","voice":"belinda","response_format":"pcm","language":"en","temperature":0.5,"top_p":0.9,"top_k":20,"seed":7,"max_new_tokens":99,"stream":true,"stream_format":"audio"}""")]
    [TestCase(HiggsAudioServerDialect.SglangOmni,
        """{"model":"higgs","input":"hi","voice":"belinda","response_format":"pcm","temperature":0.5,"top_p":0.9,"top_k":20,"seed":7,"max_new_tokens":99,"stream":true}""")]
    public async Task A_request_has_what_the_kind_of_server_knows(HiggsAudioServerDialect dialect, string body)
    {
        using var server = new FakeServer(FakeAnswer.Bytes(Sound.Pcm));
        using HiggsAudioRemoteClient client = Client(server, dialect);
        var options = new TextToSpeechOptions
        {
            VoiceId = "belinda",
            Language = "en",
            Speed = 1.5f,
            AdditionalProperties = new() { ["temperature"] = 0.5f, ["top_p"] = 0.9f, ["top_k"] = 20, ["seed"] = 7L, ["max_tokens"] = 99 },
        };
        await JoinAsync(client.GetStreamingAudioAsync("hi", options));
        SeenRequest request = server.Requests.Single();
        Assert.That(request.Line, Is.EqualTo("POST /v1/audio/speech HTTP/1.1"));
        Assert.That(request.Head, Does.Contain("Content-Type: application/json\r\n").And.Contain("Authorization: Bearer secret"));
        Assert.That(Encoding.UTF8.GetString(request.Body), Is.EqualTo(body));
    }

    [TestCase(HiggsAudioServerDialect.BosonVllm, """{"model":"higgs","input":"hi","voice":"default","response_format":"pcm"}""")]
    [TestCase(HiggsAudioServerDialect.OpenAI, """{"model":"higgs","input":"hi","voice":"alloy","response_format":"pcm"}""")]
    [TestCase(HiggsAudioServerDialect.VllmOmni, """{"model":"higgs","input":"hi","response_format":"pcm"}""")]
    [TestCase(HiggsAudioServerDialect.SglangOmni, """{"model":"higgs","input":"hi","voice":"default","response_format":"pcm"}""")]
    public async Task What_nobody_asked_for_is_not_sent(HiggsAudioServerDialect dialect, string body)
    {
        using var server = new FakeServer(FakeAnswer.Bytes(Sound.Pcm));
        using HiggsAudioRemoteClient client = Client(server, dialect);
        TextToSpeechResponse response = await client.GetAudioAsync("hi");
        Assert.That(Encoding.UTF8.GetString(server.Requests.Single().Body), Is.EqualTo(body));
        Assert.That(((DataContent)response.Contents[0]).Data.ToArray(), Is.EqualTo(Sound.Wav(Sound.Pcm)));
    }

    [Test]
    public async Task A_recording_goes_to_servers_that_take_one()
    {
        byte[] wav = Sound.Wav(Sound.Pcm[..200]);
        var raw = new HiggsAudioRemoteSpeechOptions
        {
            ReferenceAudio = wav,
            ReferenceText = "said",
            Instructions = "slowly",
            Extra = new Dictionary<string, JsonElement> { ["task_type"] = JsonSerializer.SerializeToElement("tts") },
        };
        var options = new TextToSpeechOptions { RawRepresentationFactory = _ => raw };
        using var server = new FakeServer(FakeAnswer.Bytes(Sound.Pcm));
        using (HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.VllmOmni))
            await client.GetAudioAsync("hi", options);
        JsonElement json = server.Requests.Single().Json;
        Assert.That(json.GetProperty("ref_audio").GetString(), Is.EqualTo("data:audio/wav;base64," + Convert.ToBase64String(wav)));
        Assert.That((json.GetProperty("ref_text").GetString(), json.GetProperty("instructions").GetString(), json.GetProperty("task_type").GetString()), Is.EqualTo(("said", "slowly", "tts")));
        using HiggsAudioRemoteClient fork = Client(server, HiggsAudioServerDialect.BosonVllm);
        Assert.That(() => fork.GetAudioAsync("hi", options), Throws.TypeOf<NotSupportedException>().With.Message.Contains("BosonVllm"));
    }

    // The fork's header is audio/mpeg whatever it sends; samples are cut anywhere.
    [TestCase("audio/mpeg", 48000), TestCase("audio/mpeg", 1), TestCase("audio/mpeg", 1, 2, 3, 5, 7), TestCase("application/octet-stream", 4095), TestCase("audio/pcm", 3)]
    public async Task Samples_survive_any_division_and_any_media_type(string contentType, params int[] lengths)
    {
        byte[] pcm = Sound.Pcm[..(lengths[0] == 1 ? 2000 : 48000)];
        using var server = new FakeServer(FakeAnswer.Bytes(pcm, contentType, lengths));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.BosonVllm);
        (byte[] joined, string mediaType, _) = await JoinAsync(client.GetStreamingAudioAsync("hi"));
        Assert.That(joined, Is.EqualTo(pcm));
        Assert.That(mediaType, Is.EqualTo("audio/l16;rate=24000;channels=1"));
    }

    [TestCase("X-Sample-Rate", "16000", 16000), TestCase("x-sglang-omni-sample-rate", "48000", 48000), TestCase("X-Sample-Rate", "0", 24000), TestCase("X-Sample-Rate", "many", 24000)]
    public async Task A_header_may_say_the_rate(string header, string value, int rate)
    {
        using var server = new FakeServer(new FakeAnswer { ContentType = "audio/pcm", Pieces = [Sound.Pcm], Headers = new Dictionary<string, string> { [header] = value } });
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.SglangOmni);
        (_, string mediaType, _) = await JoinAsync(client.GetStreamingAudioAsync("hi"));
        Assert.That(mediaType, Is.EqualTo($"audio/l16;rate={rate};channels=1"));
    }

    [TestCase(1), TestCase(13), TestCase(100000)]
    public async Task A_server_that_sends_wav_all_the_same_is_understood(int length)
    {
        using var server = new FakeServer(FakeAnswer.Bytes(Sound.Wav(Sound.Pcm[..4000], 16000), "audio/wav", length));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.OpenAI);
        (byte[] joined, string mediaType, _) = await JoinAsync(client.GetStreamingAudioAsync("hi"));
        Assert.That(joined, Is.EqualTo(Sound.Pcm[..4000]));
        Assert.That(mediaType, Is.EqualTo("audio/l16;rate=16000;channels=1"));
    }

    [TestCase("ID3xxxxxxxxxxxxxxxxx"), TestCase("OggSxxxxxxxxxxxxxxxx"), TestCase("fLaCxxxxxxxxxxxxxxxx")]
    public void Compressed_sound_is_refused(string start)
    {
        using var server = new FakeServer(FakeAnswer.Bytes(Encoding.ASCII.GetBytes(start)));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.OpenAI);
        Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("compressed"));
    }

    [TestCase(FlatError), TestCase(WrappedError)]
    public void An_error_of_either_shape_is_read(string json)
    {
        using var server = new FakeServer(FakeAnswer.Json(json, 400));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.BosonVllm);
        HiggsAudioRemoteException? problem = Assert.ThrowsAsync<HiggsAudioRemoteException>(() => client.GetAudioAsync("hi"));
        Assert.That((problem!.StatusCode, problem.ErrorType, problem.ErrorCode), Is.EqualTo(((HttpStatusCode?)HttpStatusCode.BadRequest, "BadRequestError", "400")));
        Assert.That(problem.Message, Does.Contain("voice is broken"));
    }

    [TestCase("""{"detail":"Not Found"}""", 404, "Not Found"), TestCase("<html>Bad Gateway</html>", 502, "Bad Gateway"), TestCase("", 500, "500"), TestCase("""{"error":"no model"}""", 500, "no model")]
    public void An_error_of_another_shape_is_told(string body, int status, string told)
    {
        using var server = new FakeServer(FakeAnswer.Json(body, status));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.OpenAI);
        Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains(told).And.Property("StatusCode").EqualTo((HttpStatusCode)status));
    }

    [TestCase(WrappedError, 1, 4096), TestCase(WrappedError, 2, 3), TestCase(FlatError, 0, 100000), TestCase(WrappedError, 0, 1)]
    public void An_error_in_the_middle_of_the_sound_is_found(string json, int odd, int length)
    {
        byte[] pcm = Sound.Pcm[..(length == 1 ? 500 : 20000 + odd)];
        using var server = new FakeServer(FakeAnswer.Bytes([.. pcm, .. Encoding.UTF8.GetBytes(json)], "audio/mpeg", length));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.BosonVllm);
        var heard = new List<byte>();
        HiggsAudioRemoteException? problem = Assert.ThrowsAsync<HiggsAudioRemoteException>(async () =>
        {
            await foreach (TextToSpeechResponseUpdate update in client.GetStreamingAudioAsync("hi"))
                heard.AddRange(update.Contents.OfType<DataContent>().SelectMany(piece => piece.Data.ToArray()));
        });
        Assert.That(problem!.Message, Does.Contain("voice is broken"));
        Assert.That(heard, Is.EqualTo(pcm[..heard.Count]), "what came before is sound");
        Assert.That(heard, Has.Count.EqualTo(pcm.Length & ~1));
    }

    [TestCase(8), TestCase(70_000), TestCase(200_000)]
    public async Task Sound_that_looks_like_an_error_is_sound(int after)
    {
        byte[] pcm = [.. Sound.Pcm[..1000], .. "{\"error\" "u8, (byte)'!', .. Enumerable.Repeat((byte)1, after), .. "{\"er"u8];
        using var server = new FakeServer(FakeAnswer.Bytes(pcm, "audio/mpeg", 1000));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.BosonVllm);
        Assert.That((await JoinAsync(client.GetStreamingAudioAsync("hi"))).Bytes, Is.EqualTo(pcm));
    }

    [TestCase(1), TestCase(7), TestCase(1000), TestCase(100000)]
    public async Task Events_carry_sound_and_usage(int length)
    {
        byte[] pcm = Sound.Pcm[..3001];   // the last sample is divided between events
        string[] events =
        [
            .. pcm.Append((byte)9).Chunk(999).Select(piece => $$"""{"type":"speech.audio.delta","audio":"{{Convert.ToBase64String(piece)}}","response_format":"pcm"}"""),
            """{"type":"speech.audio.done","usage":{"input_tokens":11,"output_tokens":22,"total_tokens":33,"input_token_details":{"text_tokens":4,"audio_tokens":7}}}""",
        ];
        using var server = new FakeServer(FakeAnswer.Events(length, events));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.VllmOmni);
        (byte[] joined, _, UsageDetails? usage) = await JoinAsync(client.GetStreamingAudioAsync("hi"));
        Assert.That(joined, Is.EqualTo(pcm.Append((byte)9)));
        Assert.That((usage!.InputTokenCount, usage.OutputTokenCount, usage.TotalTokenCount, usage.InputTextTokenCount, usage.InputAudioTokenCount),
            Is.EqualTo(((long?)11, (long?)22, (long?)33, (long?)4, (long?)7)));
    }

    [Test]
    public async Task Events_may_have_comments_and_other_ends_of_lines()
    {
        string audio = Convert.ToBase64String(Sound.Pcm[..4]);
        string text = $": hello\r\n\r\nevent: x\rdata: {{\"type\":\"speech.audio.delta\",\rdata:\"audio\":\"{audio}\"}}\r\rid: 4\ndata: {{\"type\":\"speech.audio.done\"}}\n\n";
        using var server = new FakeServer(FakeAnswer.Bytes(Encoding.UTF8.GetBytes(text), "text/event-stream", 1));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.VllmOmni);
        Assert.That((await JoinAsync(client.GetStreamingAudioAsync("hi"))).Bytes, Is.EqualTo(Sound.Pcm[..4]));
    }

    [TestCase("""{"type":"speech.audio.error","error":{"message":"out of memory","type":"ServerError","code":500}}""")]
    [TestCase("""{"type":"speech.audio.error","message":"out of memory"}""")]
    [TestCase("""{"type":"speech.audio.error","reason":"out of memory"}""")]
    public void An_error_among_events_is_found(string json)
    {
        using var server = new FakeServer(FakeAnswer.Events(9, """{"type":"speech.audio.delta","audio":"AAAA"}""", json));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.VllmOmni);
        Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("out of memory"));
    }

    [TestCase("not json"), TestCase("""{"type":"speech.audio.delta","audio":"***"}""")]
    public void Events_that_are_broken_are_refused(string json)
    {
        using var server = new FakeServer(FakeAnswer.Events(9, json));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.VllmOmni);
        Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>());
    }

    [Test]
    public void What_is_cut_is_told()
    {
        using (Assert.EnterMultipleScope())
        {
            AssertCut(FakeAnswer.Events(100, """{"type":"speech.audio.delta","audio":"AAAA"}"""));
            AssertCut(new FakeAnswer { ContentType = "audio/mpeg", Pieces = [Sound.Pcm], IsCut = true });
            AssertCut(new FakeAnswer { ContentType = "audio/mpeg", Pieces = [Sound.Pcm[..101]] });
        }

        static void AssertCut(FakeAnswer answer)
        {
            using var server = new FakeServer(answer);
            using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.BosonVllm);
            Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("cut"));
            Assert.That(server.Requests, Has.Count.EqualTo(1), "nothing is sent again once an answer has begun");
        }
    }

    [Test]
    public void An_answer_without_sound_is_told()
    {
        using var server = new FakeServer(FakeAnswer.Bytes([]));
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.BosonVllm);
        Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("without sound"));
    }

    [Test]
    public async Task Usage_may_be_in_headers()
    {
        var headers = new Dictionary<string, string>
        {
            ["x-vllm-omni-input-tokens"] = "5",
            ["x-vllm-omni-output-tokens"] = "6",
            ["x-vllm-omni-total-tokens"] = "11",
            ["x-vllm-omni-input-text-tokens"] = "2",
            ["x-vllm-omni-input-audio-tokens"] = "3",
        };
        using var server = new FakeServer(new FakeAnswer { ContentType = "audio/pcm", Pieces = [Sound.Pcm], Headers = headers });
        using HiggsAudioRemoteClient client = Client(server, HiggsAudioServerDialect.VllmOmni);
        UsageDetails usage = (await client.GetAudioAsync("hi")).Usage!;
        Assert.That((usage.InputTokenCount, usage.OutputTokenCount, usage.TotalTokenCount, usage.InputTextTokenCount, usage.InputAudioTokenCount),
            Is.EqualTo(((long?)5, (long?)6, (long?)11, (long?)2, (long?)3)));
    }

    [Test]
    public async Task Speed_and_volume_are_made_here([Values] HiggsAudioServerDialect dialect)
    {
        using var server = new FakeServer(FakeAnswer.Bytes(Sound.Pcm));
        using HiggsAudioRemoteClient client = Client(server, dialect);
        (byte[] joined, _, _) = await JoinAsync(client.GetStreamingAudioAsync("hi", new TextToSpeechOptions { Speed = 1.5f, Volume = 0 }));
        Assert.That(joined, Is.EqualTo(new byte[32000]));
    }

    internal static HiggsAudioRemoteClient Client(FakeServer server, HiggsAudioServerDialect dialect, Action<HiggsAudioRemoteOptions>? configure = null)
    {
        var options = new HiggsAudioRemoteOptions { Endpoint = server.Address, Dialect = dialect, Model = "higgs", ApiKey = "secret" };
        configure?.Invoke(options);
        return new HiggsAudioRemoteClient(options);
    }

    internal static async Task<(byte[] Bytes, string MediaType, UsageDetails? Usage)> JoinAsync(IAsyncEnumerable<TextToSpeechResponseUpdate> updates)
    {
        var bytes = new List<byte>();
        string mediaType = "";
        UsageDetails? usage = null;
        TextToSpeechResponseUpdate? last = null;
        await foreach (TextToSpeechResponseUpdate update in updates)
        {
            last = update;
            foreach (DataContent piece in update.Contents.OfType<DataContent>())
            {
                bytes.AddRange(piece.Data.Span);
                mediaType = piece.MediaType;
            }
            usage = update.Contents.OfType<UsageContent>().SingleOrDefault()?.Details ?? usage;
        }
        Assert.That(last!.Kind, Is.EqualTo(TextToSpeechResponseUpdateKind.SessionClose));
        return ([.. bytes], mediaType, usage);
    }
}
