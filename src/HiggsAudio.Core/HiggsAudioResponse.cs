namespace HiggsAudio;

/// <summary>A whole answer (the reference's <c>HiggsAudioResponse</c>, serve_engine.py).</summary>
public sealed record HiggsAudioResponse
{
    /// <summary>The sound of all audio segments, one after the other; null if the answer is text alone.</summary>
    public Waveform? Audio { get; init; }

    /// <summary>Samples per second of <see cref="Audio"/>, in Hz.</summary>
    public int SamplingRate { get; init; }

    /// <summary>The text, with the special tokens that stand for audio; the model's turn may hold text and audio in any order.</summary>
    public required string GeneratedText { get; init; }

    /// <summary>The tokens of <see cref="GeneratedText"/>: one <c>&lt;|AUDIO_OUT|&gt;</c> for each audio segment.</summary>
    public required IReadOnlyList<int> GeneratedTextTokens { get; init; }

    /// <summary>Each audio segment as the model made it: still in the delay pattern, with BOS and EOS.</summary>
    public required IReadOnlyList<AudioCodes> GeneratedAudioTokens { get; init; }

    /// <summary>The frames of all segments that <see cref="Audio"/> was decoded from; null if there are none.</summary>
    public AudioCodes? AudioCodes { get; init; }

    /// <summary>What the answer cost.</summary>
    public Usage Usage { get; init; }

    /// <summary>Why it ended.</summary>
    public FinishReason FinishReason { get; init; }

    /// <summary>The seed that the draws followed from: with it and the same options the same codes come again.</summary>
    public long Seed { get; init; }

    /// <summary>Writes the sound as a 16-bit WAV file.</summary>
    /// <param name="path">The file; written whole or not at all.</param>
    /// <exception cref="InvalidOperationException">The answer has no audio.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void SaveWav(string path) =>
        (Audio ?? throw new InvalidOperationException($"The answer has no audio (it ended with {FinishReason}; text: '{GeneratedText}').")).SaveWav(path);
}
