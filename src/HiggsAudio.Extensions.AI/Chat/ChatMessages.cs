using HiggsAudio.Extensions.AI.Speech;
using Microsoft.Extensions.AI;
using MeaiText = Microsoft.Extensions.AI.TextContent;

namespace HiggsAudio.Extensions.AI.Chat;

/// <summary>Conversations of Microsoft.Extensions.AI as the model's.</summary>
internal static class ChatMessages
{
    /// <summary>The conversation for the model.</summary>
    /// <param name="messages">The messages.</param>
    /// <param name="instructions">What the system message begins with; null for nothing.</param>
    /// <exception cref="ArgumentException">There is no message, or one is null or has an unknown role.</exception>
    /// <exception cref="NotSupportedException">A message holds what the model cannot read.</exception>
    public static ChatMLSample ToSample(IEnumerable<ChatMessage> messages, string? instructions)
    {
        ArgumentNullException.ThrowIfNull(messages);
        List<Message> converted = [.. messages.Select(message => ToMessage(message ?? throw new ArgumentException("A message is null.", nameof(messages))))];
        if (converted.Count == 0)
            throw new ArgumentException("A conversation has at least one message.", nameof(messages));
        if (string.IsNullOrWhiteSpace(instructions))
            return new ChatMLSample(converted);
        // One system message, as the model was taught.
        if (converted[0].Role == "system")
            converted[0] = new Message("system", [instructions + "\n\n", .. converted[0].Content]);
        else
            converted.Insert(0, new Message("system", instructions));
        return new ChatMLSample(converted);
    }

    private static Message ToMessage(ChatMessage message)
    {
        string role = message.Role == ChatRole.System ? "system"
            : message.Role == ChatRole.User ? "user"
            : message.Role == ChatRole.Assistant ? "assistant"
            : message.Role == ChatRole.Tool ? "ipython"
            : throw new ArgumentException($"The role '{message.Role}' is not known; there are system, user, assistant and tool.");
        var contents = new List<MessageContent>();
        var sound = new List<DataContent>();
        foreach (AIContent content in message.Contents)
        {
            if (content is DataContent data && data.HasTopLevelMediaType("audio"))
            {
                // Pieces of one stream are one sound.
                if (sound.Count > 0 && !Continues(sound[^1], data))
                    EndSound();
                sound.Add(data);
                continue;
            }
            EndSound();
            switch (content)
            {
                case MeaiText text:
                    contents.Add(text.Text);
                    break;
                case UsageContent or TextReasoningContent:
                    break;
                default:
                    throw new NotSupportedException($"The model cannot read {Describe(content)}: it reads text and audio.");
            }
        }
        EndSound();
        return new Message(role, contents);

        void EndSound()
        {
            if (sound.Count > 0)
                contents.Add(ToAudio(sound));
            sound.Clear();
        }
    }

    private static string Describe(AIContent content) => content switch
    {
        DataContent data => $"data of the type '{data.MediaType}'",
        UriContent uri => $"the address {uri.Uri}",
        _ => content.GetType().Name,
    };

    private static bool Continues(DataContent before, DataContent data) => SoundFiles.IsSamples(before.MediaType) && before.MediaType == data.MediaType;

    private static AudioContent ToAudio(List<DataContent> pieces)
    {
        // What this client has made itself it has codes of.
        if (pieces.All(piece => piece.RawRepresentation is AudioCodes))
            return AudioContent.FromCodes(AudioCodes.Concat([.. pieces.Select(piece => (AudioCodes)piece.RawRepresentation!)]));
        string mediaType = pieces[0].MediaType;
        if (SoundFiles.IsWav(mediaType))
            return AudioContent.FromBytes(pieces[0].Data);
        if (!SoundFiles.IsSamples(mediaType))
            throw SoundFiles.Unreadable(pieces[0]);
        return AudioContent.FromWaveform(SoundFiles.FromSamples([.. pieces.SelectMany(piece => piece.Data.ToArray())], mediaType));
    }
}
