namespace HiggsAudio;

/// <summary>
/// One turn of a conversation (the reference's <c>Message</c>, data_types.py). Immutable.
/// <code>
/// new Message("user", "The sun rises in the east.")
/// new Message("assistant", AudioContent.FromFile("voice.wav"))
/// new Message("user", "What is said here? ", AudioContent.FromFile("question.wav"))
/// </code>
/// </summary>
public sealed class Message
{
    internal const string System = "system", User = "user", Assistant = "assistant", Tool = "ipython";

    /// <param name="role">Who speaks: <c>system</c>, <c>user</c>, <c>assistant</c>, or <c>ipython</c> (Llama 3's name for what a tool answers; text
    /// only).</param>
    /// <param name="content">What is said: strings and <see cref="MessageContent"/>, in order.</param>
    /// <exception cref="ArgumentException">The role is none of these, or cannot have this content.</exception>
    public Message(string role, params IEnumerable<MessageContent> content)
    {
        ArgumentNullException.ThrowIfNull(role);
        ArgumentNullException.ThrowIfNull(content);
        if (role is not (System or User or Assistant or Tool))
            throw new ArgumentException(
                $"'{role}' is not a role; expected {System}, {User}, {Assistant} or {Tool}. (A scene is part of the system message's text.)", nameof(role));
        (Role, Content) = (role, content.ToArray().AsReadOnly());
        if (Content.Contains(null!))
            throw new ArgumentException($"Content of a message of '{role}' is null.", nameof(content));
        if (role == Tool && Content.Any(piece => piece is AudioContent))
            throw new ArgumentException($"A message of '{role}' cannot hold audio.", nameof(content));
    }

    /// <summary>Who speaks.</summary>
    public string Role { get; }

    /// <summary>What is said, piece by piece.</summary>
    public IReadOnlyList<MessageContent> Content { get; }

    /// <summary>Whom an assistant's message is for, such as a tool; null or empty for the user.</summary>
    /// <exception cref="ArgumentException">The message is not the assistant's.</exception>
    public string? Recipient
    {
        get;
        init => field = string.IsNullOrEmpty(value) || Role == Assistant
            ? value
            : throw new ArgumentException($"A message of '{Role}' cannot have a recipient; only one of '{Assistant}' can.", nameof(value));
    }
}
