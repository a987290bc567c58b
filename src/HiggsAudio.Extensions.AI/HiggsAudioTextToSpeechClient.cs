using System.Runtime.CompilerServices;
using HiggsAudio.Extensions.AI.Speech;
using HiggsAudio.Extensions.AI.Telemetry;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace HiggsAudio.Extensions.AI;

/// <summary>
/// Speaks texts of any length with an engine of this program. Thread-safe: all calls are computed together.
/// <list type="bullet">
/// <item><see cref="TextToSpeechOptions.VoiceId"/>: a voice of <see cref="HiggsAudioOptions.VoicesFolder"/> or <see cref="HiggsAudioOptions.VoiceDescriptions"/>.</item>
/// <item><see cref="TextToSpeechOptions.AudioFormat"/>: wav, or pcm (16-bit mono little-endian samples, <c>audio/l16;rate=24000;channels=1</c>; the media type
/// may ask for another rate). By default a whole answer is wav, and pieces are pcm, so that each stands alone. Where wav is streamed the first
/// piece begins with a header of open length.</item>
/// <item><see cref="TextToSpeechOptions.Speed"/> and <see cref="TextToSpeechOptions.Pitch"/>: 0.5 to 2, made of the model's sound by time stretching and
/// resampling. <see cref="TextToSpeechOptions.Volume"/>: 0 to 10, 1 as the model made it; above 1 a limiter keeps it below full scale.</item>
/// <item><see cref="TextToSpeechOptions.RawRepresentationFactory"/>: may give <see cref="SpeakOptions"/>, which replace the defaults; voice and scene then
/// apply where it has none.</item>
/// <item><see cref="TextToSpeechOptions.AdditionalProperties"/>: <c>temperature</c>, <c>top_p</c>, <c>top_k</c>, <c>seed</c>, <c>max_tokens</c> (of each chunk of the text).</item>
/// <item><see cref="TextToSpeechOptions.Language"/> and <see cref="TextToSpeechOptions.ModelId"/> have no effect: the model reads the language off the text.</item>
/// </list>
/// </summary>
public sealed class HiggsAudioTextToSpeechClient : ITextToSpeechClient
{
    private const string OperationName = "generate_content";

    // Larger chunks cost less; nobody listens before the end.
    private static readonly StreamOptions WholeAnswer = new()
    {
        Sound = new CodecStreamOptions { FirstChunkFrames = 150, ChunkFrames = 150 },
        MaxUnreadSteps = int.MaxValue,
    };

    private readonly HiggsAudioEngineProvider _provider;
    private readonly bool _ownsProvider;
    private readonly ILogger _logger;
    private readonly TextToSpeechClientMetadata _metadata;

    /// <param name="engine">The engine.</param>
    /// <param name="options">Voices, queue and defaults; what says how to load has no effect. Null for the defaults.</param>
    /// <param name="ownsEngine">Whether the engine is disposed with the client.</param>
    /// <param name="logger">Told of calls; null for nobody.</param>
    public HiggsAudioTextToSpeechClient(HiggsAudioServeEngine engine, HiggsAudioOptions? options = null, bool ownsEngine = false,
        ILogger<HiggsAudioTextToSpeechClient>? logger = null)
        : this(new HiggsAudioEngineProvider(engine ?? throw new ArgumentNullException(nameof(engine)), options ?? new HiggsAudioOptions(), ownsEngine), logger) =>
        _ownsProvider = true;

    /// <param name="provider">Has the engine; it is not disposed with the client.</param>
    /// <param name="logger">Told of calls; null for nobody.</param>
    public HiggsAudioTextToSpeechClient(HiggsAudioEngineProvider provider, ILogger<HiggsAudioTextToSpeechClient>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(provider);
        (_provider, _logger) = (provider, logger ?? NullLogger<HiggsAudioTextToSpeechClient>.Instance);
        _metadata = new TextToSpeechClientMetadata(HiggsAudioTelemetry.ProviderName, null, provider.Options.EffectiveModelId);
    }

    /// <summary>Speaks a text. <see cref="TextToSpeechResponse.RawRepresentation"/> is a <see cref="SpeakResponse"/>.</summary>
    /// <param name="text">The text; it may hold pauses, sound events and speaker tags.</param>
    /// <param name="options">How; null for the defaults. They are not changed.</param>
    /// <param name="cancellationToken">Ends the work within one step of the model.</param>
    /// <exception cref="ArgumentException">The text is empty, or an option is not valid.</exception>
    /// <exception cref="VoiceNotFoundException">There is no such voice.</exception>
    /// <exception cref="NotSupportedException">The format is not supported.</exception>
    /// <exception cref="EngineBusyException">The queue is full, or there is no memory for the request.</exception>
    /// <exception cref="InvalidOperationException">The model made no sound.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public async Task<TextToSpeechResponse> GetAudioAsync(string text, TextToSpeechOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        var call = SpeechCall.From(options, streaming: false);
        using Admission.Entry entry = _provider.Admission.Enter();
        using Operation operation = Begin();
        try
        {
            HiggsAudioServeEngine engine = await _provider.GetEngineAsync(cancellationToken).ConfigureAwait(false);
            SpeakOptions speak = await SpeakOptionsAsync(options, WholeAnswer, cancellationToken).ConfigureAwait(false);
            SpeakResponse spoken = await engine.SpeakLongAsync(text, speak, null, cancellationToken).ConfigureAwait(false);
            if (spoken.Audio is not { } audio)
                throw new InvalidOperationException($"The model made no sound (it ended with {spoken.FinishReason}).");
            UsageDetails usage = spoken.Usage.ToDetails(spoken.AudioCodes?.Frames);
            operation.Complete(usage, spoken.FinishReason.ToString(), audio.Duration.TotalSeconds);
            Log.Spoke(_logger, operation.Id, audio.Duration.TotalSeconds, operation.Elapsed.TotalSeconds, spoken.FinishReason);
            var sound = new WholeSound(call);
            sound.TryAdd(audio.Span, audio.SamplingRate);
            return new TextToSpeechResponse([sound.ToContent()!])
            {
                ResponseId = operation.Id,
                ModelId = _provider.Options.EffectiveModelId,
                RawRepresentation = spoken,
                Usage = usage,
                AdditionalProperties = new AdditionalPropertiesDictionary { [FinishReasons.Property] = spoken.FinishReason.ToString() },
            };
        }
        catch (Exception problem)
        {
            operation.Fail(problem, _logger);
            throw;
        }
    }

    /// <summary>
    /// Speaks a text piece by piece, with the sound as it becomes ready. The last update has the usage; each update's
    /// <see cref="TextToSpeechResponseUpdate.RawRepresentation"/> is the last <see cref="HiggsAudioStreamerDelta"/>. If the caller reads slowly the model waits;
    /// leaving the loop ends the work.
    /// </summary>
    /// <inheritdoc cref="GetAudioAsync"/>
    public IAsyncEnumerable<TextToSpeechResponseUpdate> GetStreamingAudioAsync(string text, TextToSpeechOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        return StreamAsync(text, options, SpeechCall.From(options, streaming: true), cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(TextToSpeechClientMetadata) ? _metadata
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

    private async IAsyncEnumerable<TextToSpeechResponseUpdate> StreamAsync(string text, TextToSpeechOptions? options, SpeechCall call,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using Admission.Entry entry = _provider.Admission.Enter();
        using Operation operation = Begin();
        var sound = new StreamedSound(call);
        int frames = 0;
        HiggsAudioStreamerDelta? last = null;
        await foreach (HiggsAudioStreamerDelta delta in operation.WatchAsync(DeltasAsync(text, options, cancellationToken), _logger).ConfigureAwait(false))
        {
            last = delta;
            frames += delta.AudioCodes?.Frames ?? 0;
            if (sound.Add(delta.Audio.Span, delta.SamplingRate) is not { } piece)
                continue;
            operation.FirstAudio();
            yield return Update(TextToSpeechResponseUpdateKind.AudioUpdating, piece, delta);
        }
        if (sound.Complete() is { } rest)
            yield return Update(TextToSpeechResponseUpdateKind.AudioUpdating, rest, last);
        UsageDetails usage = last!.Usage!.Value.ToDetails(frames);
        operation.Complete(usage, last.FinishReason.ToString()!, sound.SourceSeconds);
        Log.Spoke(_logger, operation.Id, sound.SourceSeconds, operation.Elapsed.TotalSeconds, last.FinishReason!.Value);
        TextToSpeechResponseUpdate end = Update(TextToSpeechResponseUpdateKind.SessionClose, new UsageContent(usage), last);
        end.AdditionalProperties = new AdditionalPropertiesDictionary { [FinishReasons.Property] = last.FinishReason.ToString() };
        yield return end;

        TextToSpeechResponseUpdate Update(TextToSpeechResponseUpdateKind kind, AIContent content, object? raw) => new([content])
        {
            Kind = kind,
            ResponseId = operation.Id,
            ModelId = _provider.Options.EffectiveModelId,
            RawRepresentation = raw,
        };
    }

    private async IAsyncEnumerable<HiggsAudioStreamerDelta> DeltasAsync(string text, TextToSpeechOptions? options,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        HiggsAudioServeEngine engine = await _provider.GetEngineAsync(cancellationToken).ConfigureAwait(false);
        SpeakOptions speak = await SpeakOptionsAsync(options, null, cancellationToken).ConfigureAwait(false);
        await foreach (HiggsAudioStreamerDelta delta in engine.SpeakAsync(text, speak, null, cancellationToken).ConfigureAwait(false))
            yield return delta;
    }

    private Operation Begin() => Operation.Start(OperationName, HiggsAudioTelemetry.ProviderName, _provider.Options.EffectiveModelId, server: null, outputType: "speech");

    // What the caller says comes first, then the registration's defaults.
    private async ValueTask<SpeakOptions> SpeakOptionsAsync(TextToSpeechOptions? options, StreamOptions? streaming, CancellationToken cancellationToken)
    {
        SpeakOptions speak = options?.RawRepresentationFactory?.Invoke(this) as SpeakOptions ?? WithStreaming(_provider.Options.ToSpeakOptions(), streaming);
        speak = speak with { Generation = SamplingProperties.Apply(speak.Generation, options?.AdditionalProperties) };
        string? voiceId = string.IsNullOrEmpty(options?.VoiceId) ? _provider.Options.DefaultVoice : options.VoiceId;
        if (voiceId is null || speak.Speakers.Count > 0)
            return speak;
        (SpeakerPrompt speaker, string? scene) = await _provider.FindVoiceAsync(voiceId, cancellationToken).ConfigureAwait(false);
        return speak with { Speakers = [speaker], Scene = speak.Scene ?? scene };
    }

    private static SpeakOptions WithStreaming(SpeakOptions options, StreamOptions? streaming) => streaming is null ? options : options with { Streaming = streaming };
}
