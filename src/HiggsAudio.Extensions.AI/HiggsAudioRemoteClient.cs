using System.Runtime.CompilerServices;
using System.Text.Json;
using HiggsAudio.Extensions.AI.Remote;
using HiggsAudio.Extensions.AI.Speech;
using HiggsAudio.Extensions.AI.Telemetry;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace HiggsAudio.Extensions.AI;

/// <summary>
/// Speaks and answers with a server: the same interfaces as <see cref="HiggsAudioTextToSpeechClient"/> and <see cref="HiggsAudioChatClient"/>, so that a program moves
/// from its own processor to a cluster by its configuration. Thread-safe.
/// <list type="bullet">
/// <item>Samples are asked for always; formats, speed, pitch and volume are made here: half of the servers ignore or refuse them.</item>
/// <item><see cref="TextToSpeechOptions.RawRepresentationFactory"/> may give <see cref="HiggsAudioRemoteSpeechOptions"/>, that of <see cref="ChatOptions"/>
/// <see cref="HiggsAudioChatOptions"/> (whose sampling is sent).</item>
/// <item><see cref="TextToSpeechOptions.AdditionalProperties"/>: <c>temperature</c>, <c>top_p</c>, <c>top_k</c>, <c>seed</c>, <c>max_tokens</c>.</item>
/// </list>
/// </summary>
public sealed class HiggsAudioRemoteClient : ITextToSpeechClient, IChatClient
{
    private const int MostVoices = 10_000;
    private readonly HiggsAudioRemoteOptions _options;
    private readonly RemoteTransport _transport;
    private readonly RemoteSpeech _speech;
    private readonly RemoteChat _chat;
    private readonly ILogger _logger;
    private readonly string _providerName;

    /// <param name="options">Where the server is. They must not change afterwards.</param>
    /// <param name="httpClient">Sends the requests, and stays the caller's; null for one of the client's own.</param>
    /// <param name="logger">Told of calls; null for nobody.</param>
    /// <exception cref="ArgumentException">An option is not valid.</exception>
    public HiggsAudioRemoteClient(HiggsAudioRemoteOptions options, HttpClient? httpClient = null, ILogger<HiggsAudioRemoteClient>? logger = null)
        : this(options, httpClient, logger, null)
    {
    }

    internal HiggsAudioRemoteClient(HiggsAudioRemoteOptions options, HttpClient? httpClient, ILogger<HiggsAudioRemoteClient>? logger, TimeProvider? time)
    {
        ArgumentNullException.ThrowIfNull(options);
        string problems = string.Join(" ", options.Problems());
        if (problems.Length > 0)
            throw new ArgumentException(problems, nameof(options));
        (_options, _logger) = (options, logger ?? NullLogger<HiggsAudioRemoteClient>.Instance);
        _transport = new RemoteTransport(options, httpClient, _logger, time);
        (_speech, _chat) = (new RemoteSpeech(_transport, options), new RemoteChat(_transport, options));
        _providerName = options.Dialect == HiggsAudioServerDialect.OpenAI ? "openai" : HiggsAudioTelemetry.ProviderName;
    }

    /// <summary>Speaks a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="options">How; null for the defaults. They are not changed.</param>
    /// <param name="cancellationToken">Ends the work, at the server too.</param>
    /// <exception cref="ArgumentException">The text is empty, or an option is not valid.</exception>
    /// <exception cref="NotSupportedException">The format is not supported, or the server cannot do what is asked.</exception>
    /// <exception cref="HiggsAudioRemoteException">The server refused, failed, cannot be reached, or answered what is not understood.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public async Task<TextToSpeechResponse> GetAudioAsync(string text, TextToSpeechOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        var call = SpeechCall.From(options, streaming: false);
        SpeechRequest request = _speech.Request(text, options, options?.RawRepresentationFactory?.Invoke(this) as HiggsAudioRemoteSpeechOptions, streaming: false);
        using Operation operation = Begin("generate_content", "speech");
        try
        {
            var sound = new WholeSound(call);
            UsageDetails? usage = null;
            await foreach (SpeechPiece piece in _speech.SpeakAsync(request, cancellationToken).ConfigureAwait(false))
            {
                usage = piece.Usage ?? usage;
                if (!sound.TryAdd(piece.Samples, piece.SamplingRate, _options.MaxResponseBytes))
                    throw _transport.TooLong();
            }
            DataContent content = sound.ToContent() ?? throw new HiggsAudioRemoteException("The server answered without sound.");
            operation.Complete(usage, null, sound.SourceSeconds);
            return new TextToSpeechResponse([content]) { ResponseId = operation.Id, ModelId = _options.Model, Usage = usage };
        }
        catch (Exception problem)
        {
            operation.Fail(problem, _logger);
            throw;
        }
    }

    /// <summary>Speaks a text piece by piece, with the sound as it comes. If the caller reads slowly nothing is kept here: the server waits.</summary>
    /// <inheritdoc cref="GetAudioAsync"/>
    public IAsyncEnumerable<TextToSpeechResponseUpdate> GetStreamingAudioAsync(string text, TextToSpeechOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        var call = SpeechCall.From(options, streaming: true);
        SpeechRequest request = _speech.Request(text, options, options?.RawRepresentationFactory?.Invoke(this) as HiggsAudioRemoteSpeechOptions, streaming: true);
        return StreamAsync(request, call, cancellationToken);
    }

    /// <summary>Gives the whole answer to a conversation.</summary>
    /// <param name="messages">The conversation, of text and audio.</param>
    /// <param name="options">How; null for the defaults. They are not changed.</param>
    /// <param name="cancellationToken">Ends the work, at the server too.</param>
    /// <inheritdoc cref="GetAudioAsync" path="/exception"/>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ChatRequest request = _chat.Request(messages, options, Raw(options), streaming: false);
        using Operation operation = Begin("chat", null);
        try
        {
            ChatResponse response = await _chat.AnswerAsync(request, cancellationToken).ConfigureAwait(false);
            operation.Complete(response.Usage, response.FinishReason?.Value, 0);
            return response;
        }
        catch (Exception problem)
        {
            operation.Fail(problem, _logger);
            throw;
        }
    }

    /// <summary>Gives the answer to a conversation piece by piece: sound as samples, <c>audio/l16;rate=24000;channels=1</c>.</summary>
    /// <inheritdoc cref="GetResponseAsync"/>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return StreamAsync(_chat.Request(messages, options, Raw(options), streaming: true), cancellationToken);
    }

    /// <summary>The names of the server's voices (<c>GET /v1/audio/voices</c>).</summary>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <inheritdoc cref="GetAudioAsync" path="/exception[contains(@cref,'Remote') or contains(@cref,'Canceled')]"/>
    public async Task<IReadOnlyList<string>> GetVoicesAsync(CancellationToken cancellationToken = default)
    {
        using HttpResponseMessage response = await _transport.GetAsync("audio/voices", fromRoot: false, cancellationToken).ConfigureAwait(false);
        using JsonDocument json = RemoteSpeech.Json(await _transport.ReadWholeAsync(response, cancellationToken).ConfigureAwait(false));
        JsonElement list = json.RootElement;
        foreach (string member in (ReadOnlySpan<string>)["voices", "data"])
            if (list.ValueKind == JsonValueKind.Object && list.TryGetProperty(member, out JsonElement inner))
                list = inner;
        if (list.ValueKind != JsonValueKind.Array)
            throw new HiggsAudioRemoteException("The server's list of voices is not understood.");
        return [.. list.EnumerateArray().Take(MostVoices).Select(voice => voice.ValueKind == JsonValueKind.String
            ? voice.GetString()
            : RemoteReading.String(voice, "name") ?? RemoteReading.String(voice, "id")).OfType<string>()];
    }

    /// <summary>Whether the server says that it is well (<c>GET /health</c>).</summary>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <inheritdoc cref="GetAudioAsync" path="/exception[contains(@cref,'Remote') or contains(@cref,'Canceled')]"/>
    public async Task CheckHealthAsync(CancellationToken cancellationToken = default) =>
        (await _transport.GetAsync("health", fromRoot: true, cancellationToken).ConfigureAwait(false)).Dispose();

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(TextToSpeechClientMetadata) ? new TextToSpeechClientMetadata(_providerName, _options.Endpoint, _options.Model)
            : serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata(_providerName, _options.Endpoint, _options.Model)
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>Disposes the client of HTTP, if it is the client's own.</summary>
    public void Dispose() => _transport.Dispose();

    private async IAsyncEnumerable<TextToSpeechResponseUpdate> StreamAsync(SpeechRequest request, SpeechCall call,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using Operation operation = Begin("generate_content", "speech");
        var sound = new StreamedSound(call);
        UsageDetails? usage = null;
        await foreach (SpeechPiece piece in operation.WatchAsync(_speech.SpeakAsync(request, cancellationToken), _logger).ConfigureAwait(false))
        {
            usage = piece.Usage ?? usage;
            if (sound.Add(piece.Samples, piece.SamplingRate) is not { } content)
                continue;
            operation.FirstAudio();
            yield return Update(TextToSpeechResponseUpdateKind.AudioUpdating, content);
        }
        if (sound.Complete() is { } rest)
            yield return Update(TextToSpeechResponseUpdateKind.AudioUpdating, rest);
        operation.Complete(usage, null, sound.SourceSeconds);
        yield return usage is null ? Update(TextToSpeechResponseUpdateKind.SessionClose) : Update(TextToSpeechResponseUpdateKind.SessionClose, new UsageContent(usage));

        TextToSpeechResponseUpdate Update(TextToSpeechResponseUpdateKind kind, params IList<AIContent> contents) => new(contents)
        {
            Kind = kind,
            ResponseId = operation.Id,
            ModelId = _options.Model,
        };
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(ChatRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using Operation operation = Begin("chat", null);
        UsageDetails? usage = null;
        string? reason = null;
        await foreach (ChatResponseUpdate update in operation.WatchAsync(_chat.StreamAsync(request, cancellationToken), _logger).ConfigureAwait(false))
        {
            usage = update.Contents.OfType<UsageContent>().LastOrDefault()?.Details ?? usage;
            reason = update.FinishReason?.Value ?? reason;
            if (update.Contents.Any(content => content is DataContent))
                operation.FirstAudio();
            yield return update;
        }
        operation.Complete(usage, reason, 0);
    }

    private Operation Begin(string name, string? outputType) => Operation.Start(name, _providerName, _options.Model, _options.Endpoint, outputType);

    private HiggsAudioChatOptions? Raw(ChatOptions? options) => options?.RawRepresentationFactory?.Invoke(this) switch
    {
        HiggsAudioChatOptions raw => raw,
        GenerationOptions generation => new HiggsAudioChatOptions { Generation = generation },
        _ => null,
    };
}
