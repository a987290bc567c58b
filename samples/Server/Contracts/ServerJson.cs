using System.Text.Json.Serialization;

namespace HiggsAudio.Server.Contracts;

/// <summary>How everything is written in JSON; generated at compile time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ErrorResponse))]
[JsonSerializable(typeof(SpeechRequest))]
[JsonSerializable(typeof(SpeechDelta))]
[JsonSerializable(typeof(SpeechDone))]
[JsonSerializable(typeof(SpeechError))]
[JsonSerializable(typeof(ChatRequest))]
[JsonSerializable(typeof(ChatResponse))]
[JsonSerializable(typeof(IReadOnlyList<ChatPart>), TypeInfoPropertyName = "IReadOnlyListChatPart")]
[JsonSerializable(typeof(IReadOnlyList<string>), TypeInfoPropertyName = "IReadOnlyListString")]
[JsonSerializable(typeof(IFormFile))]
[JsonSerializable(typeof(VoiceList))]
[JsonSerializable(typeof(VoiceUploaded))]
[JsonSerializable(typeof(VoiceDeleted))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(ModelCard))]
[JsonSerializable(typeof(VersionInfo))]
[JsonSerializable(typeof(HealthInfo))]
internal sealed partial class ServerJson : JsonSerializerContext;
