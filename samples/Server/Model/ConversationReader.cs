using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Http;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Model;

/// <summary>Turns the messages of a chat into the engine's.</summary>
internal sealed class ConversationReader(VoiceCatalog voices, AudioMemory memory, IOptions<ServerOptions> options)
{
    private LimitOptions Limits => options.Value.Limits;

    /// <summary>Reads what is said.</summary>
    /// <exception cref="ApiException">A message is not one that the model understands.</exception>
    public IReadOnlyList<Message> Read(IReadOnlyList<ChatRequestMessage?>? messages)
    {
        if (messages is not { Count: > 0 })
            throw ApiException.Invalid("messages is the conversation, and missing or empty.", "messages", "missing_value");
        if (messages.Count > Limits.Messages)
            throw ApiException.Invalid($"A conversation has at most {Limits.Messages} messages, found {messages.Count}.", "messages", "too_long");
        int characters = 0;
        return [.. messages.Select((message, i) => Read(message, $"messages[{i}]", ref characters))];
    }

    /// <summary>Puts a voice before the conversation.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="voice">The voice's name; null or unknown to the catalogue's described ones for none.</param>
    /// <param name="cancellationToken">Ends the encoding of a recording.</param>
    public async Task<ChatMLSample> WithVoiceAsync(IReadOnlyList<Message> messages, string? voice, CancellationToken cancellationToken)
    {
        ChosenVoices chosen = await voices.ChooseAsync(voice, "audio.voice", cancellationToken);
        bool hasRecording = messages.Any(message => message.Role == "assistant" && message.Content.Any(content => content is AudioContent));
        if (options.Value.IsNano)
            return ForNano(messages, hasRecording ? [] : SpeakerPrompts.Messages(null, chosen.Speakers));
        if (chosen.Speakers.Count == 0 || hasRecording)
            return new ChatMLSample(messages);
        bool hasScene = messages[0].Role == "system";
        if (hasScene && chosen.Frames == 0)
            return new ChatMLSample(messages);   // whoever writes the scene describes the voice there
        IReadOnlyList<Message> first = SpeakerPrompts.Messages(hasScene ? null : chosen.Scene ?? options.Value.Scene, chosen.Speakers);
        return new ChatMLSample(hasScene ? [messages[0], .. first, .. messages.Skip(1)] : [.. first, .. messages]);
    }

    // The nano voice reads aloud what the user says; it knows no instructions.
    private static ChatMLSample ForNano(IReadOnlyList<Message> messages, IReadOnlyList<Message> first) => new(
        [.. first, .. from message in messages
                      where message.Role != "system"
                      select new Message(message.Role, message.Content.Select(content => content is TextContent text ? NanoVoice.Normalize(text.Text) : content))]);

    private Message Read(ChatRequestMessage? message, string place, ref int characters)
    {
        string role = message?.Role switch
        {
            "system" or "developer" => "system",
            "user" => "user",
            "assistant" => "assistant",
            _ => throw ApiException.Invalid("The role of a message is system, developer, user or assistant.", $"{place}.role"),
        };
        var content = new List<MessageContent>();
        IReadOnlyList<ChatPart?> parts = message!.Content?.Parts ?? [];
        for (int i = 0; i < parts.Count; i++)
            if (parts[i] is not { Type: "text", Text: "" })   // what clients send back of an answer that was sound alone
                content.Add(ReadPart(parts[i], $"{place}.content[{i}]", ref characters));
        if (message.Audio is { } audio)
            content.Add(Recall(audio, role, $"{place}.audio"));
        return content.Count > 0 ? new Message(role, content) : throw ApiException.Invalid("A message has no content.", $"{place}.content", "missing_value");
    }

    private MessageContent ReadPart(ChatPart? part, string place, ref int characters)
    {
        switch (part?.Type)
        {
            case "text":
                if (part.Text is not { } text)
                    throw ApiException.Invalid("A part of the type text has a text.", $"{place}.text", "missing_value");
                characters += text.Length;
                if (characters > Limits.TextCharacters)
                    throw ApiException.Invalid($"The conversation has more than the {Limits.TextCharacters} characters that are allowed.", $"{place}.text", "string_above_max_length");
                return text;
            case "input_audio":
                if (part.InputAudio?.Data is not { Length: > 0 } data)
                    throw ApiException.Invalid("A part of the type input_audio has data in Base64.", $"{place}.input_audio.data", "missing_value");
                return AudioContent.FromWaveform(Sound.Parse(part.InputAudio.Format, $"{place}.input_audio.format") == SoundFormat.Wav
                    ? AudioInput.ReadWav(data, Limits.AudioSeconds, $"{place}.input_audio.data")
                    : AudioInput.ReadPcm(data, Limits.AudioSeconds, $"{place}.input_audio.data"));
            default:
                throw ApiException.Invalid("A part of a message is of the type text or input_audio.", $"{place}.type");
        }
    }

    private AudioContent Recall(ChatAudioReference audio, string role, string place)
    {
        if (role != "assistant")
            throw ApiException.Invalid("Only a message of the assistant refers to an earlier answer.", place);
        return audio.Id is { } id && memory.Find(id) is { } codes
            ? AudioContent.FromCodes(codes)
            : throw ApiException.Invalid("There is no answer with this id, or it has expired: send its sound as input_audio.", $"{place}.id", "audio_not_found");
    }
}
