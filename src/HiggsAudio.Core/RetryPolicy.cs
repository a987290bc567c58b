namespace HiggsAudio;

/// <summary>Whether a chunk that went wrong is made again. Immutable.</summary>
public sealed record RetryPolicy
{
    /// <summary>Every chunk is made once.</summary>
    public static RetryPolicy Never { get; } = new();

    /// <summary>
    /// How often a chunk is made at most, 1 or more. One that the model did not end itself (<see cref="FinishReason"/> other than
    /// <see cref="FinishReason.Stop"/> and <see cref="FinishReason.AudioEnd"/>), or for which <see cref="Accept"/> is false, is made again with
    /// another seed; the last attempt is kept in any case. With more than one attempt the sound of a chunk is held back until it is accepted.
    /// </summary>
    public int Attempts { get; init; } = 1;

    /// <summary>Judges a chunk that the model has ended itself, for example by what a speech recogniser hears; null for none.</summary>
    public Func<SpokenChunk, bool>? Accept { get; init; }

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        if (Attempts < 1)
            throw new ArgumentException($"{nameof(RetryPolicy)}.{nameof(Attempts)} must be 1 or more, found {Attempts}", nameof(Attempts));
    }
}
