using System.Net;
using System.Text.Json;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

internal sealed class VoiceTests
{
    private static RunningServer Server => SharedServer.Server;

    [Test]
    public async Task A_voice_is_uploaded_listed_spoken_with_and_deleted()
    {
        using HttpResponseMessage uploaded = await UploadAsync("morning", await RecordingAsync(), "Good morning.", "yes");
        Assert.That(uploaded.StatusCode, Is.EqualTo(HttpStatusCode.OK), await uploaded.Content.ReadAsStringAsync());
        JsonElement list = await GetAsync("v1/audio/voices");
        JsonElement note = list.GetProperty("uploaded_voices").EnumerateArray().Single(voice => voice.GetProperty("name").GetString() == "morning");
        using HttpResponseMessage spoken = await Server.PostAsync("v1/audio/speech", """{"input":"Thank you.","voice":"morning","seed":1}""");
        using HttpResponseMessage chat = await Server.PostAsync("v1/chat/completions",
            """{"messages":[{"role":"user","content":"Thank you."}],"modalities":["audio"],"audio":{"voice":"morning"},"seed":1}""");
        using HttpResponseMessage again = await UploadAsync("morning", await RecordingAsync(), "Good morning.", "yes");
        using HttpResponseMessage deleted = await Server.Client.DeleteAsync("v1/audio/voices/morning"), twice = await Server.Client.DeleteAsync("v1/audio/voices/morning");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(list.GetProperty("voices").EnumerateArray().Select(voice => voice.GetString()), Is.SupersetOf(new[] { "feminine", "masculine", "morning", "scottish" }));
            Assert.That(note.GetProperty("ref_text").GetString(), Is.EqualTo("Good morning."));
            Assert.That(note.GetProperty("consent").GetString(), Is.EqualTo("yes"));
            Assert.That(spoken.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(spoken.Headers.GetValues("x-vllm-omni-input-audio-tokens").Single(), Is.Not.EqualTo("0"));
            Assert.That(chat.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(again.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
            Assert.That(deleted.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(twice.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        }
        await RunningServer.ErrorAsync(again);
        await RunningServer.ErrorAsync(twice);
        Assert.That((await GetAsync("v1/audio/voices")).GetProperty("voices").EnumerateArray().Select(voice => voice.GetString()), Does.Not.Contain("morning"));
    }

    [TestCase("..")]
    [TestCase("../evil")]
    [TestCase("a/b")]
    [TestCase("a\\b")]
    [TestCase(".hidden")]
    [TestCase("con")]
    [TestCase("config")]
    [TestCase("feminine")]
    [TestCase("alloy")]
    [TestCase("default")]
    [TestCase("a b")]
    [TestCase("ä")]
    [TestCase("")]
    public async Task A_name_that_is_none_is_refused(string name)
    {
        using HttpResponseMessage response = await UploadAsync(name, await RecordingAsync(), "Good morning.", "yes");
        Assert.That((int)response.StatusCode, Is.EqualTo(400).Or.EqualTo(409));
        Assert.That((await RunningServer.ErrorAsync(response)).GetProperty("param").GetString(), Is.EqualTo("name"));
    }

    [TestCase("", "Good morning.", "audio_sample")]
    [TestCase("no recording", "Good morning.", "audio_sample")]
    [TestCase("wav", "", "ref_text")]
    [TestCase("wav", "Good morning.", "consent")]
    public async Task What_is_missing_is_named(string sample, string transcript, string param)
    {
        byte[] bytes = sample == "wav" ? await RecordingAsync() : System.Text.Encoding.ASCII.GetBytes(sample);
        using HttpResponseMessage response = await UploadAsync("somebody", bytes, transcript, param == "consent" ? "no" : "yes");
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That((await RunningServer.ErrorAsync(response)).GetProperty("param").GetString(), Is.EqualTo(param));
    }

    [Test]
    public async Task A_recording_that_is_too_long_or_would_become_it_is_refused()
    {
        foreach ((int samples, int rate) in new[] { (70 * 8000, 8000), (50_000, 1) })
        {
            var file = new MemoryStream();
            new Waveform(new float[samples], rate).SaveWav(file);
            using HttpResponseMessage response = await UploadAsync("long", file.ToArray(), "Good morning.", "yes");
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
            await RunningServer.ErrorAsync(response);
        }
    }

    [TestCase("feminine", HttpStatusCode.Forbidden)]
    [TestCase("nobody", HttpStatusCode.NotFound)]
    [TestCase("..%2F..%2Fetc%2Fpasswd", HttpStatusCode.NotFound)]
    [TestCase("%2e%2e", HttpStatusCode.NotFound)]
    public async Task Only_what_was_uploaded_can_be_deleted(string name, HttpStatusCode expected)
    {
        using HttpResponseMessage response = await Server.Client.DeleteAsync($"v1/audio/voices/{name}");
        Assert.That(response.StatusCode, Is.EqualTo(expected).Or.EqualTo(HttpStatusCode.MethodNotAllowed));
        await RunningServer.ErrorAsync(response);
    }

    [Test]
    public async Task A_page_of_another_site_cannot_upload()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/audio/voices") { Content = Form("other", await RecordingAsync(), "Good morning.", "yes") };
        request.Headers.Add("Origin", "https://example.org");
        using HttpResponseMessage response = await Server.Client.SendAsync(request);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
        await RunningServer.ErrorAsync(response);
    }

    internal static async Task<byte[]> RecordingAsync()
    {
        using HttpResponseMessage response = await Server.PostAsync("v1/audio/speech", """{"input":"Good morning.","voice":"masculine","seed":1}""");
        return await response.Content.ReadAsByteArrayAsync();
    }

    private static Task<HttpResponseMessage> UploadAsync(string name, byte[] sample, string transcript, string consent) =>
        Server.Client.PostAsync("v1/audio/voices", Form(name, sample, transcript, consent));

    private static MultipartFormDataContent Form(string name, byte[] sample, string transcript, string consent) => new()
    {
        { new ByteArrayContent(sample), "audio_sample", "sample.wav" },
        { new StringContent(name), "name" },
        { new StringContent(transcript), "ref_text" },
        { new StringContent(consent), "consent" },
    };

    private static async Task<JsonElement> GetAsync(string path) => JsonElement.Parse(await Server.Client.GetStringAsync(path));
}
