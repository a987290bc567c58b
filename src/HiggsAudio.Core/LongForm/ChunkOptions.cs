namespace HiggsAudio;

/// <summary>Where a transcript is divided.</summary>
public enum ChunkMethod
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>Between sentences where they are short enough, else between clauses, else between words; and where the speaker changes.</summary>
    Sentence,

    /// <summary>Where the speaker changes, exactly as the reference does it (prepare_chunk_text of examples/generation.py).</summary>
    Speaker,

    /// <summary>After so many words, exactly as the reference does it, Chinese apart: see <see cref="ChunkOptions.WordSegmenter"/>.</summary>
    Word,
}

/// <summary>How to divide a long transcript into what the model reads at a time. Immutable.</summary>
public sealed record ChunkOptions
{
    /// <summary>Where to divide.</summary>
    public ChunkMethod Method { get; init; } = ChunkMethod.Sentence;

    /// <summary>
    /// Most words of a chunk, 1 or more, for <see cref="ChunkMethod.Sentence"/> (where two Chinese or Japanese characters count as a word) and
    /// <see cref="ChunkMethod.Word"/>. 100 words are some 40 seconds of speech.
    /// </summary>
    public int MaxWords { get; init; } = 100;

    /// <summary>Most turns of a chunk, 1 or more, for <see cref="ChunkMethod.Sentence"/> and <see cref="ChunkMethod.Speaker"/>.</summary>
    public int MaxTurns { get; init; } = 1;

    /// <summary>Most characters of a chunk, 1 or more, for <see cref="ChunkMethod.Sentence"/>; a longer word stays whole. Null for any number.</summary>
    public int? MaxCharacters { get; init; }

    /// <summary>
    /// Cuts Chinese text into words for <see cref="ChunkMethod.Word"/>; the words joined must be the text. The reference uses the dictionary of
    /// jieba: hand in a port of it to get the reference's chunks. Null for a rule without a dictionary (common one-character words, else pairs of
    /// characters), by which Chinese chunks end elsewhere than the reference's and may divide a word.
    /// </summary>
    public Func<string, IEnumerable<string>>? WordSegmenter { get; init; }

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or there is no such method; the message names it.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxWords, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxTurns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxCharacters ?? 1, 1, nameof(MaxCharacters));
        if (!Enum.IsDefined(Method))
            throw new ArgumentOutOfRangeException(nameof(Method), Method, "is not a method");
    }
}
