using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Remote;

/// <summary>Addresses, retries, timeouts, cancellation, slow readers, registration.</summary>
internal sealed class RemoteTransportTests
{
    [TestCase("", "/v1/audio/speech"), TestCase("/", "/v1/audio/speech"), TestCase("/v1", "/v1/audio/speech"), TestCase("/v1/", "/v1/audio/speech"), TestCase("/a/b", "/a/b/v1/audio/speech"), TestCase("/a/v1", "/a/v1/audio/speech")]
    public async Task The_address_may_have_a_path(string path, string place)
    {
        using var server = new FakeServer(FakeAnswer.Bytes(Sound.Pcm));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.OpenAI, options => options.Endpoint = new Uri(server.Address, path));
        await client.GetAudioAsync("hi");
        Assert.That(server.Requests.Single().Line, Is.EqualTo($"POST {place} HTTP/1.1"));
    }

    [TestCase(429), TestCase(503)]
    public async Task A_server_that_says_when_to_come_again_is_asked_again(int status)
    {
        using var server = new FakeServer((_, i) => i < 2 ? Busy(status, "0") : FakeAnswer.Bytes(Sound.Pcm));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.OpenAI);
        TextToSpeechResponse response = await client.GetAudioAsync("hi");
        Assert.That(server.Requests, Has.Count.EqualTo(3));
        Assert.That(server.Requests.Select(request => Convert.ToHexString(request.Body)).Distinct().Count(), Is.EqualTo(1), "with the same request");
        Assert.That(response.Contents, Has.Count.EqualTo(1));
    }

    [TestCase(429, "0", 5, 4), TestCase(429, null, 1, 1), TestCase(429, "1000", 1, 1), TestCase(500, "0", 1, 1), TestCase(408, "0", 1, 1), TestCase(302, "0", 1, 1)]
    public void Else_its_answer_is_the_result(int status, string? retryAfter, int times, int requests)
    {
        using var server = new FakeServer((_, i) => i < times ? Busy(status, retryAfter) : FakeAnswer.Bytes(Sound.Pcm));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.OpenAI);
        HiggsAudioRemoteException? problem = Assert.ThrowsAsync<HiggsAudioRemoteException>(() => client.GetAudioAsync("hi"));
        Assert.That(problem!.StatusCode, Is.EqualTo((HttpStatusCode)status));
        Assert.That(problem.RetryAfter?.TotalSeconds.ToString("0", null), Is.EqualTo(retryAfter));
        Assert.That(server.Requests, Has.Count.EqualTo(requests));
    }

    [Test]
    public async Task What_could_not_connect_is_sent_again()
    {
        int port;
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }
        var nobody = new Uri($"http://127.0.0.1:{port}");
        using (var client = new HiggsAudioRemoteClient(new HiggsAudioRemoteOptions { Endpoint = nobody, MaxRetries = 1, MaxRetryDelay = TimeSpan.FromMilliseconds(1) }))
            Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("cannot be reached"));

        int attempts = 0;
        using var server = new FakeServer(FakeAnswer.Bytes(Sound.Pcm));
        using var http = new HttpClient(new Handler((request, send, cancellationToken) => ++attempts < 3
            ? throw new HttpRequestException(HttpRequestError.ConnectionError, "refused") : send(request, cancellationToken)));
        var options = new HiggsAudioRemoteOptions { Endpoint = server.Address, MaxRetryDelay = TimeSpan.FromMilliseconds(1) };
        using var again = new HiggsAudioRemoteClient(options, http);
        await again.GetAudioAsync("hi");
        Assert.That(attempts, Is.EqualTo(3));
    }

    [Test]
    public void What_was_lost_after_it_was_sent_is_not_sent_again()
    {
        int attempts = 0;
        using var http = new HttpClient(new Handler((_, _, _) => ++attempts > 0 ? throw new HttpRequestException(HttpRequestError.ResponseEnded, "gone") : null!));
        using var client = new HiggsAudioRemoteClient(new HiggsAudioRemoteOptions { Endpoint = new Uri("http://localhost") }, http);
        Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>());
        Assert.That(attempts, Is.EqualTo(1));
    }

    [Test]
    public void A_server_that_does_not_answer_or_falls_silent_is_left()
    {
        using var release = new CancellationTokenSource();
        using var silent = new FakeServer(new FakeAnswer { ContentType = "audio/mpeg", Pieces = [Sound.Pcm[..1000], Sound.Pcm], BeforePiece = i => i == 0 ? Task.CompletedTask : Forever(release.Token) });
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(silent, HiggsAudioServerDialect.BosonVllm, options => options.IdleTimeout = TimeSpan.FromMilliseconds(200));
        var heard = new List<DataContent>();
        Assert.That(async () =>
        {
            await foreach (TextToSpeechResponseUpdate update in client.GetStreamingAudioAsync("hi"))
                heard.AddRange(update.Contents.OfType<DataContent>());
        }, Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("silent"));
        Assert.That(heard, Is.Not.Empty);

        using var mute = new FakeServer((_, _) =>
        {
            release.Token.WaitHandle.WaitOne();
            return FakeAnswer.Bytes(Sound.Pcm);
        });
        using HiggsAudioRemoteClient waiting = RemoteSpeechTests.Client(mute, HiggsAudioServerDialect.BosonVllm, options => options.ResponseTimeout = TimeSpan.FromMilliseconds(200));
        Assert.That(() => waiting.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("did not answer"));
        Assert.That(mute.Requests, Has.Count.EqualTo(1), "it may have begun to work");
        release.Cancel();
    }

    [Test]
    public async Task Cancelling_and_leaving_the_loop_end_the_connection()
    {
        using var release = new CancellationTokenSource();
        using var server = new FakeServer(Endless(release.Token));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.BosonVllm);
        await foreach (TextToSpeechResponseUpdate _ in client.GetStreamingAudioAsync("hi"))
            break;
        using var cancellation = new CancellationTokenSource();
        Assert.That(async () =>
        {
            await foreach (TextToSpeechResponseUpdate _ in client.GetStreamingAudioAsync("hi", null, cancellation.Token))
                await cancellation.CancelAsync();
        }, Throws.InstanceOf<OperationCanceledException>());
        while (Volatile.Read(ref server.Aborted) < 2)
            await Task.Delay(5);
        await release.CancelAsync();
    }

    // The whole is not kept: the server cannot write on while nobody reads.
    [Test]
    public async Task A_slow_reader_makes_the_server_wait()
    {
        var answer = new FakeAnswer { ContentType = "audio/mpeg", Pieces = [.. Enumerable.Range(0, 1000).Select(_ => Sound.Pcm)] };   // 48 MB
        using var server = new FakeServer(answer);
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.BosonVllm);
        long heard = 0;
        await using IAsyncEnumerator<TextToSpeechResponseUpdate> call = client.GetStreamingAudioAsync("hi").GetAsyncEnumerator();
        Assert.That(await call.MoveNextAsync(), Is.True);
        heard += Bytes(call.Current);
        // Until it writes no more: what lies between are the buffers of the connection.
        for (long before = -1, now = 0; now != before; now = Interlocked.Read(ref server.Written))
        {
            before = now;
            await Task.Delay(200);
        }
        Assert.That(Interlocked.Read(ref server.Written), Is.LessThan(20_000_000));
        while (await call.MoveNextAsync())
            heard += Bytes(call.Current);
        Assert.That(heard, Is.EqualTo(48_000_000));

        static int Bytes(TextToSpeechResponseUpdate update) => update.Contents.OfType<DataContent>().Sum(piece => piece.Data.Length);
    }

    [Test]
    public void An_answer_that_is_too_long_is_refused()
    {
        using var server = new FakeServer((request, _) => request.Line.Contains("voices", StringComparison.Ordinal)
            ? FakeAnswer.Json("[\"" + new string('a', 20000) + "\"]")
            : request.Line.Contains("chat", StringComparison.Ordinal)
                ? FakeAnswer.Events(1000, "{\"choices\":\"" + new string('a', 20000) + "\"}")
                : FakeAnswer.Bytes(Sound.Pcm, "audio/mpeg", 1000));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.OpenAI, options => options.MaxResponseBytes = 10000);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(() => client.GetAudioAsync("hi"), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("10000"));
            Assert.That(() => client.GetVoicesAsync(), Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("10000"));
            Assert.That(async () =>
            {
                await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "hi")]))
                {
                }
            }, Throws.TypeOf<HiggsAudioRemoteException>().With.Message.Contains("10000"));
        }
    }

    [TestCase("""["ann","bob"]"""), TestCase("""{"voices":["ann","bob"]}"""), TestCase("""{"object":"list","data":[{"id":"ann"},{"name":"bob"}]}""")]
    public async Task Voices_are_listed(string json)
    {
        using var server = new FakeServer(FakeAnswer.Json(json));
        using HiggsAudioRemoteClient client = RemoteSpeechTests.Client(server, HiggsAudioServerDialect.BosonVllm);
        Assert.That(await client.GetVoicesAsync(), Is.EqualTo(new[] { "ann", "bob" }));
        Assert.That(server.Requests.Single().Line, Is.EqualTo("GET /v1/audio/voices HTTP/1.1"));
    }

    [Test]
    public async Task A_program_moves_by_its_configuration()
    {
        using var server = new FakeServer((request, _) => request.Line.Contains("health", StringComparison.Ordinal) ? FakeAnswer.Json("") : FakeAnswer.Bytes(Sound.Pcm));
        var values = new Dictionary<string, string?>
        {
            ["Endpoint"] = server.Address.ToString(),
            ["Dialect"] = "VllmOmni",
            ["Model"] = "m",
            ["ApiKey"] = "k",
            ["DefaultVoice"] = "v",
            ["ResponseTimeout"] = "00:00:50",
            ["IdleTimeout"] = "00:00:51",
            ["MaxRetries"] = "7",
            ["MaxRetryDelay"] = "00:00:52",
            ["MaxResponseBytes"] = "53000000",
        };
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(values).Build();
        IServiceCollection services = new ServiceCollection().AddLogging().AddHiggsAudioRemote(configuration).AddKeyedHiggsAudioRemote("other", configuration, options => options.Model = "n");
        services.AddHealthChecks().AddHiggsAudioRemote();
        await using ServiceProvider provider = services.BuildServiceProvider();
        HiggsAudioRemoteOptions bound = provider.GetRequiredService<IOptions<HiggsAudioRemoteOptions>>().Value;
        Assert.That((bound.Dialect, bound.MaxRetries, bound.MaxResponseBytes), Is.EqualTo((HiggsAudioServerDialect.VllmOmni, 7, 53000000)));
        Assert.That((bound.ResponseTimeout.Seconds, bound.IdleTimeout.Seconds, bound.MaxRetryDelay.Seconds), Is.EqualTo((50, 51, 52)));
        var speech = provider.GetRequiredService<ITextToSpeechClient>();
        Assert.That(speech, Is.SameAs(provider.GetRequiredService<IChatClient>()).And.SameAs(provider.GetRequiredService<HiggsAudioRemoteClient>()));
        await speech.GetAudioAsync("hi");
        await provider.GetRequiredKeyedService<ITextToSpeechClient>("other").GetAudioAsync("hi");
        string[] bodies = [.. server.Requests.Select(request => System.Text.Encoding.UTF8.GetString(request.Body))];
        Assert.That(bodies[0], Does.Contain("\"model\":\"m\"").And.Contain("\"voice\":\"v\""));
        Assert.That(bodies[1], Does.Contain("\"model\":\"n\""));
        Assert.That(server.Requests.First().Head, Does.Contain("Authorization: Bearer k"));
        HealthReport report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        Assert.That(report.Status, Is.EqualTo(HealthStatus.Healthy));
        server.Dispose();
        bound.MaxRetries = 0;
        Assert.That((await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Status, Is.EqualTo(HealthStatus.Unhealthy));
    }

    [TestCase("Endpoint", "not an address", "Endpoint"), TestCase("Endpoint", null, "Endpoint"), TestCase("Endpoint", "ftp://host", "Endpoint"), TestCase("MaxRetries", "11", "MaxRetries"), TestCase("Model", "", "Model"), TestCase("IdleTimeout", "00:00:00", "IdleTimeout")]
    public void A_wrong_value_is_named_at_the_start(string key, string? value, string named)
    {
        var values = new Dictionary<string, string?> { ["Endpoint"] = "http://localhost", [key] = value };
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddHiggsAudioRemote(new ConfigurationBuilder().AddInMemoryCollection(values).Build());
        using IHost host = builder.Build();
        Assert.That(() => host.StartAsync(), Throws.TypeOf<OptionsValidationException>().With.Message.Contains(named));
    }

    [Test]
    public void Services()
    {
        using var client = new HiggsAudioRemoteClient(new HiggsAudioRemoteOptions { Endpoint = new Uri("http://gpu:8000") });
        Assert.That(client.GetService(typeof(TextToSpeechClientMetadata)), Has.Property("ProviderUri").EqualTo(new Uri("http://gpu:8000")));
        Assert.That(client.GetService(typeof(ChatClientMetadata)), Has.Property("DefaultModelId").EqualTo("higgs-audio-v2-generation-3B-base"));
        Assert.That(client.GetService(typeof(IChatClient)), Is.SameAs(client));
        Assert.That(client.GetService(typeof(IChatClient), "key"), Is.Null);
        Assert.That(() => new HiggsAudioRemoteClient(new HiggsAudioRemoteOptions()), Throws.ArgumentException.With.Message.Contains("Endpoint"));
    }

    private static FakeAnswer Busy(int status, string? retryAfter) => new()
    {
        Status = status,
        Pieces = [[.. "{\"error\":{\"message\":\"busy\"}}"u8]],
        Headers = retryAfter is null ? [] : new Dictionary<string, string> { ["Retry-After"] = retryAfter },
    };

    private static FakeAnswer Endless(CancellationToken end) => new()
    {
        ContentType = "audio/mpeg",
        Pieces = [.. Enumerable.Range(0, 1_000_000).Select(_ => Sound.Pcm)],
        BeforePiece = async _ =>
        {
            await Task.Delay(5, CancellationToken.None);
            if (end.IsCancellationRequested)
                throw new IOException("ended by the test");
        },
    };

    private static async Task Forever(CancellationToken end)
    {
        try
        {
            await Task.Delay(Timeout.Infinite, end);
        }
        catch (OperationCanceledException)
        {
            throw new IOException("ended by the test");
        }
    }

    private sealed class Handler(Func<HttpRequestMessage, Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>>, CancellationToken, Task<HttpResponseMessage>> send)
        : DelegatingHandler(new SocketsHttpHandler())
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => send(request, base.SendAsync, cancellationToken);
    }
}
