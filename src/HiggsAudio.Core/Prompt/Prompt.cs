namespace HiggsAudio.Prompts;

/// <summary>What a row of a prompt is.</summary>
internal enum PromptRowKind : byte
{
    /// <summary>A text token.</summary>
    Text,

    /// <summary>A column of a clip in a system or user message.</summary>
    AudioIn,

    /// <summary>A column of a clip in an assistant message.</summary>
    AudioOut,

    /// <summary>The placeholder of a clip that the model is not given: an embedding of zeros that nothing attends to.</summary>
    Padding,
}

/// <summary>A row of a prompt.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Id">Its id: of a column of audio the placeholder's, of padding the padding's.</param>
/// <param name="Column">Of audio: its column in <see cref="Prompt.AudioIn"/> or <see cref="Prompt.AudioOut"/>.</param>
internal readonly record struct PromptRow(PromptRowKind Kind, int Id, int Column);

/// <summary>Clips one after the other, as columns that the model reads.</summary>
/// <param name="Codebooks">Codes of a column.</param>
/// <param name="Codes">[columns, codebooks], one column after the other.</param>
/// <param name="Starts">The column where each clip starts.</param>
internal sealed record PromptClips(int Codebooks, int[] Codes, int[] Starts)
{
    /// <summary>Number of columns.</summary>
    public int Columns => Codes.Length / Codebooks;

    /// <summary>The codes of a column. [codebooks]</summary>
    public ReadOnlySpan<int> Column(int column) => Codes.AsSpan(column * Codebooks, Codebooks);
}

/// <summary>A prompt as the model reads it: one row per text token and per column of audio.</summary>
/// <param name="InputIds">The tokens, each clip one placeholder.</param>
/// <param name="Rows">The rows.</param>
/// <param name="AudioIn">The clips of system and user messages that the model is given.</param>
/// <param name="AudioOut">The clips of assistant messages: also the history that repetition-aware sampling looks back on.</param>
internal sealed record Prompt(int[] InputIds, PromptRow[] Rows, PromptClips AudioIn, PromptClips AudioOut)
{
    /// <summary>Rows before the last message of the user: what requests are likely to have in common. 0 if there is none.</summary>
    public int PrefixRows { get; init; }

    /// <summary>The codes of a row of audio. [codebooks]</summary>
    public ReadOnlySpan<int> CodesOf(PromptRow row) => (row.Kind == PromptRowKind.AudioIn ? AudioIn : AudioOut).Column(row.Column);
}
