using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI.Remote;

/// <summary>A piece of a server's speech.</summary>
/// <param name="Samples">Sound; empty where there is none.</param>
/// <param name="SamplingRate">Its rate in Hz.</param>
/// <param name="Usage">What the whole cost, once that is known.</param>
internal readonly record struct SpeechPiece(float[] Samples, int SamplingRate, UsageDetails? Usage = null);

/// <summary><c>POST /v1/audio/speech</c>, in each dialect. Samples are asked for always: they are what all servers agree on.</summary>
internal sealed class RemoteSpeech(RemoteTransport transport, HiggsAudioRemoteOptions options)
{
    private const int DefaultRate = 24000;

    /// <summary>The body of a request.</summary>
    /// <param name="text">What to say.</param>
    /// <param name="asked">The caller's options.</param>
    /// <param name="raw">The caller's options that only some servers know.</param>
    /// <param name="streaming">Whether sound is wanted while it is made.</param>
    /// <exception cref="NotSupportedException">The server cannot do it.</exception>
    public SpeechRequest Request(string text, TextToSpeechOptions? asked, HiggsAudioRemoteSpeechOptions? raw, bool streaming)
    {
        HiggsAudioServerDialect dialect = options.Dialect;
        bool isOmni = dialect is HiggsAudioServerDialect.VllmOmni or HiggsAudioServerDialect.SglangOmni;
        if (raw?.ReferenceAudio is not null && !isOmni)
            throw new NotSupportedException(
                $"A server of the kind {dialect} takes no recording with a request for speech: give it voices of its own, or use chat with the recording as the assistant's turn.");
        AdditionalPropertiesDictionary? more = asked?.AdditionalProperties;
        int? maxTokens = SamplingProperties.Get<int>(more, SamplingProperties.MaxTokens);
        string? voice = string.IsNullOrEmpty(asked?.VoiceId) ? options.DefaultVoice : asked.VoiceId;
        return new SpeechRequest
        {
            Model = options.Model,
            Input = text,
            Voice = voice ?? dialect switch
            {
                HiggsAudioServerDialect.OpenAI => "alloy",        // required there
                HiggsAudioServerDialect.VllmOmni => null,
                _ => "default",                                   // the fork takes its first preset for what it does not know
            },
            Language = dialect == HiggsAudioServerDialect.VllmOmni ? asked?.Language : null,
            Instructions = raw?.Instructions,
            Temperature = SamplingProperties.Get<float>(more, SamplingProperties.Temperature),
            TopP = SamplingProperties.Get<float>(more, SamplingProperties.TopP),
            TopK = SamplingProperties.Get<int>(more, SamplingProperties.TopK),
            Seed = SamplingProperties.Get<long>(more, SamplingProperties.Seed),
            MaxTokens = isOmni ? null : maxTokens,
            MaxNewTokens = isOmni ? maxTokens : null,
            ReferenceAudio = raw?.ReferenceAudio is { } audio ? "data:audio/wav;base64," + Convert.ToBase64String(audio.Span) : null,
            ReferenceText = raw?.ReferenceText,
            Stream = isOmni && streaming ? true : null,
            StreamFormat = dialect == HiggsAudioServerDialect.VllmOmni && streaming ? "audio" : null,
            Extra = raw?.Extra is { } extra ? new Dictionary<string, JsonElement>(extra) : null,
        };
    }

    /// <summary>The sound of a request, as it comes.</summary>
    /// <exception cref="HiggsAudioRemoteException">The server refused, failed, or answered what is not understood.</exception>
    public async IAsyncEnumerable<SpeechPiece> SpeakAsync(SpeechRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await transport.PostAsync("audio/speech", request, RemoteJson.Default.SpeechRequest, cancellationToken).ConfigureAwait(false);
        // The fork says audio/mpeg whatever it sends.
        bool isEvents = response.Content.Headers.ContentType?.MediaType == "text/event-stream";
        int rate = RemoteReading.SamplingRate(response) ?? DefaultRate;
        IAsyncEnumerable<SpeechPiece> pieces = isEvents ? EventsAsync(response, rate, cancellationToken) : BytesAsync(response, rate, cancellationToken);
        await foreach (SpeechPiece piece in pieces.ConfigureAwait(false))
            yield return piece;
        if (RemoteReading.Usage(response.Headers) is { } usage)
            yield return new SpeechPiece([], rate, usage);
    }

    private async IAsyncEnumerable<SpeechPiece> BytesAsync(HttpResponseMessage response, int rate, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = new SampleReader();
        await foreach (ReadOnlyMemory<byte> bytes in transport.ReadAsync(response, cancellationToken).ConfigureAwait(false))
            if (reader.Add(bytes.Span) is { Length: > 0 } samples)
                yield return new SpeechPiece(samples, reader.SamplingRate ?? rate);
        if (reader.Complete() is { Length: > 0 } rest)
            yield return new SpeechPiece(rest, reader.SamplingRate ?? rate);
    }

    private async IAsyncEnumerable<SpeechPiece> EventsAsync(HttpResponseMessage response, int rate, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var events = new ServerSentEvents(options.MaxResponseBytes);
        var reader = new SampleReader();
        bool done = false;
        await foreach (ReadOnlyMemory<byte> bytes in transport.ReadAsync(response, cancellationToken).ConfigureAwait(false))
        {
            foreach (byte[] data in events.Add(bytes.Span))
            {
                if (data.AsSpan().SequenceEqual("[DONE]"u8))
                {
                    done = true;
                    continue;
                }
                using JsonDocument json = Json(data);
                if (RemoteReading.Error(json.RootElement) is { } error)
                    throw error;
                string? type = RemoteReading.String(json.RootElement, "type");
                if (type?.EndsWith("error", StringComparison.Ordinal) == true)
                    throw new HiggsAudioRemoteException($"The server failed: {RemoteReading.Short(json.RootElement.GetRawText())}");
                if (RemoteReading.String(json.RootElement, "audio") is { Length: > 0 } audio && reader.Add(FromBase64(audio)) is { Length: > 0 } samples)
                    yield return new SpeechPiece(samples, reader.SamplingRate ?? rate);
                done |= type == "speech.audio.done";
                if (RemoteReading.Usage(json.RootElement) is { } usage)
                    yield return new SpeechPiece([], rate, usage);
            }
        }
        if (!done)
            throw new HiggsAudioRemoteException("The server's answer was cut: its events have no end (speech.audio.done).");
        if (reader.Complete() is { Length: > 0 } rest)
            yield return new SpeechPiece(rest, reader.SamplingRate ?? rate);
    }

    /// <summary>The JSON of an event.</summary>
    /// <exception cref="HiggsAudioRemoteException">It is none.</exception>
    internal static JsonDocument Json(ReadOnlyMemory<byte> data)
    {
        try
        {
            return JsonDocument.Parse(data);
        }
        catch (JsonException problem)
        {
            throw new HiggsAudioRemoteException($"The server's answer is not JSON: {problem.Message}", inner: problem);
        }
    }

    /// <summary>The bytes of sound in Base64.</summary>
    /// <exception cref="HiggsAudioRemoteException">It is none.</exception>
    internal static byte[] FromBase64(string base64)
    {
        try
        {
            return Convert.FromBase64String(base64);
        }
        catch (FormatException problem)
        {
            throw new HiggsAudioRemoteException("The server's sound is not Base64.", inner: problem);
        }
    }
}
