namespace HiggsAudio;

/// <summary>How an answer is streamed. Immutable.</summary>
public sealed record StreamOptions
{
    /// <summary>How the sound is cut into chunks.</summary>
    public CodecStreamOptions Sound { get; init; } = new();

    /// <summary>Steps (text tokens and columns of audio) that the model may be ahead of the reader before it waits; 250 are 10 s of sound.</summary>
    public int MaxUnreadSteps { get; init; } = 250;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Sound.Validate();
        if (MaxUnreadSteps < 1)
            throw new ArgumentException($"{nameof(StreamOptions)}.{nameof(MaxUnreadSteps)} must be 1 or more, found {MaxUnreadSteps}", nameof(MaxUnreadSteps));
    }
}
