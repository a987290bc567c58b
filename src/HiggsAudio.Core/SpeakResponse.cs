namespace HiggsAudio;

/// <summary>A text that was spoken.</summary>
public sealed record SpeakResponse
{
    /// <summary>The sound, pauses included; null if there is none.</summary>
    public Waveform? Audio { get; init; }

    /// <summary>Samples per second of <see cref="Audio"/>, in Hz.</summary>
    public int SamplingRate { get; init; }

    /// <summary>The frames of all chunks, one after the other, without pauses; null if there are none.</summary>
    public AudioCodes? AudioCodes { get; init; }

    /// <summary>The chunks that the text was divided into, and what became of each.</summary>
    public required IReadOnlyList<SpokenChunk> Chunks { get; init; }

    /// <summary>What all chunks cost together.</summary>
    public Usage Usage { get; init; }

    /// <summary>Why the first chunk that went wrong ended; if none did, why the last ended.</summary>
    public FinishReason FinishReason { get; init; }

    /// <summary>Writes the sound as a 16-bit WAV file.</summary>
    /// <param name="path">The file; written whole or not at all.</param>
    /// <exception cref="InvalidOperationException">There is no sound.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void SaveWav(string path) =>
        (Audio ?? throw new InvalidOperationException($"There is no sound (it ended with {FinishReason}).")).SaveWav(path);
}

/// <summary>A chunk of a text that was spoken.</summary>
public sealed record SpokenChunk
{
    /// <summary>What the model read.</summary>
    public required string Text { get; init; }

    /// <summary>Where its sound begins.</summary>
    public TimeSpan StartTime { get; init; }

    /// <summary>Its frames; null if the model made none.</summary>
    public AudioCodes? AudioCodes { get; init; }

    /// <summary>Why it ended.</summary>
    public FinishReason FinishReason { get; init; }

    /// <summary>The seed that its draws followed from.</summary>
    public long Seed { get; init; }

    /// <summary>How often it was made (see <see cref="RetryPolicy"/>).</summary>
    public int Attempts { get; init; } = 1;

    /// <summary>What it cost, all attempts together.</summary>
    public Usage Usage { get; init; }

    /// <summary>Whether the model ended it itself, with sound.</summary>
    public bool IsComplete => FinishReason is FinishReason.Stop or FinishReason.AudioEnd;

    /// <summary>The answer's tokens; empty if a guard ended it.</summary>
    internal IReadOnlyList<int> TextTokens { get; init; } = [];

    /// <summary>The answer's segments, still delayed; empty if a guard ended it.</summary>
    internal IReadOnlyList<AudioCodes> Segments { get; init; } = [];
}
