using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

internal sealed class ChatTests
{
    private static RunningServer Server => SharedServer.Server;

    [Test]
    public async Task An_answer_has_sound_as_a_file_and_says_what_it_cost()
    {
        JsonElement answer = await AskAsync("""{"messages":[{"role":"user","content":"Good morning."}],"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"},"seed":1}""");
        JsonElement choice = answer.GetProperty("choices")[0], usage = answer.GetProperty("usage"), audio = choice.GetProperty("message").GetProperty("audio");
        Waveform sound = Waveform.Load(new MemoryStream(audio.GetProperty("data").GetBytesFromBase64()));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(answer.GetProperty("object").GetString(), Is.EqualTo("chat.completion"));
            Assert.That(answer.GetProperty("id").GetString(), Does.StartWith("chatcmpl-"));
            Assert.That(choice.GetProperty("finish_reason").GetString(), Is.EqualTo("stop"));
            Assert.That(choice.GetProperty("message").GetProperty("role").GetString(), Is.EqualTo("assistant"));
            Assert.That(choice.GetProperty("message").GetProperty("content").GetString(), Is.Empty, "special tokens are no text");
            Assert.That(audio.GetProperty("id").GetString(), Does.StartWith("audio-"));
            Assert.That(sound.Duration.TotalSeconds, Is.InRange(0.4, 5));
            Assert.That(usage.GetProperty("total_tokens").GetInt32(), Is.EqualTo(usage.GetProperty("prompt_tokens").GetInt32() + usage.GetProperty("completion_tokens").GetInt32()));
            Assert.That(usage.GetProperty("completion_tokens_details").GetProperty("audio_tokens").GetInt32(), Is.GreaterThan(10));
        }
    }

    [Test]
    public async Task A_stream_has_the_same_sound_in_pieces_then_what_it_cost_then_done()
    {
        const string Request = """{"messages":[{"role":"user","content":"Good morning."}],"modalities":["audio"],"seed":1,"audio":{"format":"pcm16"}""";
        byte[] whole = (await AskAsync(Request + "}")).GetProperty("choices")[0].GetProperty("message").GetProperty("audio").GetProperty("data").GetBytesFromBase64();
        using HttpResponseMessage response = await Server.PostAsync("v1/chat/completions", Request + ""","stream":true,"stream_options":{"include_usage":true}}""");
        Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
        List<string> events = [];
        await foreach (SseItem<string> item in SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync())
            events.Add(item.Data);
        JsonElement[] pieces = [.. events[..^1].Select(data => JsonElement.Parse(data))];
        byte[] sound = [.. pieces.SelectMany(piece => piece.GetProperty("choices").EnumerateArray())
            .Where(choice => choice.GetProperty("delta").TryGetProperty("audio", out _))
            .SelectMany(choice => choice.GetProperty("delta").GetProperty("audio").GetProperty("data").GetBytesFromBase64())];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(events[^1], Is.EqualTo("[DONE]"));
            Assert.That(pieces.Select(piece => piece.GetProperty("object").GetString()), Is.All.EqualTo("chat.completion.chunk"));
            Assert.That(pieces.Select(piece => piece.GetProperty("id").GetString()).Distinct().Count(), Is.EqualTo(1));
            Assert.That(pieces[0].GetProperty("choices")[0].GetProperty("delta").GetProperty("role").GetString(), Is.EqualTo("assistant"));
            Assert.That(pieces[^1].GetProperty("choices").GetArrayLength(), Is.Zero);
            Assert.That(pieces[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.GreaterThan(10));
            Assert.That(pieces[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString(), Is.EqualTo("stop"));
            Assert.That(sound, Has.Length.EqualTo(whole.Length));
            Assert.That(sound[24000..], Is.EqualTo(whole[24000..]));   // exact after the first piece
        }
    }

    [Test]
    public async Task An_earlier_answer_can_be_named_by_its_id()
    {
        JsonElement first = await AskAsync("""{"messages":[{"role":"user","content":"Good morning."}],"modalities":["audio"],"seed":1}""");
        string id = first.GetProperty("choices")[0].GetProperty("message").GetProperty("audio").GetProperty("id").GetString()!;
        JsonElement second = await AskAsync($$$"""
            {"messages":[{"role":"user","content":"Good morning."},{"role":"assistant","audio":{"id":"{{{id}}}"}},{"role":"user","content":"Thank you."}],"modalities":["audio"],"seed":1}
            """);
        Assert.That(second.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), Is.GreaterThan(first.GetProperty("usage").GetProperty("prompt_tokens").GetInt32() + 10));
    }

    [Test]
    public async Task Sound_can_be_sent_as_a_file_and_as_samples()
    {
        JsonElement spoken = await AskAsync("""{"messages":[{"role":"user","content":"Good morning."}],"modalities":["audio"],"seed":1,"audio":{"format":"pcm16"}}""");
        byte[] samples = spoken.GetProperty("choices")[0].GetProperty("message").GetProperty("audio").GetProperty("data").GetBytesFromBase64();
        var floats = new float[samples.Length / 2];
        for (int i = 0; i < floats.Length; i++)
            floats[i] = BitConverter.ToInt16(samples, 2 * i) / 32768f;
        var file = new MemoryStream();
        new Waveform(floats, 24000).SaveWav(file);
        int[] prompts = new int[2];
        foreach ((int i, byte[] bytes, string format) in new[] { (0, file.ToArray(), "wav"), (1, samples, "pcm16") })
        {
            JsonElement answer = await AskAsync($$$"""
                {"messages":[{"role":"user","content":"Good morning."},
                  {"role":"assistant","content":[{"type":"input_audio","input_audio":{"data":"{{{Convert.ToBase64String(bytes)}}}","format":"{{{format}}}"}}]},
                  {"role":"user","content":[{"type":"text","text":"Thank you."}]}],"modalities":["text","audio"],"max_completion_tokens":20,"top_k":40,"seed":1}
                """);
            prompts[i] = answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
            Assert.That(answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString(), Is.EqualTo("length").Or.EqualTo("stop"));
        }
        Assert.That(prompts[1], Is.EqualTo(prompts[0]));
    }

    [Test]
    public async Task Text_alone_gives_no_sound()
    {
        JsonElement answer = await AskAsync("""{"messages":[{"role":"user","content":"Good morning."}],"max_tokens":4}""");
        Assert.That(answer.GetProperty("choices")[0].GetProperty("message").TryGetProperty("audio", out _), Is.False);
    }

    [TestCase("{}", "messages")]
    [TestCase("""{"messages":[]}""", "messages")]
    [TestCase("""{"messages":[null]}""", "messages[0].role")]
    [TestCase("""{"messages":[{"role":"king","content":"a"}]}""", "messages[0].role")]
    [TestCase("""{"messages":[{"role":"user"}]}""", "messages[0].content")]
    [TestCase("""{"messages":[{"role":"user","content":[null]}]}""", "messages[0].content[0].type")]
    [TestCase("""{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}""", "messages[0].content[0].type")]
    [TestCase("""{"messages":[{"role":"user","content":[{"type":"text"}]}]}""", "messages[0].content[0].text")]
    [TestCase("""{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]}""", "messages[0].content[0].input_audio.data")]
    [TestCase("""{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]}]}""", "messages[0].content[0].input_audio.format")]
    [TestCase("""{"messages":[{"role":"assistant","audio":{"id":"audio-1"}}]}""", "messages[0].audio.id")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"modalities":["smell"]}""", "modalities")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"audio":{"voice":"alloy"}}""", "modalities")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"modalities":["audio"],"audio":{"voice":"nobody"}}""", "audio.voice")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"modalities":["audio"],"audio":{"format":"flac"}}""", "audio.format")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"n":2}""", "n")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function"}]}""", "tools")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"stop":[""]}""", "stop")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"max_completion_tokens":-1}""", "max_completion_tokens")]
    [TestCase("""{"messages":[{"role":"user","content":"!"}],"modalities":["audio"]}""", null)]
    public async Task What_is_wrong_is_named(string request, string? param)
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/chat/completions", request);
        JsonElement error = await RunningServer.ErrorAsync(response);
        Assert.That((int)response.StatusCode, Is.InRange(400, 499));
        Assert.That(error.GetProperty("param").GetString(), Is.EqualTo(param));
    }

    private static async Task<JsonElement> AskAsync(string request)
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/chat/completions", request);
        string body = await response.Content.ReadAsStringAsync();
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), body);
        return JsonElement.Parse(body);
    }
}
