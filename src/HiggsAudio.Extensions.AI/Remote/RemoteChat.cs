using System.Runtime.CompilerServices;
using System.Text.Json;
using HiggsAudio.Extensions.AI.Speech;
using Microsoft.Extensions.AI;
using MeaiText = Microsoft.Extensions.AI.TextContent;

namespace HiggsAudio.Extensions.AI.Remote;

/// <summary><c>POST /v1/chat/completions</c> with text and audio in both directions.</summary>
internal sealed class RemoteChat(RemoteTransport transport, HiggsAudioRemoteOptions options)
{
    private const int StreamRate = 24000;
    private static readonly string[] ForkStops = ["<|eot_id|>", "<|end_of_text|>", "<|audio_eos|>"];

    /// <summary>The body of a request.</summary>
    /// <exception cref="NotSupportedException">The conversation or the options want what servers have not.</exception>
    public ChatRequest Request(IEnumerable<ChatMessage> messages, ChatOptions? asked, HiggsAudioChatOptions? raw, bool streaming)
    {
        if (asked?.Tools is { Count: > 0 })
            throw new NotSupportedException("The model calls no tools.");
        if (asked?.ConversationId is not null)
            throw new NotSupportedException("Conversations are not kept by the server: send all messages.");
        GenerationOptions? given = raw?.Generation;
        AdditionalPropertiesDictionary? more = asked?.AdditionalProperties;
        IReadOnlyList<string> stops = [.. options.Dialect == HiggsAudioServerDialect.BosonVllm ? ForkStops : [], .. asked?.StopSequences ?? []];
        List<ChatRequestMessage> converted = [.. messages.Select(message => ToMessage(message ?? throw new ArgumentException("A message is null.", nameof(messages))))];
        if (converted.Count == 0)
            throw new ArgumentException("A conversation has at least one message.", nameof(messages));
        if (!string.IsNullOrWhiteSpace(asked?.Instructions))
            AddInstructions(converted, asked.Instructions);
        return new ChatRequest
        {
            Model = options.Model,
            Messages = converted,
            Audio = new ChatRequestAudio
            {
                Format = streaming ? "pcm16" : "wav",
                Voice = options.DefaultVoice is { } voice && options.Dialect != HiggsAudioServerDialect.BosonVllm ? voice : "alloy",   // the fork checks the name only
            },
            Temperature = asked?.Temperature ?? SamplingProperties.Get<float>(more, SamplingProperties.Temperature) ?? given?.Temperature,
            TopP = asked?.TopP ?? SamplingProperties.Get<float>(more, SamplingProperties.TopP) ?? given?.TopP,
            TopK = asked?.TopK ?? SamplingProperties.Get<int>(more, SamplingProperties.TopK) ?? given?.TopK,
            Seed = asked?.Seed ?? SamplingProperties.Get<long>(more, SamplingProperties.Seed) ?? given?.Seed,
            MaxCompletionTokens = asked?.MaxOutputTokens ?? SamplingProperties.Get<int>(more, SamplingProperties.MaxTokens) ?? given?.MaxNewTokens,
            FrequencyPenalty = asked?.FrequencyPenalty,
            PresencePenalty = asked?.PresencePenalty,
            Stop = stops.Count == 0 ? null : stops,
            Stream = streaming,
            StreamOptions = streaming ? new StreamRequestOptions() : null,
        };
    }

    /// <summary>The whole answer.</summary>
    /// <exception cref="HiggsAudioRemoteException">The server refused, failed, or answered what is not understood.</exception>
    public async Task<ChatResponse> AnswerAsync(ChatRequest request, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await transport.PostAsync("chat/completions", request, RemoteJson.Default.ChatRequest, cancellationToken).ConfigureAwait(false);
        byte[] body = await transport.ReadWholeAsync(response, cancellationToken).ConfigureAwait(false);
        using JsonDocument json = RemoteSpeech.Json(body);
        if (RemoteReading.Error(json.RootElement, response.StatusCode) is { } error)
            throw error;
        JsonElement choice = Choice(json.RootElement);
        if (choice.ValueKind != JsonValueKind.Object || !choice.TryGetProperty("message", out JsonElement message))
            throw new HiggsAudioRemoteException("The server's answer has no choices[0].message.");
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, [.. Contents(message, bytes => new DataContent(bytes, "audio/wav"))]))
        {
            ResponseId = RemoteReading.String(json.RootElement, "id"),
            ModelId = RemoteReading.String(json.RootElement, "model") ?? options.Model,
            CreatedAt = DateTimeOffset.UtcNow,
            FinishReason = Reason(choice),
            Usage = RemoteReading.Usage(json.RootElement),
        };
    }

    /// <summary>The answer piece by piece.</summary>
    /// <inheritdoc cref="AnswerAsync"/>
    public async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(ChatRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await transport.PostAsync("chat/completions", request, RemoteJson.Default.ChatRequest, cancellationToken).ConfigureAwait(false);
        var events = new ServerSentEvents(options.MaxResponseBytes);
        string mediaType = new SpeechFormat(false).MediaType(RemoteReading.SamplingRate(response) ?? StreamRate);
        bool ended = false;
        await foreach (ReadOnlyMemory<byte> bytes in transport.ReadAsync(response, cancellationToken).ConfigureAwait(false))
        {
            foreach (byte[] data in events.Add(bytes.Span))
            {
                if (data.AsSpan().SequenceEqual("[DONE]"u8))
                {
                    ended = true;
                    continue;
                }
                using JsonDocument json = RemoteSpeech.Json(data);
                if (RemoteReading.Error(json.RootElement) is { } error)
                    throw error;
                ChatResponseUpdate update = Update(json.RootElement, mediaType);
                ended |= update.FinishReason is not null;
                if (update.Contents.Count > 0 || update.FinishReason is not null)
                    yield return update;
            }
        }
        if (!ended)
            throw new HiggsAudioRemoteException("The server's answer was cut: its events have no end ([DONE]).");
    }

    private ChatResponseUpdate Update(JsonElement json, string mediaType)
    {
        JsonElement choice = Choice(json);
        var contents = new List<AIContent>();
        if (choice.ValueKind == JsonValueKind.Object && choice.TryGetProperty("delta", out JsonElement delta) && delta.ValueKind == JsonValueKind.Object)
            contents.AddRange(Contents(delta, bytes => new DataContent(bytes, mediaType)));
        if (RemoteReading.Usage(json) is { } usage)
            contents.Add(new UsageContent(usage));
        string? id = RemoteReading.String(json, "id");
        return new ChatResponseUpdate(ChatRole.Assistant, contents)
        {
            ResponseId = id,
            MessageId = id,
            ModelId = RemoteReading.String(json, "model") ?? options.Model,
            CreatedAt = DateTimeOffset.UtcNow,
            FinishReason = choice.ValueKind == JsonValueKind.Object ? Reason(choice) : null,
        };
    }

    private static IEnumerable<AIContent> Contents(JsonElement message, Func<byte[], DataContent> sound)
    {
        if (RemoteReading.String(message, "content") is { Length: > 0 } text)
            yield return new MeaiText(text);
        if (!message.TryGetProperty("audio", out JsonElement audio) || RemoteReading.String(audio, "data") is not { Length: > 0 } data)
            yield break;
        DataContent content = sound(RemoteSpeech.FromBase64(data));
        if (RemoteReading.String(audio, "transcript") is { Length: > 0 } transcript)
            content.AdditionalProperties = new AdditionalPropertiesDictionary { ["transcript"] = transcript };
        yield return content;
    }

    private static JsonElement Choice(JsonElement json) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty("choices", out JsonElement choices)
            && choices.ValueKind == JsonValueKind.Array && choices.GetArrayLength() > 0
            ? choices[0] : default;

    private static ChatFinishReason? Reason(JsonElement choice) => RemoteReading.String(choice, "finish_reason") switch
    {
        null or "" => null,
        string reason => new ChatFinishReason(reason),   // the names are OpenAI's on both sides
    };

    private static void AddInstructions(List<ChatRequestMessage> messages, string instructions)
    {
        var text = new ChatRequestContent { Type = "text", Text = messages[0].Role == "system" ? instructions + "\n\n" : instructions };
        if (messages[0].Role == "system")
            messages[0] = new ChatRequestMessage { Role = "system", Content = [text, .. messages[0].Content] };
        else
            messages.Insert(0, new ChatRequestMessage { Role = "system", Content = [text] });
    }

    private static ChatRequestMessage ToMessage(ChatMessage message) => new()
    {
        Role = message.Role.Value,
        Content = [.. message.Contents.Where(content => content is not (UsageContent or TextReasoningContent)).Select(ToContent)],
    };

    private static ChatRequestContent ToContent(AIContent content) => content switch
    {
        MeaiText text => new ChatRequestContent { Type = "text", Text = text.Text },
        DataContent data when data.HasTopLevelMediaType("audio") => new ChatRequestContent
        {
            Type = "input_audio",
            InputAudio = new ChatRequestInputAudio { Data = Convert.ToBase64String(SoundFiles.ToWav(data)) },
        },
        DataContent data => throw new NotSupportedException($"Data of the type '{data.MediaType}' cannot be sent: there are text and audio."),
        _ => throw new NotSupportedException($"{content.GetType().Name} cannot be sent: there are text and audio."),
    };
}
