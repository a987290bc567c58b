using System.Net;
using System.Net.Sockets;
using System.Text;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

/// <summary>Many at once, and readers that read slowly, leave, or close half of the connection.</summary>
[NonParallelizable]
internal sealed class LoadTests
{
    private static readonly string LongText = string.Join(' ', Enumerable.Repeat("The weather is cold and rainy today.", 60));

    [Test]
    public async Task Of_64_streams_at_once_each_ends_or_is_refused_and_memory_returns()
    {
        await using RunningServer server = await RunningServer.StartAsync("HiggsAudio:Limits:ConcurrentRequests=8", "HiggsAudio:Limits:QueuedRequests=24");
        await RoundAsync(server);
        long before = Memory();
        int finished = await RoundAsync(server) + await RoundAsync(server);
        long grown = Memory() - before;
        TestContext.Out.WriteLine($"{finished} of 128 finished, the others were refused; {grown / 1024} KiB more in use after them");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(finished, Is.GreaterThanOrEqualTo(64), "8 are computed and 24 wait, each time");
            Assert.That(server.Engine.KvCacheBytesInUse, Is.Zero);
            Assert.That(grown, Is.LessThan(16 << 20));
            Assert.That(server.Errors, Is.Empty);
        }
    }

    [Test]
    public async Task A_reader_who_leaves_ends_the_work()
    {
        RunningServer server = SharedServer.Server;
        foreach (string path in new[] { "v1/audio/speech", "v1/chat/completions" })
        {
            string request = path.Contains("chat", StringComparison.Ordinal)
                ? """{"messages":[{"role":"user","content":"The weather is cold and rainy today."}],"modalities":["audio"],"stream":true,"temperature":1.5}"""
                : $$"""{"input":"{{LongText}}","response_format":"pcm"}""";
            using (HttpResponseMessage response = await server.PostAsync(path, request, HttpCompletionOption.ResponseHeadersRead))
            {
                Stream stream = await response.Content.ReadAsStreamAsync();
                Assert.That(await stream.ReadAsync(new byte[100]), Is.GreaterThan(0));
            }
            await server.IdleAsync();   // else this does not end
        }
        Assert.That(server.Errors, Is.Empty);
    }

    [Test]
    public async Task A_reader_who_does_not_read_is_cut_off()
    {
        await using RunningServer server = await RunningServer.StartAsync("HiggsAudio:Limits:ReaderBytesPerSecond=100000000");
        using Socket socket = await ConnectAsync(server, receiveBuffer: 4096);
        await SendAsync(socket, $$"""{"input":"{{LongText}}","response_format":"pcm"}""");
        Assert.That(await socket.ReceiveAsync(new byte[64]), Is.GreaterThan(0));
        await server.IdleAsync();   // else this does not end
        Assert.That(await server.Client.GetStringAsync("metrics"), Does.Contain("higgs_audio_requests_total{endpoint=\"speech\",outcome=\"failed\"} 1"));
        Assert.That(server.Errors, Is.Empty);
    }

    [Test]
    public async Task Half_a_connection_is_not_waited_for()
    {
        RunningServer server = SharedServer.Server;
        for (int i = 0; i < 8; i++)
        {
            using Socket socket = await ConnectAsync(server);
            await SendAsync(socket, """{"input":"Good morning.","response_format":"pcm"}""");
            socket.Shutdown(SocketShutdown.Send);
            var buffer = new byte[65536];
            try
            {
                while (await socket.ReceiveAsync(buffer) > 0)
                {
                }
            }
            catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
            {
                // The server may see the end of the requests as the reader's leaving.
            }
        }
        await server.IdleAsync();
        Assert.That(server.Errors, Is.Empty);
    }

    [Test]
    public async Task When_it_stops_what_runs_is_finished()
    {
        RunningServer server = await RunningServer.StartAsync();
        string request = $$"""{"input":"{{LongText[..150]}}","response_format":"pcm","seed":1}""";
        using HttpResponseMessage whole = await server.PostAsync("v1/audio/speech", request);
        using HttpResponseMessage response = await server.PostAsync("v1/audio/speech", request, HttpCompletionOption.ResponseHeadersRead);
        Task stopping = server.App.StopAsync();
        byte[] sound = await response.Content.ReadAsByteArrayAsync();
        await stopping;
        Assert.That(sound, Is.EqualTo(await whole.Content.ReadAsByteArrayAsync()));
        Assert.That(() => server.Client.GetAsync("health"), Throws.InstanceOf<HttpRequestException>());
        await server.DisposeAsync();
    }

    [Test]
    public async Task When_its_time_is_up_readers_are_told()
    {
        RunningServer server = await RunningServer.StartAsync("HiggsAudio:Limits:ShutdownSeconds=0");
        using HttpResponseMessage events = await server.PostAsync("v1/audio/speech", $$"""{"input":"{{LongText}}","stream_format":"sse"}""", HttpCompletionOption.ResponseHeadersRead);
        using HttpResponseMessage bytes = await server.PostAsync("v1/audio/speech", $$"""{"input":"{{LongText}}","response_format":"pcm"}""", HttpCompletionOption.ResponseHeadersRead);
        Task stopping = server.App.StopAsync();
        Assert.That(async () => await bytes.Content.ReadAsByteArrayAsync(), Throws.InstanceOf<IOException>().Or.InstanceOf<HttpRequestException>(), "a cut answer does not look like a whole one");
        using var text = new StringBuilderStream();
        try
        {
            await events.Content.CopyToAsync(text);
        }
        catch (Exception cut) when (cut is IOException or HttpRequestException)
        {
            // After the event the connection is closed.
        }
        await stopping;
        Assert.That(text.ToString(), Does.Contain("event: speech.audio.error").And.Contain("server_stopping"));
        await server.DisposeAsync();
    }

    // Returns how many finished.
    private static async Task<int> RoundAsync(RunningServer server)
    {
        string[] requests =
        [
            """{"input":"Good morning.","response_format":"pcm","max_tokens":60,"seed":3}""",
            """{"input":"Thank you.","stream_format":"sse","voice":"masculine","max_tokens":60,"seed":3}""",
        ];
        HttpStatusCode[] codes = await Task.WhenAll(Enumerable.Range(0, 64).Select(async i =>
        {
            using HttpResponseMessage response = await server.PostAsync("v1/audio/speech", requests[i % 2]);
            byte[] body = await response.Content.ReadAsByteArrayAsync();
            if (response.StatusCode == HttpStatusCode.TooManyRequests)
            {
                Assert.That(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, Is.InRange(1, 60));
                Assert.That((await RunningServer.ErrorAsync(response)).GetProperty("code").GetString(), Is.EqualTo("rate_limit_exceeded"));
            }
            else
                Assert.That(i % 2 == 0 ? body.Length : Encoding.UTF8.GetString(body).IndexOf("event: speech.audio.done", StringComparison.Ordinal), Is.GreaterThan(10_000));
            return response.StatusCode;
        }));
        await server.IdleAsync();
        Assert.That(codes, Is.All.EqualTo(HttpStatusCode.OK).Or.EqualTo(HttpStatusCode.TooManyRequests));
        return codes.Count(code => code == HttpStatusCode.OK);
    }

    private static long Memory()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static async Task<Socket> ConnectAsync(RunningServer server, int? receiveBuffer = null)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer is { } bytes)
            socket.ReceiveBufferSize = bytes;
        await socket.ConnectAsync(server.Address.Host, server.Address.Port);
        return socket;
    }

    private static async Task SendAsync(Socket socket, string body) => await socket.SendAsync(Encoding.UTF8.GetBytes(
        $"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}"));

    private sealed class StringBuilderStream : MemoryStream
    {
        public override string ToString() => Encoding.UTF8.GetString(ToArray());
    }
}
