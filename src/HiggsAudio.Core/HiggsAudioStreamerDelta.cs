namespace HiggsAudio;

/// <summary>
/// A piece of an answer, in the order in which it was made: a text token, a column of audio, or the end. Beyond the reference's
/// (serve_engine.py: text, text_tokens, audio_tokens, finish_reason) it carries the sound itself.
/// </summary>
public sealed record HiggsAudioStreamerDelta
{
    /// <summary>Text, whole characters only; empty while a character is incomplete, null in a delta of audio.</summary>
    public string? Text { get; init; }

    /// <summary>The text tokens; null in a delta of audio.</summary>
    public IReadOnlyList<int>? TextTokens { get; init; }

    /// <summary>The column of audio as the model made it: one value per codebook, in the delay pattern, BOS and EOS included. Null in a delta of text.</summary>
    public IReadOnlyList<int>? AudioTokens { get; init; }

    /// <summary>Sound that is ready: mono samples between −1 and 1 at <see cref="SamplingRate"/>. Empty in most deltas: sound comes in chunks.</summary>
    public ReadOnlyMemory<float> Audio { get; init; }

    /// <summary>Frames that became complete, free of the delay pattern; null if none did. Their sound follows a few frames later.</summary>
    public AudioCodes? AudioCodes { get; init; }

    /// <summary>Where <see cref="Audio"/> begins in the answer's sound.</summary>
    public TimeSpan StartTime { get; init; }

    /// <summary>Samples of <see cref="Audio"/> per second.</summary>
    public int SamplingRate { get; init; }

    /// <summary>Why the answer ended; only in the last delta.</summary>
    public FinishReason? FinishReason { get; init; }

    /// <summary>What the answer cost; only in the last delta.</summary>
    public Usage? Usage { get; init; }
}
