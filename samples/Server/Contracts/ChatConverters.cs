using System.Text.Json;
using System.Text.Json.Serialization;

namespace HiggsAudio.Server.Contracts;

/// <summary>What a turn says: a text, or a list of parts.</summary>
/// <param name="Parts">The parts.</param>
[JsonConverter(typeof(ChatContentConverter))]
internal sealed record ChatContent(IReadOnlyList<ChatPart?> Parts);

/// <summary>Texts that end an answer: one, or a list.</summary>
/// <param name="Texts">The texts.</param>
[JsonConverter(typeof(StopTextsConverter))]
internal sealed record StopTexts(IReadOnlyList<string?> Texts);

/// <summary>Reads a string as a list of one part.</summary>
internal sealed class ChatContentConverter : JsonConverter<ChatContent>
{
    public override ChatContent Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? new ChatContent([new ChatPart { Type = "text", Text = reader.GetString() }])
            : new ChatContent(JsonSerializer.Deserialize(ref reader, ServerJson.Default.IReadOnlyListChatPart) ?? []);

    public override void Write(Utf8JsonWriter writer, ChatContent value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.Parts, ServerJson.Default.IReadOnlyListChatPart);
}

/// <summary>Reads a string as a list of one.</summary>
internal sealed class StopTextsConverter : JsonConverter<StopTexts>
{
    public override StopTexts Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? new StopTexts([reader.GetString()])
            : new StopTexts(JsonSerializer.Deserialize(ref reader, ServerJson.Default.IReadOnlyListString) ?? []);

    public override void Write(Utf8JsonWriter writer, StopTexts value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.Texts, ServerJson.Default.IReadOnlyListString);
}
