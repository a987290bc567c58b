namespace HiggsAudio;

/// <summary>Audio data is not what it has to be: not a WAV file, of a kind that is not supported, broken, or too long. The message says what was expected and what was found.</summary>
public sealed class AudioFormatException : IOException
{
    /// <summary>An exception with a message.</summary>
    public AudioFormatException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}
