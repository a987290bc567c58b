using System.Net;
using System.Text.Json;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

/// <summary>A server that was given folders of weights: prompts are made as the published model knows them, with scenes and described voices.</summary>
internal sealed class WeightsTests
{
    private RunningServer _server = null!;
    private string _voices = "";

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        (string model, string codec) = NanoVoice.Unpack();
        _voices = Directory.CreateTempSubdirectory("voices").FullName;
        await File.WriteAllBytesAsync(Path.Combine(_voices, "reader.wav"), await VoiceTests.RecordingAsync());
        await File.WriteAllTextAsync(Path.Combine(_voices, "reader.txt"), "good morning.");
        _server = await RunningServer.StartAsync($"HiggsAudio:Model={model}", $"HiggsAudio:Codec={codec}", $"HiggsAudio:Voices={_voices}", "HiggsAudio:ModelName=mine",
            "HiggsAudio:DescribedVoices:calm=He speaks slowly, with a British accent.", "HiggsAudio:Format=Int8");
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_voices, recursive: true);
    }

    [Test]
    public async Task It_says_what_it_has()
    {
        JsonElement model = JsonElement.Parse(await _server.Client.GetStringAsync("v1/models")).GetProperty("data")[0];
        JsonElement voices = JsonElement.Parse(await _server.Client.GetStringAsync("v1/audio/voices")).GetProperty("voices");
        Assert.That(model.GetProperty("id").GetString(), Is.EqualTo("mine"));
        Assert.That(model.GetProperty("scenes").GetBoolean(), Is.True);
        Assert.That(voices.EnumerateArray().Select(voice => voice.GetString()), Is.EqualTo(new[] { "calm", "feminine", "masculine", "reader" }));
        using HttpResponseMessage deleted = await _server.Client.DeleteAsync("v1/audio/voices/reader");
        Assert.That(deleted.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden), "only uploads can be deleted");
    }

    [TestCase("""{"input":"hello."}""")]
    [TestCase("""{"input":"hello.","voice":"default","scene":"A train station.","instructions":"Whisper."}""")]
    [TestCase("""{"input":"hello.","voice":"calm"}""")]
    [TestCase("""{"input":"hello.","voice":"alloy"}""")]
    [TestCase("""{"input":"hello.","voice":"reader"}""")]
    [TestCase("""{"input":"[SPEAKER0] hello. [SPEAKER1] thank you.","voice":"reader,calm"}""")]
    [TestCase("""{"input":"你好，世界。"}""")]
    public async Task Every_way_to_ask_for_a_voice_is_a_prompt(string request)
    {
        using HttpResponseMessage response = await _server.PostAsync("v1/audio/speech", request[..^1] + ""","seed":1,"max_tokens":40}""");
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), await response.Content.ReadAsStringAsync());
        Assert.That(Waveform.Load(await response.Content.ReadAsStreamAsync()).SamplingRate, Is.EqualTo(24000));
    }

    [TestCase("""{"messages":[{"role":"user","content":"hello."}]}""")]
    [TestCase("""{"messages":[{"role":"system","content":"Speak."},{"role":"user","content":"hello."}],"modalities":["audio"],"audio":{"voice":"reader"}}""")]
    [TestCase("""{"messages":[{"role":"user","content":"hello."}],"modalities":["text","audio"],"audio":{"voice":"calm"},"force_audio_generation":true}""")]
    public async Task Conversations(string request)
    {
        using HttpResponseMessage response = await _server.PostAsync("v1/chat/completions", request[..^1] + ""","seed":1,"max_tokens":40}""");
        string body = await response.Content.ReadAsStringAsync();
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), body);
        JsonElement message = JsonElement.Parse(body).GetProperty("choices")[0].GetProperty("message");
        Assert.That(message.GetProperty("content").GetString(), Does.Not.Contain("<|"), "special tokens are no text");
        Assert.That(message.TryGetProperty("audio", out _), Is.EqualTo(request.Contains("\"audio\"]", StringComparison.Ordinal)));
    }

    [TestCase("v1/audio/speech", """{"input":"a <|AUDIO|> b"}""")]
    [TestCase("v1/chat/completions", """{"messages":[{"role":"user","content":"a <|AUDIO_OUT|> b"}]}""")]
    public async Task Placeholders_of_sound_in_a_text_are_refused(string path, string request)
    {
        using HttpResponseMessage response = await _server.PostAsync(path, request);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        await RunningServer.ErrorAsync(response);
        Assert.That(_server.Errors, Is.Empty);
    }

    [Test]
    public async Task A_conversation_longer_than_the_context_is_refused()
    {
        await using RunningServer small = await RunningServer.StartAsync("HiggsAudio:MaxContextLength=64");
        using HttpResponseMessage response = await small.PostAsync("v1/chat/completions", $$"""{"messages":[{"role":"user","content":"{{new string('a', 300)}}"}],"modalities":["audio"]}""");
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That((await RunningServer.ErrorAsync(response)).GetProperty("code").GetString(), Is.EqualTo("context_length_exceeded"));
    }
}
