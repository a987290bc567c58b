namespace HiggsAudio;

/// <summary>How a speaker should sound: like a recording, or as described. Immutable.</summary>
public sealed class SpeakerPrompt
{
    private SpeakerPrompt()
    {
    }

    /// <summary>The description, if it is one.</summary>
    public string? Profile { get; private init; }

    /// <summary>The recording, if it is one.</summary>
    public AudioContent? Audio { get; private init; }

    /// <summary>What is said in the recording.</summary>
    public string Transcript { get; private init; } = "";

    /// <summary>A described voice, such as "He speaks slowly, with a British accent." It cannot contain special tokens of audio.</summary>
    /// <param name="description">The description.</param>
    /// <exception cref="ArgumentException">It is empty.</exception>
    public static SpeakerPrompt FromProfile(string description)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(description);
        return new SpeakerPrompt { Profile = description };
    }

    /// <summary>The voice of a recording.</summary>
    /// <param name="audio">The recording; some 5 to 30 seconds of one voice.</param>
    /// <param name="transcript">What is said in it, word for word; white space around it is ignored. Without use in the system message.</param>
    public static SpeakerPrompt FromAudio(AudioContent audio, string transcript = "")
    {
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentNullException.ThrowIfNull(transcript);
        return new SpeakerPrompt { Audio = audio, Transcript = TranscriptNormalizer.Strip(transcript) };
    }
}
