using System.Buffers;
using System.Globalization;

namespace HiggsAudio.TextNormalization;

/// <summary>Brings a spoken text into an alphabet.</summary>
internal static class AlphabetFolding
{
    // The letter without its accent of U+00C0 to U+017F and of U+1E00 to U+1EFF; a question mark where there is none or several.
    private const string Latin =
        "AAAAAA?CEEEEIIIIDNOOOOO?OUUUUY??aaaaaa?ceeeeiiiidnooooo?ouuuuy?y" +
        "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi??JjKkkLlLlLlLlLlNnNnNnnNnOoOoOo??RrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

    private const string LatinAdditional =
        "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMmMmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVvWwWwWwWwWw" +
        "XxXxYyZzZzZzhtwy??????AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy??????";

    private static readonly Dictionary<char, string> Several = new()
    {
        ['ß'] = "ss", ['ẞ'] = "SS", ['Æ'] = "AE", ['æ'] = "ae", ['Œ'] = "OE", ['œ'] = "oe", ['Þ'] = "Th", ['þ'] = "th", ['Ĳ'] = "IJ", ['ĳ'] = "ij",
    };

    public static string Fold(string text, EnglishTextOptions options)
    {
        SearchValues<char>? alphabet = options.Alphabet is null ? null : SearchValues.Create(options.Alphabet + " ");
        var speech = new SpokenText(text.Length);
        foreach (char c in text)
            Add(speech, options.LowerCase ? char.ToLowerInvariant(c) : c, alphabet, options.OutsideAlphabet);
        return speech.ToString();
    }

    private static void Add(SpokenText speech, char c, SearchValues<char>? alphabet, OutsideAlphabet outside)
    {
        bool allowed = alphabet is null || alphabet.Contains(c);
        if (c == ' ')
            speech.Gap();
        else if (c is ',' or '.' or '?' or '!' or ';' or ':' && Mark(c, alphabet) is { } mark)
            speech.Mark(mark);
        else if (allowed)
            speech.Copy([c]);
        else if (Letters(c, alphabet!) is { } letters)
            speech.Copy(letters);
        else if (char.GetUnicodeCategory(c) != UnicodeCategory.NonSpacingMark)
            Leave(speech, c, outside);
    }

    private static string? Mark(char c, SearchValues<char>? alphabet)
    {
        foreach (char candidate in c switch { ';' or ':' => $"{c},", '?' or '!' => $"{c}.", _ => $"{c}" })
            if (alphabet is null || alphabet.Contains(candidate))
                return candidate.ToString();
        return null;
    }

    // A letter in the alphabet's letters: as it is, without accent, in the other case.
    private static string? Letters(char c, SearchValues<char> alphabet)
    {
        string plain = Plain(c);
        foreach (string candidate in (ReadOnlySpan<string>)[plain, plain.ToLowerInvariant(), plain.ToUpperInvariant()])
            if (!candidate.AsSpan().ContainsAnyExcept(alphabet))
                return candidate;
        return null;
    }

    private static string Plain(char c)
    {
        if (Several.TryGetValue(c, out string? several))
            return several;
        char plain = c switch
        {
            >= '\u00c0' and < '\u0180' => Latin[c - 0xc0],
            >= '\u1e00' and < '\u1f00' => LatinAdditional[c - 0x1e00],
            _ => c,
        };
        return plain == '?' ? c.ToString() : plain.ToString();
    }

    private static void Leave(SpokenText speech, char c, OutsideAlphabet outside)
    {
        if (c is '-' or '"' or '(' or ')' or ',' or '.' or '?' or '!' or ';' or ':' || outside == OutsideAlphabet.Space)
            speech.Gap();
        else if (outside == OutsideAlphabet.Refuse)
            throw new ArgumentException($"The character '{c}' (U+{(int)c:X4}) is not in the alphabet and has no like in it.");
    }
}
