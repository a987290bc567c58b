namespace HiggsAudio;

/// <summary>A part of a transcript that the model reads at a time.</summary>
/// <param name="Text">What the model reads.</param>
/// <param name="Separator">The white space that stood between this chunk and the next; all chunks' texts and separators joined are the transcript again.</param>
public readonly record struct TranscriptChunk(string Text, string Separator = "")
{
    /// <inheritdoc/>
    public override string ToString() => Text;
}
