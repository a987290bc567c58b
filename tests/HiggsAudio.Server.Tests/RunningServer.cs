using System.Net.Http.Json;
using System.Text.Json;
using HiggsAudio.Server.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

/// <summary>A server in this process on a free port of the loopback interface, with the nano voice.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly ErrorLog _log;

    private RunningServer(WebApplication app, ErrorLog log)
    {
        (App, _log) = (app, log);
        Address = new Uri(app.Urls.Single() + "/");
        Client = new HttpClient { BaseAddress = Address, Timeout = Timeout.InfiniteTimeSpan };
    }

    public WebApplication App { get; }

    public Uri Address { get; }

    public HttpClient Client { get; }

    public HiggsAudioServeEngine Engine => App.Services.GetRequiredService<HiggsAudioServeEngine>();

    public string VoiceFolder => App.Services.GetRequiredService<VoiceLibrary>().Folder;

    /// <summary>What the server logged as an error.</summary>
    public IReadOnlyCollection<string> Errors => _log.Errors;

    /// <summary>Starts a server.</summary>
    /// <param name="settings">Such as <c>HiggsAudio:Limits:BodyBytes=1000</c>.</param>
    public static async Task<RunningServer> StartAsync(params string[] settings)
    {
        var log = new ErrorLog();
        WebApplication app = ServerApp.Build([.. settings.Select(setting => "--" + setting), "--Urls=http://127.0.0.1:0"], builder =>
        {
            builder.Logging.ClearProviders();
            builder.Logging.AddProvider(log);
        });
        await app.StartAsync();
        return new RunningServer(app, log);
    }

    /// <summary>Posts JSON as it is.</summary>
    public Task<HttpResponseMessage> PostAsync(string path, string json, HttpCompletionOption completion = HttpCompletionOption.ResponseContentRead, CancellationToken cancellationToken = default) =>
        Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json") }, completion, cancellationToken);

    /// <summary>The error of an answer, in the one shape that there is.</summary>
    public static async Task<JsonElement> ErrorAsync(HttpResponseMessage response, string described = "")
    {
        string body = await response.Content.ReadAsStringAsync();
        Assert.That(response.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/json"), $"{described}: {(int)response.StatusCode} {body}");
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.That(error.EnumerateObject().Select(member => member.Name), Is.EquivalentTo(new[] { "message", "type", "param", "code" }));
        Assert.That(error.GetProperty("message").GetString(), Is.Not.Empty);
        return error;
    }

    /// <summary>Waits until nothing is computed any more.</summary>
    public async Task IdleAsync()
    {
        Admission admission = App.Services.GetRequiredService<Admission>();   // a text is several requests to the engine, one after the other
        while (admission.Active + admission.Queued + Engine.ActiveRequests + Engine.WaitingRequests > 0)
            await Task.Delay(20);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
    }

    private sealed class ErrorLog : ILoggerProvider, ILogger
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _errors = [];

        public IReadOnlyCollection<string> Errors => _errors;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                _errors.Enqueue($"{formatter(state, exception)} {exception}");
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>The server that tests share which need no settings of their own.</summary>
[SetUpFixture]
internal sealed class SharedServer
{
    private static RunningServer? _server;

    public static RunningServer Server => _server!;

    [OneTimeSetUp]
    public async Task StartAsync() => _server = await RunningServer.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _server!.DisposeAsync();
}
