using System.Diagnostics;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

/// <summary>The examples of docs/serving.md, with curl.</summary>
internal sealed class CurlTests
{
    private string _folder = "";

    [OneTimeSetUp]
    public void NeedsCurl()
    {
        try
        {
            using Process? curl = Process.Start(new ProcessStartInfo("curl", "--version") { RedirectStandardOutput = true });
            curl!.WaitForExit();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore("curl is not installed.");
        }
        _folder = Directory.CreateTempSubdirectory("curl").FullName;
    }

    [OneTimeTearDown]
    public void Remove()
    {
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public async Task A_file_a_stream_and_a_voice()
    {
        string wav = Path.Combine(_folder, "speech.wav"), pcm = Path.Combine(_folder, "speech.pcm");
        await CurlAsync("v1/audio/speech", "-H", "Content-Type: application/json", "-d", """{"input":"Good morning.","voice":"feminine"}""", "-o", wav);
        await CurlAsync("v1/audio/speech", "-N", "-H", "Content-Type: application/json", "-d", """{"input":"Good morning.","response_format":"pcm"}""", "-o", pcm);
        string events = await CurlAsync("v1/audio/speech", "-N", "-H", "Content-Type: application/json", "-d", """{"input":"Good morning.","response_format":"pcm","stream_format":"sse"}""");
        string uploaded = await CurlAsync("v1/audio/voices", "-F", $"audio_sample=@{wav}", "-F", "name=curl", "-F", "ref_text=Good morning.", "-F", "consent=signed on paper");
        string deleted = await CurlAsync("v1/audio/voices/curl", "-X", "DELETE");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Waveform.Load(wav).Duration.TotalSeconds, Is.InRange(0.4, 5));
            Assert.That(new FileInfo(pcm).Length, Is.InRange(20_000, 240_000));
            Assert.That(events, Does.StartWith("event: speech.audio.delta\ndata: {"));
            Assert.That(events, Does.Contain("event: speech.audio.done\n"));
            Assert.That(uploaded, Does.Contain("\"success\":true"));
            Assert.That(deleted, Does.Contain("\"success\":true"));
        }
    }

    [Test]
    public async Task Chat_ends_with_done() =>
        Assert.That(await CurlAsync("v1/chat/completions", "-N", "-H", "Content-Type: application/json", "-d",
            """{"messages":[{"role":"user","content":"Good morning."}],"modalities":["text","audio"],"stream":true}"""), Does.EndWith("data: [DONE]\n\n"));

    private static async Task<string> CurlAsync(string path, params string[] arguments)
    {
        using Process curl = Process.Start(new ProcessStartInfo("curl", [new Uri(SharedServer.Server.Address, path).ToString(), "--silent", "--show-error", "--fail-with-body", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        string output = await curl.StandardOutput.ReadToEndAsync(), errors = await curl.StandardError.ReadToEndAsync();
        await curl.WaitForExitAsync();
        Assert.That(curl.ExitCode, Is.Zero, output + errors);
        return output;
    }
}
