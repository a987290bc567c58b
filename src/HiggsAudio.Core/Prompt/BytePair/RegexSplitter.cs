using System.Text.RegularExpressions;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>
/// Splits by any pattern, with .NET's regular expressions. They look at UTF-16 units, so characters beyond the basic plane are neither letters
/// nor numbers to them (a pair of surrogates is still never torn apart), and <c>\s</c>, <c>\p{…}</c> and case folding are .NET's own.
/// </summary>
internal sealed class RegexSplitter : TextSplitter
{
    private readonly Regex _pattern;

    /// <exception cref="ArgumentException">.NET cannot read the pattern.</exception>
    public RegexSplitter(string pattern)
    {
        try
        {
            _pattern = new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (NotSupportedException)   // looking around needs backtracking, and that a limit: the pattern is not ours
        {
            _pattern = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(30));
        }
    }

    /// <inheritdoc/>
    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = text.Length;
        foreach (ValueMatch match in _pattern.EnumerateMatches(text, start))
            if (match.Index + match.Length > start)
            {
                end = match.Index > start ? match.Index : match.Index + match.Length;   // what lies between matches is a piece, too
                break;
            }
        return end < text.Length && char.IsLowSurrogate(text[end]) && char.IsHighSurrogate(text[end - 1]) ? end + 1 : end;
    }
}
