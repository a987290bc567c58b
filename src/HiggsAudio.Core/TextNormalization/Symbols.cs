using System.Text.RegularExpressions;

namespace HiggsAudio.TextNormalization;

/// <summary>What is neither a word nor a number.</summary>
internal static partial class Symbols
{
    private static readonly Dictionary<char, string> Names = new()
    {
        ['&'] = "and", ['+'] = "plus", ['='] = "equals", ['@'] = "at", ['%'] = "percent", ['‰'] = "per mille", ['°'] = "degrees", ['\\'] = "backslash",
        ['×'] = "times", ['÷'] = "divided by", ['±'] = "plus or minus", ['−'] = "minus", ['≤'] = "less than or equal to", ['≥'] = "greater than or equal to",
        ['≠'] = "is not equal to", ['≈'] = "is about", ['→'] = "to", ['∞'] = "infinity", ['√'] = "the square root of", ['²'] = "squared", ['³'] = "cubed",
        ['§'] = "section", ['©'] = "copyright", ['№'] = "number", ['$'] = "dollar", ['€'] = "euro", ['£'] = "pound", ['¥'] = "yen", ['¢'] = "cent",
    };

    public static int Read(string text, int start, SpokenText speech)
    {
        char c = text[start], before = start > 0 ? text[start - 1] : ' ', after = start + 1 < text.Length ? text[start + 1] : ' ';
        switch (c)
        {
            case ':' or ';' or '=' when before == ' ' && Emoticon().Match(text, start) is { Success: true } face:
                return start + face.Length;
            case ',' or ';' or ':' or '!' or '?':
                speech.Mark(c.ToString());
                return start + 1;
            case '.':
                return Stop(text, start, before, after, speech);
            case '-' or '–' or '—':
                return Dash(text, start, before, after, speech);
            case '"' or '(' or '[' or '{' or ')' or ']' or '}':
                Bracket(c, before, after, speech);
                return start + 1;
            case '\'':
                Apostrophe(text, start, before, after, speech);
                return start + 1;
            case '/':
                return Slash(text, start, before, after, speech);
            default:
                return Other(text, start, before, after, speech);
        }
    }

    private static int Stop(string text, int start, char before, char after, SpokenText speech)
    {
        if (after == '.')
        {
            int end = start;
            while (end < text.Length && text[end] == '.')
                end++;
            speech.Mark("...");
            return end;
        }
        bool inside = char.IsLetterOrDigit(before) && (char.IsLower(after) || char.IsAsciiDigit(after)), first = before == ' ' && char.IsLetter(after);
        if (inside || first)
            speech.Say("dot");
        else
            speech.Mark(".");
        return start + 1;
    }

    private static int Dash(string text, int start, char before, char after, SpokenText speech)
    {
        int end = start + 1;
        while (end < text.Length && text[end] is '-' or '–' or '—')
            end++;
        bool digits = char.IsAsciiDigit(after) && char.IsAsciiDigit(before);
        bool spacedDigits = before == ' ' && after == ' ' && start > 1 && char.IsAsciiDigit(text[start - 2]) && end + 1 < text.Length && char.IsAsciiDigit(text[end + 1]);
        if (end > start + 1 || text[start] == '—')
            speech.Mark(",");
        else if (digits || spacedDigits)
            speech.Say(text[start] == '-' && spacedDigits ? "minus" : "to");
        else if (char.IsLetter(before) && char.IsLetter(after) && text[start] == '-')
            speech.Copy("-");
        else if (before == ' ' && after == ' ')
            speech.Mark(",");
        else
            speech.Gap();
        return end;
    }

    private static void Bracket(char c, char before, char after, SpokenText speech)
    {
        bool opens = c is '(' or '[' or '{' || c == '"' && after != ' ' && (before is ' ' or '(' or '[' or '{' or '-' or '–' or '—');
        if (c != '"')
            c = opens ? '(' : ')';
        if (opens)
            speech.Open(c);
        else
            speech.Close(c);
    }

    // One that elides or possesses stays, a quotation mark goes.
    private static void Apostrophe(string text, int start, char before, char after, SpokenText speech)
    {
        bool elides = !char.IsLetterOrDigit(before) && char.IsLetter(after) && Lexicon.Elided.Contains(LetterCase.WordAfter(text, start + 1).ToString().ToLowerInvariant());
        bool possesses = before is 's' or 'S' && after == ' ' && start + 2 < text.Length && char.IsLower(text[start + 2]);
        if (elides || possesses || char.IsLetter(before) && char.IsLetter(after))
            speech.Copy("'");
        else if (!char.IsLetterOrDigit(before) || !char.IsLetterOrDigit(after))
            speech.Gap();
    }

    private static int Slash(string text, int start, char before, char after, SpokenText speech)
    {
        if (before == ' ' || after is ' ' or '/' || LetterCase.WordBefore(text, start) is "and" && LetterCase.WordAfter(text, start + 1) is "or")
            speech.Gap();
        else
            speech.Say("slash");
        return start + 1;
    }

    private static int Other(string text, int start, char before, char after, SpokenText speech)
    {
        char c = text[start];
        switch (c)
        {
            case '#':
                speech.Say(char.IsLetter(before) && !char.IsLetterOrDigit(after) ? "sharp" : char.IsLetter(after) ? "hashtag" : "");
                break;
            case '*' when char.IsAsciiDigit(before) && char.IsAsciiDigit(after) || before == ' ' && after == ' ' && start > 1 && char.IsAsciiDigit(text[start - 2]):
                speech.Say("times");
                break;
            case '^' when char.IsAsciiDigit(after):
                speech.Say("to the power of");
                break;
            case '<' or '>' when char.IsAsciiDigit(after) || before == ' ' && after == ' ':
                speech.Say(c == '<' ? "less than" : "greater than");
                break;
            case '|':
                speech.Mark(",");
                break;
            case '=' or '+' when after == c:
                break;   // the last of them speaks
            default:
                SayOther(c, speech);
                break;
        }
        return start + 1;
    }

    private static void SayOther(char c, SpokenText speech)
    {
        if (Names.TryGetValue(c, out string? name))
            speech.Say(name);
        else if (char.IsDigit(c))
            speech.Say(NumberWords.Cardinal((long)char.GetNumericValue(c)));   // those of other scripts
        else if (char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.NonSpacingMark or System.Globalization.UnicodeCategory.SpacingCombiningMark)
            speech.Copy([c]);
        else
            speech.Gap();
    }

    [GeneratedRegex(@"\G[:;=]['-]?[)(DPpO|3\]\[*](?![\p{L}0-9])")]
    private static partial Regex Emoticon();
}
