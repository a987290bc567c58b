using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

internal sealed class SpeechTests
{
    private const string Text = "Good morning. How are you today?";

    private static RunningServer Server => SharedServer.Server;

    [Test]
    public async Task A_whole_file_has_its_length_and_what_it_cost()
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/audio/speech", $$"""{"input":"{{Text}}","voice":"feminine","seed":1}""");
        byte[] bytes = await response.Content.ReadAsByteArrayAsync();
        Waveform sound = Waveform.Load(new MemoryStream(bytes));
        int Header(string name) => int.Parse(response.Headers.GetValues(name).Single(), System.Globalization.CultureInfo.InvariantCulture);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo("audio/wav"));
            Assert.That(response.Content.Headers.ContentLength, Is.EqualTo(bytes.Length));
            Assert.That(sound.SamplingRate, Is.EqualTo(24000));
            Assert.That(sound.Duration.TotalSeconds, Is.InRange(1, 6));
            Assert.That(sound.Rms, Is.GreaterThan(0.01));
            Assert.That(Header("x-vllm-omni-output-tokens"), Is.GreaterThan(25));
            Assert.That(Header("x-vllm-omni-input-text-tokens"), Is.GreaterThan(0));
            Assert.That(Header("x-vllm-omni-input-audio-tokens"), Is.Zero);
            Assert.That(Header("x-vllm-omni-total-tokens"), Is.EqualTo(Header("x-vllm-omni-input-tokens") + Header("x-vllm-omni-output-tokens")));
            Assert.That(response.Headers.GetValues("x-finish-reason").Single(), Is.EqualTo("AudioEnd"));
        }
    }

    [Test]
    public async Task The_same_seed_gives_the_same_sound_another_another()
    {
        byte[] first = await SpeakAsync("""{"input":"Thank you.","seed":5}"""), second = await SpeakAsync("""{"input":"Thank you.","seed":5}"""), third = await SpeakAsync("""{"input":"Thank you.","seed":6}""");
        Assert.That(second, Is.EqualTo(first));
        Assert.That(third, Is.Not.EqualTo(first));
    }

    [Test]
    public async Task Samples_come_in_pieces_as_they_are_made()
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/audio/speech", $$"""{"input":"{{string.Join(' ', Enumerable.Repeat(Text, 8))}}","seed":1,"response_format":"pcm","audio_chunk_size":5}""",
            HttpCompletionOption.ResponseHeadersRead);
        await using Stream stream = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[1 << 20];
        var lengths = new List<int>();
        while (await stream.ReadAsync(buffer) is > 0 and int read)
            lengths.Add(read);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo("audio/pcm"));
            Assert.That(response.Headers.GetValues("x-sample-rate").Single(), Is.EqualTo("24000"));
            Assert.That(response.Content.Headers.ContentLength, Is.Null);
            Assert.That(lengths, Has.Count.GreaterThan(1), "not all at once");
            Assert.That(lengths.Sum() % 2, Is.Zero);
            Assert.That(lengths.Sum(), Is.GreaterThan(48000));
        }
    }

    [Test]
    public async Task A_streamed_file_is_a_file_and_has_the_sound_of_the_whole()
    {
        Waveform whole = Waveform.Load(new MemoryStream(await SpeakAsync($$"""{"input":"{{Text}}","seed":1}""")));
        Waveform streamed = Waveform.Load(new MemoryStream(await SpeakAsync($$"""{"input":"{{Text}}","seed":1,"stream_format":"audio","response_format":"wav"}""")));
        Assert.That(streamed.Length, Is.EqualTo(whole.Length));
        // The first piece is made before all is known that it depends on; after it the stream is exact.
        int exact = whole.SamplingRate / 2;
        Assert.That(streamed.Span[exact..].ToArray(), Is.EqualTo(whole.Span[exact..].ToArray()));
    }

    [TestCase("""{"input":"Thank you.","stream_format":"sse","response_format":"pcm","seed":2}""")]
    [TestCase("""{"input":"Thank you.","stream":true,"response_format":"pcm","seed":2}""")]
    public async Task Events_hold_the_sound_and_end_with_what_it_cost(string request)
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/audio/speech", request);
        Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
        var bytes = new List<byte>();
        var types = new List<string>();
        JsonElement last = default;
        await foreach (SseItem<string> item in SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync())
        {
            last = JsonElement.Parse(item.Data);
            types.Add(item.EventType);
            Assert.That(last.GetProperty("type").GetString(), Is.EqualTo(item.EventType));
            if (last.TryGetProperty("audio", out JsonElement audio))
                bytes.AddRange(audio.GetBytesFromBase64());
        }
        JsonElement usage = last.GetProperty("usage");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(types[..^1], Is.All.EqualTo("speech.audio.delta"));
            Assert.That(types[^1], Is.EqualTo("speech.audio.done"));
            Assert.That(bytes, Is.EqualTo(await SpeakAsync("""{"input":"Thank you.","response_format":"pcm","seed":2}""")));
            Assert.That(usage.GetProperty("total_tokens").GetInt32(), Is.EqualTo(usage.GetProperty("input_tokens").GetInt32() + usage.GetProperty("output_tokens").GetInt32()));
            Assert.That(usage.GetProperty("input_token_details").GetProperty("text_tokens").GetInt32(), Is.GreaterThan(0));
        }
    }

    [Test]
    public async Task Twice_as_fast_is_half_as_long()
    {
        Waveform normal = Waveform.Load(new MemoryStream(await SpeakAsync($$"""{"input":"{{Text}}","seed":1}""")));
        Waveform fast = Waveform.Load(new MemoryStream(await SpeakAsync($$"""{"input":"{{Text}}","seed":1,"speed":2}""")));
        Assert.That(fast.Duration.TotalSeconds, Is.EqualTo(normal.Duration.TotalSeconds / 2).Within(0.1));
        Assert.That(fast.Rms, Is.EqualTo(normal.Rms).Within(0.5 * normal.Rms));
    }

    [Test]
    public async Task Two_speakers_and_a_pause()
    {
        Waveform sound = Waveform.Load(new MemoryStream(await SpeakAsync(
            """{"input":"[SPEAKER0] Good morning. [pause 1] [SPEAKER1] Thank you.","voice":"feminine,masculine","seed":1}""")));
        ReadOnlySpan<float> samples = sound.Span;
        int longest = 0, run = 0;
        foreach (float sample in samples)
            longest = Math.Max(longest, run = sample == 0 ? run + 1 : 0);
        Assert.That(longest, Is.GreaterThanOrEqualTo(24000));
    }

    [Test]
    public async Task A_recording_in_the_request_is_a_voice()
    {
        string recording = Convert.ToBase64String(await SpeakAsync("""{"input":"Please open the window.","voice":"masculine","seed":1}"""));
        using HttpResponseMessage response = await Server.PostAsync("v1/audio/speech",
            $$"""{"input":"Thank you.","seed":1,"ref_audio":"data:audio/wav;base64,{{recording}}","ref_text":"Please open the window."}""");
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(response.Headers.GetValues("x-vllm-omni-input-audio-tokens").Single(), Is.Not.EqualTo("0"));
    }

    [TestCase("""{"voice":"feminine"}""", "input", "missing_value")]
    [TestCase("""{"input":"  "}""", "input", "missing_value")]
    [TestCase("""{"input":"hello","voice":"nobody"}""", "voice", "voice_not_found")]
    [TestCase("""{"input":"hello","voice":"../../etc/passwd"}""", "voice", "voice_not_found")]
    [TestCase("""{"input":"hello","response_format":"mp3"}""", "response_format", "unsupported_format")]
    [TestCase("""{"input":"hello","temperature":3}""", "temperature", "invalid_value")]
    [TestCase("""{"input":"hello","temperature":1e400}""", "temperature", null)]
    [TestCase("""{"input":"hello","temperature":"warm"}""", "temperature", "invalid_type")]
    [TestCase("""{"input":"hello","top_p":0}""", "top_p", "invalid_value")]
    [TestCase("""{"input":"hello","top_k":-2}""", "top_k", "invalid_value")]
    [TestCase("""{"input":"hello","top_k":99999999999}""", "top_k", "invalid_type")]
    [TestCase("""{"input":"hello","max_tokens":0}""", "max_tokens", "invalid_value")]
    [TestCase("""{"input":"hello","max_new_tokens":100000}""", "max_new_tokens", "invalid_value")]
    [TestCase("""{"input":"hello","speed":9}""", "speed", "invalid_value")]
    [TestCase("""{"input":"hello","stream_format":"smoke"}""", "stream_format", "invalid_value")]
    [TestCase("""{"input":"hello","ref_audio":"http://127.0.0.1/a.wav","ref_text":"a"}""", "ref_audio", "invalid_value")]
    [TestCase("""{"input":"hello","ref_audio":"file:///etc/passwd","ref_text":"a"}""", "ref_audio", "invalid_value")]
    [TestCase("""{"input":"hello","ref_audio":"data:audio/wav;base64,AAAA","ref_text":"a"}""", "ref_audio", "invalid_audio")]
    [TestCase("""{"input":"hello","ref_audio":"data:audio/wav;base64,?","ref_text":"a"}""", "ref_audio", "invalid_base64")]
    [TestCase("""{"input":"hello","model":"gpt-7"}""", "model", "model_not_found")]
    [TestCase("""{"input":"你好"}""", null, "invalid_value")]
    [TestCase("""["input"]""", null, "invalid_type")]
    [TestCase("""{"input":"hello" """, null, "invalid_json")]
    [TestCase("null", null, null)]
    [TestCase("", null, null)]
    public async Task What_is_wrong_is_named(string request, string? param, string? code)
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/audio/speech", request);
        JsonElement error = await RunningServer.ErrorAsync(response);
        Assert.That((int)response.StatusCode, Is.InRange(400, 499));
        Assert.That(error.GetProperty("type").GetString(), Is.EqualTo("invalid_request_error"));
        Assert.That(error.GetProperty("param").GetString(), Is.EqualTo(param));
        if (code is not null)
            Assert.That(error.GetProperty("code").GetString(), Is.EqualTo(code));
    }

    [Test]
    public async Task A_text_that_is_too_long_is_refused()
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/audio/speech", $$"""{"input":"{{new string('a', 5000)}}"}""");
        Assert.That((await RunningServer.ErrorAsync(response)).GetProperty("code").GetString(), Is.EqualTo("string_above_max_length"));
    }

    [Test]
    public async Task Another_content_type_is_refused()
    {
        using HttpResponseMessage response = await Server.Client.PostAsync("v1/audio/speech", new StringContent("""{"input":"hello"}"""));
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.UnsupportedMediaType));
        await RunningServer.ErrorAsync(response);
    }

    private static async Task<byte[]> SpeakAsync(string request)
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/audio/speech", request);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), await response.Content.ReadAsStringAsync());
        return await response.Content.ReadAsByteArrayAsync();
    }
}
