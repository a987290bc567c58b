using System.Globalization;
using System.Text;

namespace HiggsAudio.TextNormalization;

/// <summary>One way to write what Unicode writes in many: quotation marks, dashes, spaces, digits, ligatures. Emoji and invisible characters go.</summary>
internal static class SourceText
{
    private const string SuperscriptDigits = "⁰¹²³⁴⁵⁶⁷⁸⁹";

    // Letters that stand for several, quotation marks, dashes (— is one that divides, – one that joins).
    private static readonly Dictionary<char, string> Replacements = new()
    {
        ['\u2018'] = "'", ['\u2019'] = "'", ['\u201b'] = "'", ['\u02bc'] = "'", ['\u2032'] = "'", ['`'] = "'", ['\u00b4'] = "'",
        ['\u201c'] = "\"", ['\u201d'] = "\"", ['\u201e'] = "\"", ['\u201f'] = "\"", ['\u00ab'] = "\"", ['\u00bb'] = "\"", ['\u2033'] = "\"",
        ['\u2010'] = "-", ['\u2011'] = "-", ['\u2012'] = "–", ['\u2015'] = "—", ['\u2212'] = "−", ['\u2026'] = "...",
        ['\ufb00'] = "ff", ['\ufb01'] = "fi", ['\ufb02'] = "fl", ['\ufb03'] = "ffi", ['\ufb04'] = "ffl",
        ['\u00bc'] = " 1/4", ['\u00bd'] = " 1/2", ['\u00be'] = " 3/4", ['\u2153'] = " 1/3", ['\u2154'] = " 2/3", ['\u215b'] = " 1/8", ['\u2044'] = "/",
        ['\u2103'] = "°C", ['\u2109'] = "°F", ['\u00b5'] = "μ", ['\u2126'] = "Ω", ['\u212b'] = "Å", ['\u2122'] = "", ['\u00ae'] = "",
        ['\u3002'] = ". ", ['\u3001'] = ", ", ['\uff65'] = " ",
    };

    public static string Clean(string text)
    {
        var result = new StringBuilder(text.Length + 16);
        int lineBreaks = 0;
        foreach (char raw in text)
        {
            // The letters, digits and marks that Chinese and Japanese type as wide as their own.
            char c = raw is >= '\uff01' and <= '\uff5e' ? (char)(raw - 0xfee0) : raw;
            if (char.IsWhiteSpace(c))
            {
                lineBreaks += c is '\n' or '\u2029' ? 1 : 0;
                if (result.Length > 0 && result[^1] != ' ')
                    result.Append(' ');
                continue;
            }
            if (lineBreaks > 1)
                EndParagraph(result);
            lineBreaks = 0;
            Append(result, c);
        }
        return result.ToString();
    }

    private static void Append(StringBuilder result, char c)
    {
        if (Replacements.TryGetValue(c, out string? written))
            result.Append(written);
        else if (SuperscriptDigits.IndexOf(c) is >= 0 and int digit && c is not ('²' or '³'))
            result.Append((char)('0' + digit));
        else if (!IsSilent(c))
            result.Append(c);
    }

    // A heading is a sentence.
    private static void EndParagraph(StringBuilder result)
    {
        if (result.Length > 1 && char.IsLetterOrDigit(result[^2]))
            result.Insert(result.Length - 1, '.');
    }

    // Emoji (pairs of surrogates, pictures), joiners, variation selectors, controls, private use.
    private static bool IsSilent(char c) => char.IsAscii(c) ? c < ' ' || c == '\x7f' : char.GetUnicodeCategory(c) switch
    {
        UnicodeCategory.Surrogate or UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.EnclosingMark => true,
        UnicodeCategory.OtherSymbol => c is not ('°' or '©' or '№'),
        UnicodeCategory.NonSpacingMark => c is >= '\ufe00' and <= '\ufe0f',
        _ => false,
    };
}
