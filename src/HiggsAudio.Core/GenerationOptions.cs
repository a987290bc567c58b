namespace HiggsAudio;

/// <summary>
/// How to generate. Immutable; names and defaults are those of the reference's <c>HiggsAudioServeEngine.generate</c> (serve_engine.py),
/// <see cref="MaxNewTokens"/> that of its generation.py.
/// </summary>
public sealed record GenerationOptions
{
    /// <summary>
    /// Most steps of the model, 1 or more. A step makes one text token or one column of audio codes (40 ms); the columns with which the
    /// delay pattern begins and ends a segment count too.
    /// </summary>
    public int MaxNewTokens { get; init; } = 2048;

    /// <summary>
    /// Divides the logits: below 1 what is likely gets likelier, above 1 less so. At least 0.001, or 0 to take the likeliest always ("greedy").
    /// Low values keep the model from ending: 0.3 often runs to <see cref="MaxNewTokens"/>.
    /// </summary>
    public float Temperature { get; init; } = 0.7f;

    /// <summary>Draws from this many most likely only (and those as likely as the last of them). Null or 0: from all.</summary>
    public int? TopK { get; init; }

    /// <summary>Draws from the most likely that together have this probability, 0 to 1. 1: from all.</summary>
    public float TopP { get; init; } = 0.95f;

    /// <summary>
    /// The window of repetition aware sampling (VALL-E 2, arXiv:2406.05370), in columns of audio codes. A code that was in the window of its
    /// codebook <see cref="RasWinMaxNumRepeat"/> times is drawn once more, from all codes at temperature 1: also when
    /// <see cref="Temperature"/> is 0, where it is the only thing that <see cref="Seed"/> decides. Null, 0 or less: off.
    /// </summary>
    public int? RasWinLen { get; init; } = 7;

    /// <summary>How often a code may be in the window of <see cref="RasWinLen"/> before it is drawn again, 0 or more.</summary>
    public int RasWinMaxNumRepeat { get; init; } = 2;

    /// <summary>Text that ends the answer. The tokens with which the model ends its turn always do.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = ["<|end_of_text|>", "<|eot_id|>"];

    /// <summary>Begins the answer with audio, rather than to let the model choose between audio and text.</summary>
    public bool ForceAudioGeneration { get; init; }

    /// <summary>Ends the answer with its first audio segment (<see cref="FinishReason.AudioEnd"/>), rather than to let the model go on in text.</summary>
    public bool StopAtAudioEnd { get; init; }

    /// <summary>
    /// Ends the answer (<see cref="FinishReason.Loop"/>) when the same frames, up to 50 of them, have come again and again for so many frames, 10 or
    /// more; frames count as the same if three of four of their codes are. Null: never.
    /// </summary>
    public int? MaxLoopFrames { get; init; }

    /// <summary>
    /// What the random draws follow from: the same seed, options and logits give the same codes on every machine. Null: another one each time.
    /// </summary>
    public long? Seed { get; init; }

    /// <summary>
    /// Trims each segment like the reference, which drops the last frame of an answer that was cut by <see cref="MaxNewTokens"/> and plays a
    /// stray BOS or EOS inside as the codebook's last code. Otherwise the frames that hold BOS or EOS are dropped and no other.
    /// </summary>
    public bool ReferenceTrimming { get; init; }

    /// <summary>
    /// Whether the model hears the audio of user and system messages (the reference's <c>return_audio_in_tokens</c>). The reference's serve engine
    /// does not: it leaves a masked row in its place, which harms what follows. Here it always does, except in tests against the reference.
    /// </summary>
    internal bool ReturnAudioInTokens { get; init; } = true;

    /// <summary>
    /// What cancelling does: true gives what was made until then, with <see cref="FinishReason.Cancelled"/>; false throws
    /// <see cref="OperationCanceledException"/>.
    /// </summary>
    public bool KeepPartialAnswer { get; init; }

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(MaxNewTokens >= 1, nameof(MaxNewTokens), "1 or more", MaxNewTokens);
        Require(float.IsFinite(Temperature) && Temperature is 0 or >= 0.001f, nameof(Temperature), "0, or 0.001 or more", Temperature);
        Require(TopK is null or >= 0, nameof(TopK), "null, 0 or more", TopK);
        Require(TopP is >= 0 and <= 1, nameof(TopP), "between 0 and 1", TopP);
        Require(RasWinMaxNumRepeat >= 0, nameof(RasWinMaxNumRepeat), "0 or more", RasWinMaxNumRepeat);
        Require(MaxLoopFrames is null or >= 10, nameof(MaxLoopFrames), "null, or 10 or more", MaxLoopFrames);
        Require(StopStrings is not null, nameof(StopStrings), "a list", "null");
        foreach (string stop in StopStrings!)
            Require(!string.IsNullOrEmpty(stop), nameof(StopStrings), "without empty strings", "one");
    }

    private static void Require(bool satisfied, string name, string expected, object? found) =>
        OptionRange.Require(satisfied, nameof(GenerationOptions), name, expected, found);
}
