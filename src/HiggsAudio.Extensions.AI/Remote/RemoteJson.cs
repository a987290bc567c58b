using System.Text.Json;
using System.Text.Json.Serialization;

namespace HiggsAudio.Extensions.AI.Remote;

/// <summary>The body of a request for speech.</summary>
internal sealed class SpeechRequest
{
    [JsonPropertyName("model")] public required string Model { get; init; }
    [JsonPropertyName("input")] public required string Input { get; init; }
    [JsonPropertyName("voice")] public string? Voice { get; init; }
    [JsonPropertyName("response_format")] public string ResponseFormat { get; init; } = "pcm";
    [JsonPropertyName("language")] public string? Language { get; init; }
    [JsonPropertyName("instructions")] public string? Instructions { get; init; }
    [JsonPropertyName("temperature")] public float? Temperature { get; init; }
    [JsonPropertyName("top_p")] public float? TopP { get; init; }
    [JsonPropertyName("top_k")] public int? TopK { get; init; }
    [JsonPropertyName("seed")] public long? Seed { get; init; }
    [JsonPropertyName("max_tokens")] public int? MaxTokens { get; init; }
    [JsonPropertyName("max_new_tokens")] public int? MaxNewTokens { get; init; }
    [JsonPropertyName("ref_audio")] public string? ReferenceAudio { get; init; }
    [JsonPropertyName("ref_text")] public string? ReferenceText { get; init; }
    [JsonPropertyName("stream")] public bool? Stream { get; init; }
    [JsonPropertyName("stream_format")] public string? StreamFormat { get; init; }
    [JsonExtensionData] public Dictionary<string, JsonElement>? Extra { get; set; }
}

/// <summary>The body of a request for an answer.</summary>
internal sealed class ChatRequest
{
    [JsonPropertyName("model")] public required string Model { get; init; }
    [JsonPropertyName("messages")] public required IReadOnlyList<ChatRequestMessage> Messages { get; init; }
    [JsonPropertyName("modalities")] public IReadOnlyList<string> Modalities { get; init; } = ["text", "audio"];
    [JsonPropertyName("audio")] public required ChatRequestAudio Audio { get; init; }
    [JsonPropertyName("temperature")] public float? Temperature { get; init; }
    [JsonPropertyName("top_p")] public float? TopP { get; init; }
    [JsonPropertyName("top_k")] public int? TopK { get; init; }
    [JsonPropertyName("seed")] public long? Seed { get; init; }
    [JsonPropertyName("max_completion_tokens")] public int? MaxCompletionTokens { get; init; }
    [JsonPropertyName("frequency_penalty")] public float? FrequencyPenalty { get; init; }
    [JsonPropertyName("presence_penalty")] public float? PresencePenalty { get; init; }
    [JsonPropertyName("stop")] public IReadOnlyList<string>? Stop { get; init; }
    [JsonPropertyName("stream")] public bool Stream { get; init; }
    [JsonPropertyName("stream_options")] public StreamRequestOptions? StreamOptions { get; init; }
}

internal sealed class ChatRequestAudio
{
    [JsonPropertyName("format")] public required string Format { get; init; }
    [JsonPropertyName("voice")] public required string Voice { get; init; }
}

internal sealed class StreamRequestOptions
{
    [JsonPropertyName("include_usage")] public bool IncludeUsage { get; init; } = true;
}

internal sealed class ChatRequestMessage
{
    [JsonPropertyName("role")] public required string Role { get; init; }
    [JsonPropertyName("content")] public required IReadOnlyList<ChatRequestContent> Content { get; init; }
}

internal sealed class ChatRequestContent
{
    [JsonPropertyName("type")] public required string Type { get; init; }
    [JsonPropertyName("text")] public string? Text { get; init; }
    [JsonPropertyName("input_audio")] public ChatRequestInputAudio? InputAudio { get; init; }
}

internal sealed class ChatRequestInputAudio
{
    [JsonPropertyName("data")] public required string Data { get; init; }
    [JsonPropertyName("format")] public string Format { get; init; } = "wav";
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SpeechRequest))]
[JsonSerializable(typeof(ChatRequest))]
internal sealed partial class RemoteJson : JsonSerializerContext;
