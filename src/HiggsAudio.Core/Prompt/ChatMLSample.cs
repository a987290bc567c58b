using System.Text.Json;

namespace HiggsAudio;

/// <summary>A conversation for the model to go on with (the reference's <c>ChatMLSample</c>, data_types.py). Immutable.</summary>
public sealed class ChatMLSample
{
    /// <param name="messages">The turns in order, at least one.</param>
    /// <exception cref="ArgumentException">There are none, or one is null.</exception>
    public ChatMLSample(params IEnumerable<Message> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        Messages = messages.ToArray().AsReadOnly();
        if (Messages.Count == 0 || Messages.Contains(null!))
            throw new ArgumentException(Messages.Count == 0 ? "A conversation has at least one message." : "A message is null.", nameof(messages));
    }

    /// <summary>The turns.</summary>
    public IReadOnlyList<Message> Messages { get; }

    /// <summary>The first message that is learned from when a model is trained on this sample; null for all. Without effect on generation.</summary>
    public int? StartIndex { get; init; }

    /// <summary>Who speaks, as data sets record it; without effect on generation.</summary>
    public string? Speaker { get; init; }

    /// <summary>
    /// Reads a sample in the reference's JSON: <c>messages</c> of <c>role</c>, <c>content</c> and <c>recipient</c>, where content is a string,
    /// an object of <c>type</c> text or audio, or a list of those; and <c>start_index</c>, <c>speaker</c> and <c>misc.speaker</c>. Other members
    /// are ignored.
    /// </summary>
    /// <remarks>A sample can name any audio file of the machine that uses it: check <see cref="AudioContent.AudioUrl"/> of samples from others.</remarks>
    /// <param name="json">The JSON text.</param>
    /// <exception cref="JsonException">It is not JSON, or not such a sample; the message names the place.</exception>
    public static ChatMLSample FromJson(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        using JsonDocument document = JsonDocument.Parse(json);
        return FromJson(document.RootElement);
    }

    /// <summary>Reads a sample in the reference's JSON, see <see cref="FromJson(string)"/>.</summary>
    /// <param name="json">The object.</param>
    /// <exception cref="JsonException">It is not such a sample; the message names the place.</exception>
    public static ChatMLSample FromJson(JsonElement json) => Prompts.ChatMLReader.Read(json);
}
