namespace HiggsAudio.TextNormalization;

/// <summary>A text while it is read.</summary>
/// <param name="Text">The cleaned text.</param>
/// <param name="IsShouted">Whether it is mostly in capitals, so that these say nothing about a word.</param>
internal readonly record struct TextReaderState(string Text, bool IsShouted);

/// <summary>What capitals and neighbours tell.</summary>
internal static class LetterCase
{
    /// <summary>Whether most letters are capitals, in more than one word.</summary>
    public static bool IsShouted(string text)
    {
        int upper = 0, lower = 0, words = 0;
        for (int i = 0; i < text.Length; i++)
        {
            upper += char.IsUpper(text[i]) ? 1 : 0;
            lower += char.IsLower(text[i]) ? 1 : 0;
            words += char.IsLetter(text[i]) && (i == 0 || !char.IsLetter(text[i - 1])) ? 1 : 0;
        }
        return words > 2 && upper > 2 * lower;
    }

    /// <summary>The end of the letters (with marks on them) that begin at a position.</summary>
    public static int EndOfLetters(string text, int start)
    {
        int end = start;
        while (end < text.Length && (char.IsLetter(text[end]) || char.IsBetween(text[end], '\u0300', '\u036f')))
            end++;
        return end;
    }

    /// <summary>Whether a capitalised word follows at a position, a space or none before it.</summary>
    public static bool CapitalFollows(string text, int position)
    {
        int i = SkipSpace(text, position);
        if (i < text.Length && text[i] is '"' or '\'' or '(')
            i++;
        return i < text.Length && char.IsUpper(text[i]);
    }

    /// <summary>Whether there is nothing but punctuation after a position, or a space and a capital: the end of a sentence.</summary>
    public static bool SentenceEnds(string text, int position)
    {
        while (position < text.Length && text[position] is '"' or '\'' or ')')
            position++;
        return position >= text.Length || text[position] == ' ' && (position + 1 == text.Length || CapitalFollows(text, position));
    }

    /// <summary>The word directly before a position, one space between; empty if there is none.</summary>
    public static ReadOnlySpan<char> WordBefore(string text, int position)
    {
        int end = position;
        if (end > 0 && text[end - 1] == ' ')
            end--;
        int start = end;
        while (start > 0 && end - start < 32 && char.IsLetterOrDigit(text[start - 1]))
            start--;
        return text.AsSpan(start, end - start);
    }

    /// <summary>The letters at a position, a space before them skipped.</summary>
    public static ReadOnlySpan<char> WordAfter(string text, int position)
    {
        int start = SkipSpace(text, position), end = start;
        while (end < text.Length && end - start < 32 && char.IsLetter(text[end]))
            end++;
        return text.AsSpan(start, end - start);
    }

    public static int SkipSpace(string text, int position) => position < text.Length && text[position] == ' ' ? position + 1 : position;
}
