namespace HiggsAudio.Generation;

/// <summary>
/// Repetition aware sampling (VALL-E 2, arXiv:2406.05370, section 3.2) with the reference's window: the last columns of all audio the
/// model has seen or made as <c>&lt;|AUDIO_OUT|&gt;</c>, the prompt's included, across segments, with their BOS and EOS.
/// </summary>
internal static class RepetitionAwareSampling
{
    /// <summary>How often a code is in the last columns of its codebook.</summary>
    /// <param name="columns">[columns, codebooks], one column after the other.</param>
    /// <param name="codebooks">Codes of a column.</param>
    /// <param name="codebook">Which codebook.</param>
    /// <param name="code">The code drawn.</param>
    /// <param name="window">How many columns, at most, to look back.</param>
    public static int CountRepeats(ReadOnlySpan<int> columns, int codebooks, int codebook, int code, int window)
    {
        int count = 0, oldest = Math.Max(0, columns.Length / codebooks - window);
        for (int t = columns.Length / codebooks - 1; t >= oldest; t--)
            if (columns[t * codebooks + codebook] == code)
                count++;
        return count;
    }
}
