namespace HiggsAudio;

/// <summary>A piece of a <see cref="Message"/>: <see cref="TextContent"/> or <see cref="AudioContent"/>. A string is text.</summary>
public abstract class MessageContent
{
    private protected MessageContent()
    {
    }

    /// <summary>Text as content.</summary>
    public static implicit operator MessageContent(string text) => new TextContent(text);
}

/// <summary>A piece of text in a <see cref="Message"/>.</summary>
public sealed class TextContent : MessageContent
{
    /// <param name="text">The text. Special tokens such as <c>&lt;|scene_desc_start|&gt;</c> written in it are special tokens to the model.</param>
    public TextContent(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Text = text;
    }

    /// <summary>The text.</summary>
    public string Text { get; }

    /// <inheritdoc/>
    public override string ToString() => Text;
}
