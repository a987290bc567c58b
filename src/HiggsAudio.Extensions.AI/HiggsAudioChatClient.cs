using System.Runtime.CompilerServices;
using HiggsAudio.Extensions.AI.Chat;
using HiggsAudio.Extensions.AI.Speech;
using HiggsAudio.Extensions.AI.Telemetry;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using MeaiText = Microsoft.Extensions.AI.TextContent;

namespace HiggsAudio.Extensions.AI;

/// <summary>
/// Goes on with conversations of text and audio with an engine of this program. Thread-safe: all calls are computed together, and what
/// conversations have in common is computed once.
/// <list type="bullet">
/// <item>In: text, and audio as <see cref="DataContent"/> (<c>audio/wav</c>, or <c>audio/l16;rate=…</c>: 16-bit mono samples, little-endian). In an assistant's
/// message it is what that voice said, in a user's it is listened to. What this client has made is not encoded again.</item>
/// <item>Out: text and audio in the order in which the model made them; audio is wav, and pcm where the answer is streamed.</item>
/// <item><see cref="ChatOptions.Instructions"/> go before the system message's text. <see cref="ChatOptions.Temperature"/>, <see cref="ChatOptions.TopP"/>,
/// <see cref="ChatOptions.TopK"/>, <see cref="ChatOptions.Seed"/>, <see cref="ChatOptions.MaxOutputTokens"/> are those of <see cref="GenerationOptions"/>;
/// <see cref="ChatOptions.StopSequences"/> are added to its stop strings.</item>
/// <item><see cref="ChatOptions.RawRepresentationFactory"/> may give <see cref="HiggsAudioChatOptions"/> or <see cref="GenerationOptions"/>.</item>
/// <item>Tools, structured answers and conversations that a service keeps are refused; the model has none.</item>
/// </list>
/// </summary>
public sealed class HiggsAudioChatClient : IChatClient
{
    private const string OperationName = "chat";

    private readonly HiggsAudioEngineProvider _provider;
    private readonly bool _ownsProvider;
    private readonly ILogger _logger;
    private readonly ChatClientMetadata _metadata;

    /// <param name="engine">The engine.</param>
    /// <param name="options">Queue and defaults; what says how to load has no effect. Null for the defaults.</param>
    /// <param name="ownsEngine">Whether the engine is disposed with the client.</param>
    /// <param name="logger">Told of calls; null for nobody.</param>
    public HiggsAudioChatClient(HiggsAudioServeEngine engine, HiggsAudioOptions? options = null, bool ownsEngine = false, ILogger<HiggsAudioChatClient>? logger = null)
        : this(new HiggsAudioEngineProvider(engine ?? throw new ArgumentNullException(nameof(engine)), options ?? new HiggsAudioOptions(), ownsEngine), logger) =>
        _ownsProvider = true;

    /// <param name="provider">Has the engine; it is not disposed with the client.</param>
    /// <param name="logger">Told of calls; null for nobody.</param>
    public HiggsAudioChatClient(HiggsAudioEngineProvider provider, ILogger<HiggsAudioChatClient>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(provider);
        (_provider, _logger) = (provider, logger ?? NullLogger<HiggsAudioChatClient>.Instance);
        _metadata = new ChatClientMetadata(HiggsAudioTelemetry.ProviderName, null, provider.Options.EffectiveModelId);
    }

    /// <summary>Gives the whole answer.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="options">How; null for the defaults. They are not changed.</param>
    /// <param name="cancellationToken">Ends the work within one step of the model.</param>
    /// <exception cref="ArgumentException">The conversation or an option is not valid.</exception>
    /// <exception cref="ContextLengthException">The conversation is too long.</exception>
    /// <exception cref="AudioFormatException">An audio file is broken.</exception>
    /// <exception cref="NotSupportedException">The conversation or the options want what the model has not.</exception>
    /// <exception cref="EngineBusyException">The queue is full, or there is no memory for the request.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ChatMLSample sample = Prepare(messages, options);
        (GenerationOptions generation, HiggsAudioChatOptions raw) = Generation(options);
        SpeechCall call = SoundOf(raw, streaming: false);
        using Admission.Entry entry = _provider.Admission.Enter();
        using Operation operation = Begin();
        try
        {
            HiggsAudioServeEngine engine = await _provider.GetEngineAsync(cancellationToken).ConfigureAwait(false);
            var answer = new ChatAnswer(engine, call with { Format = call.Format with { IsWav = false } });
            var contents = new List<AIContent>();
            await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(sample, generation, WholeAnswer, cancellationToken).ConfigureAwait(false))
                contents.AddRange(answer.Add(delta));
            operation.Complete(answer.Usage, answer.FinishReason.ToString(), answer.SoundSeconds);
            Log.Spoke(_logger, operation.Id, answer.SoundSeconds, operation.Elapsed.TotalSeconds, answer.FinishReason!.Value);
            return new ChatResponse(new ChatMessage(ChatRole.Assistant, Joined(contents, call, engine.SamplingRate)) { MessageId = operation.Id })
            {
                ResponseId = operation.Id,
                ModelId = _provider.Options.EffectiveModelId,
                CreatedAt = DateTimeOffset.UtcNow,
                FinishReason = answer.FinishReason.Value.ToChat(),
                Usage = answer.Usage,
                AdditionalProperties = new AdditionalPropertiesDictionary { [FinishReasons.Property] = answer.FinishReason.ToString() },
            };
        }
        catch (Exception problem)
        {
            operation.Fail(problem, _logger);
            throw;
        }
    }

    /// <summary>
    /// Gives the answer piece by piece. If the caller reads slowly the model waits; leaving the loop ends the work. The last update has the reason and the usage.
    /// </summary>
    /// <inheritdoc cref="GetResponseAsync"/>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ChatMLSample sample = Prepare(messages, options);
        (GenerationOptions generation, HiggsAudioChatOptions raw) = Generation(options);
        return StreamAsync(sample, generation, raw.Streaming, SoundOf(raw, streaming: true), cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType == typeof(HiggsAudioServeEngine) ? _provider.Engine
            : serviceType == typeof(HiggsAudioEngineProvider) ? _provider
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>Disposes the engine, if it was handed over. Clients from services own nothing.</summary>
    public void Dispose()
    {
        if (_ownsProvider)
            _provider.Dispose();
    }

    private static StreamOptions WholeAnswer { get; } = new()
    {
        Sound = new CodecStreamOptions { FirstChunkFrames = 150, ChunkFrames = 150 },
        MaxUnreadSteps = int.MaxValue,
    };

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(ChatMLSample sample, GenerationOptions generation, StreamOptions streaming, SpeechCall call,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using Admission.Entry entry = _provider.Admission.Enter();
        using Operation operation = Begin();
        ChatAnswer? answer = null;
        await foreach (HiggsAudioStreamerDelta delta in operation.WatchAsync(DeltasAsync(sample, generation, streaming, cancellationToken), _logger).ConfigureAwait(false))
        {
            answer ??= new ChatAnswer(_provider.Engine!, call);
            foreach (AIContent content in answer.Add(delta))
            {
                if (content is DataContent)
                    operation.FirstAudio();
                yield return Update([content], delta);
            }
        }
        operation.Complete(answer!.Usage, answer.FinishReason.ToString(), answer.SoundSeconds);
        Log.Spoke(_logger, operation.Id, answer.SoundSeconds, operation.Elapsed.TotalSeconds, answer.FinishReason!.Value);
        ChatResponseUpdate last = Update([new UsageContent(answer.Usage!)], null);
        last.FinishReason = answer.FinishReason.Value.ToChat();
        last.AdditionalProperties = new AdditionalPropertiesDictionary { [FinishReasons.Property] = answer.FinishReason.ToString() };
        yield return last;

        ChatResponseUpdate Update(IList<AIContent> contents, object? raw) => new(ChatRole.Assistant, contents)
        {
            ResponseId = operation.Id,
            MessageId = operation.Id,
            ModelId = _provider.Options.EffectiveModelId,
            CreatedAt = DateTimeOffset.UtcNow,
            RawRepresentation = raw,
        };
    }

    private async IAsyncEnumerable<HiggsAudioStreamerDelta> DeltasAsync(ChatMLSample sample, GenerationOptions generation, StreamOptions streaming,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        HiggsAudioServeEngine engine = await _provider.GetEngineAsync(cancellationToken).ConfigureAwait(false);
        await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(sample, generation, streaming, cancellationToken).ConfigureAwait(false))
            yield return delta;
    }

    private Operation Begin() => Operation.Start(OperationName, HiggsAudioTelemetry.ProviderName, _provider.Options.EffectiveModelId, server: null);

    private static ChatMLSample Prepare(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        if (options?.Tools is { Count: > 0 })
            throw new NotSupportedException("The model calls no tools.");
        if (options?.ResponseFormat is not (null or ChatResponseFormatText))
            throw new NotSupportedException("The model does not answer in a given structure.");
        if (options?.ConversationId is not null)
            throw new NotSupportedException("Conversations are not kept here: send all messages.");
        return ChatMessages.ToSample(messages, options?.Instructions);
    }

    private (GenerationOptions Generation, HiggsAudioChatOptions Raw) Generation(ChatOptions? options)
    {
        object? given = options?.RawRepresentationFactory?.Invoke(this);
        HiggsAudioChatOptions raw = given as HiggsAudioChatOptions
            ?? new HiggsAudioChatOptions { Generation = given as GenerationOptions ?? _provider.Options.Generation.Apply(new GenerationOptions()) };
        GenerationOptions generation = SamplingProperties.Apply(raw.Generation, options?.AdditionalProperties);
        generation = generation with
        {
            Temperature = options?.Temperature ?? generation.Temperature,
            TopP = options?.TopP ?? generation.TopP,
            TopK = options?.TopK ?? generation.TopK,
            Seed = options?.Seed ?? generation.Seed,
            MaxNewTokens = options?.MaxOutputTokens ?? generation.MaxNewTokens,
            StopStrings = options?.StopSequences is { Count: > 0 } stops ? [.. generation.StopStrings, .. stops] : generation.StopStrings,
        };
        generation.Validate();
        return (generation, raw);
    }

    private static SpeechCall SoundOf(HiggsAudioChatOptions raw, bool streaming) => new(SpeechFormat.Parse(raw.AudioFormat, streaming), 1, 1, 1);

    // Texts in a row are one, and so are the pieces of a sound, which get their header here.
    private static List<AIContent> Joined(List<AIContent> contents, SpeechCall call, int samplingRate)
    {
        var joined = new List<AIContent>();
        for (int i = 0; i < contents.Count;)
        {
            int end = i + 1;
            while (end < contents.Count && contents[end].GetType() == contents[i].GetType())
                end++;
            List<AIContent> run = contents[i..end];
            joined.Add(run[0] is MeaiText
                ? new MeaiText(string.Concat(run.Cast<MeaiText>().Select(text => text.Text)))
                : Sound([.. run.Cast<DataContent>()], call, samplingRate));
            i = end;
        }
        return joined;
    }

    private static DataContent Sound(DataContent[] pieces, SpeechCall call, int samplingRate)
    {
        int rate = call.Rate(samplingRate);
        byte[] bytes = [.. pieces.SelectMany(piece => piece.Data.ToArray())];
        if (call.Format.IsWav)
        {
            using var stream = new MemoryStream();
            new Waveform(SpeechFormat.Decode(bytes), rate).SaveWav(stream);
            bytes = stream.ToArray();
        }
        AudioCodes[] codes = [.. pieces.Select(piece => piece.RawRepresentation).OfType<AudioCodes>()];
        return new DataContent(bytes, call.MediaType(samplingRate)) { RawRepresentation = codes.Length == 0 ? null : AudioCodes.Concat(codes) };
    }
}
