using System.Globalization;
using System.Text.RegularExpressions;

namespace HiggsAudio.TextNormalization;

/// <summary>Numbers and what belongs to them: signs, fractions, ordinals, ranges, units, telephone and version numbers.</summary>
internal static partial class Numbers
{
    private const int FirstYear = 1100, LastYear = 2099;

    private static readonly HashSet<string> NotPlural = ["was", "is", "has", "does", "as", "its", "his", "this", "us", "plus", "versus", "unless", "less", "thus", "perhaps"];

    private static readonly HashSet<string> BeforeYears =
        ["in", "since", "of", "by", "from", "until", "till", "before", "after", "during", "circa", "about", "around", "year", "and", "or", "to"];

    public static bool TryRead(string text, int start, SpokenText speech, out int end)
    {
        end = start;
        char c = text[start];
        if (!char.IsAsciiDigit(c) && c != '.')
            return TrySign(text, start, speech, ref end) || c == '(' && TryTelephone(text, start, speech, ref end);
        bool attached = start > 0 && char.IsLetter(text[start - 1]);
        if (!attached && c != '.' && (TryTelephone(text, start, speech, ref end) || TryFraction(text, start, speech, ref end) || TryFeet(text, start, speech, ref end)))
            return true;
        if (TryDotted(text, start, speech, ref end) || TryOrdinal(text, start, speech, ref end) || TryDecade(text, start, speech, ref end))
            return true;
        if (!NumberText.TryRead(text, start, out NumberText number))
            return false;
        end = number.End;
        if (TryDimensions(text, number, speech, ref end) || TryPower(text, number, speech, ref end) || Units.TryRead(text, number, speech, ref end))
            return true;
        SayPlain(text, start, number, speech);
        SayScale(text, speech, ref end);
        SayRange(text, speech, ref end);
        return true;
    }

    // -5, +3, ±2, ~100, #1: where no word is before it.
    private static bool TrySign(string text, int start, SpokenText speech, ref int end)
    {
        string? word = text[start] switch
        {
            '-' or '−' => "minus",
            '+' => "plus",
            '±' => "plus or minus",
            '~' or '≈' => "about",
            '#' or '№' => "number",
            _ => null,
        };
        int next = text[start] == '№' ? LetterCase.SkipSpace(text, start + 1) : start + 1;
        if (word is null || next >= text.Length || start > 0 && (char.IsLetterOrDigit(text[start - 1]) || text[start - 1] is ')' or '%' or '-'))
            return false;
        if (text[start] == '+' && TryTelephone(text, start, speech, ref end))
            return true;
        bool number = char.IsAsciiDigit(text[next]) || text[next] is '$' or '€' or '£' || text[next] == '.' && next + 1 < text.Length && char.IsAsciiDigit(text[next + 1]);
        if (!number)
            return false;
        speech.Say(word);
        end = next;
        return true;
    }

    private static bool TryTelephone(string text, int start, SpokenText speech, ref int end)
    {
        Match match = Telephone().Match(text, start);
        if (!match.Success)
            return false;
        end = start + match.Length;
        if (text[start] == '+')
            speech.Say("plus");
        bool first = true;
        foreach (Capture group in match.Groups["group"].Captures)
        {
            if (!first)
                speech.Mark(",");
            speech.Say(NumberWords.Digits(group.ValueSpan));
            first = false;
        }
        return true;
    }

    // 1/2, 2 1/2, 7/8
    private static bool TryFraction(string text, int start, SpokenText speech, ref int end)
    {
        Match match = Fraction().Match(text, start);
        if (!match.Success)
            return false;
        end = start + match.Length;
        string upper = match.Groups["upper"].Value, lower = match.Groups["lower"].Value;
        if (match.Groups["whole"].Success)
            speech.Say(NumberWords.Cardinal(match.Groups["whole"].ValueSpan) + " and");
        string? words = (upper, lower) switch
        {
            ("24", "7") => "twenty four seven",
            ("9", "11") => "nine eleven",
            ("1", "2") => match.Groups["whole"].Success ? "a half" : "one half",
            ("1", "4") => match.Groups["whole"].Success ? "a quarter" : "one quarter",
            (_, "4") => NumberWords.Cardinal(upper) + " quarters",
            (_, "2") => NumberWords.Cardinal(upper) + " halves",
            _ => null,
        };
        int denominator = int.Parse(lower, CultureInfo.InvariantCulture);
        bool ordinal = denominator is > 2 and <= 100 or 1000 && lower[0] != '0' && upper[0] != '0';
        words ??= !ordinal ? $"{NumberWords.Cardinal(upper)} over {NumberWords.Cardinal(lower)}"
            : upper == "1" ? $"one {NumberWords.Ordinal(lower)}"
            : $"{NumberWords.Cardinal(upper)} {NumberWords.Plural(NumberWords.Ordinal(lower))}";
        speech.Say(words);
        return true;
    }

    // 5'10"
    private static bool TryFeet(string text, int start, SpokenText speech, ref int end)
    {
        Match match = Feet().Match(text, start);
        if (!match.Success)
            return false;
        end = start + match.Length;
        speech.Say($"{NumberWords.Cardinal(match.Groups[1].ValueSpan)} feet {NumberWords.Cardinal(match.Groups[2].ValueSpan)} inches");
        return true;
    }

    // 1.2.3, 192.168.0.1
    private static bool TryDotted(string text, int start, SpokenText speech, ref int end)
    {
        Match match = Dotted().Match(text, start);
        if (!match.Success)
            return false;
        end = start + match.Length;
        speech.Say(string.Join(" point ", match.Value.Split('.').Select(part => NumberWords.Cardinal(part))));
        return true;
    }

    private static bool TryOrdinal(string text, int start, SpokenText speech, ref int end)
    {
        Match match = Ordinal().Match(text, start);
        if (!match.Success)
            return false;
        end = start + match.Length;
        speech.Say(NumberWords.Ordinal(NumberWords.WithoutSeparators(match.Groups[1].ValueSpan)));
        return true;
    }

    // 1990s, 1900's, '90s, 20s
    private static bool TryDecade(string text, int start, SpokenText speech, ref int end)
    {
        Match match = Decade().Match(text, start);
        if (!match.Success)
            return false;
        end = start + match.Length;
        string digits = match.Groups[1].Value, words = digits.Length == 4 ? NumberWords.Year(int.Parse(digits, CultureInfo.InvariantCulture)) : NumberWords.Cardinal(digits);
        speech.Say(NumberWords.Plural(words));
        return true;
    }

    // 1920x1080, 3 × 4
    private static bool TryDimensions(string text, NumberText number, SpokenText speech, ref int end)
    {
        Match match = Times().Match(text, number.End);
        if (!match.Success)
            return false;
        end = number.End + match.Length;
        speech.Say(number.Words + (match.Groups["by"].Success ? " by" : " times"));
        return true;
    }

    // 1e-5, 10^6
    private static bool TryPower(string text, NumberText number, SpokenText speech, ref int end)
    {
        Match match = Power().Match(text, number.End);
        if (!match.Success)
            return false;
        end = number.End + match.Length;
        string minus = match.Groups["sign"].ValueSpan is "-" or "−" ? "minus " : "";
        string exponent = minus + NumberWords.Cardinal(match.Groups["exponent"].ValueSpan);
        speech.Say(match.Groups["e"].Success ? $"{number.Words} times ten to the {exponent}" : $"{number.Words} to the power of {exponent}");
        return true;
    }

    private static void SayPlain(string text, int start, NumberText number, SpokenText speech)
    {
        bool year = number is { HasFraction: false, HasSeparators: false, Written.Length: 4 } && number.Written[0] != '0'
            && int.Parse(number.Written, CultureInfo.InvariantCulture) is >= FirstYear and <= LastYear && IsYear(text, start, number.End);
        speech.Say(year ? NumberWords.Year(int.Parse(number.Written, CultureInfo.InvariantCulture)) : number.Words);
    }

    // Four digits are a year, unless things are counted: a plural follows and nothing before it says when.
    private static bool IsYear(string text, int start, int end)
    {
        if (BeforeYears.Contains(LetterCase.WordBefore(text, start).ToString().ToLowerInvariant()))
            return true;
        string next = LetterCase.WordAfter(text, end).ToString();
        return next.Length < 4 || !char.IsLower(next[0]) || next[^1] != 's' || next.EndsWith("ss", StringComparison.Ordinal) || NotPlural.Contains(next);
    }

    // 10k, 5M, 2bn
    private static void SayScale(string text, SpokenText speech, ref int end)
    {
        Match match = Scale().Match(text, end);
        if (!match.Success)
            return;
        end += match.Length;
        speech.Say(match.ValueSpan[0] switch { 'k' or 'K' => "thousand", 'M' => "million", 't' => "trillion", _ => "billion" });
    }

    // 5-10, 1990–1995
    internal static void SayRange(string text, SpokenText speech, ref int end)
    {
        Match match = Range().Match(text, end);
        if (!match.Success)
            return;
        end += match.Length;
        speech.Say("to");
    }

    [GeneratedRegex(@"\G(?:\+(?<group>[0-9]{1,4})(?:[ .-]\(?(?<group>[0-9]{2,5})\)?){1,5}|\+(?<group>[0-9]{7,15})|\((?<group>[0-9]{3,4})\)[ .-]?(?<group>[0-9]{3,4})(?:[ .-](?<group>[0-9]{3,4}))?|(?<group>[0-9]{3})-(?<group>[0-9]{4})|(?<group>[0-9]{1,5})(?:-(?<group>[0-9]{1,7})){2,6}|(?<group>0[0-9]{2,4})(?: (?<group>[0-9]{3,6})){1,3}|(?<group>[0-9]{3})\.(?<group>[0-9]{3})\.(?<group>[0-9]{4}))(?![0-9]|[-.,][0-9])")]
    private static partial Regex Telephone();

    [GeneratedRegex(@"\G(?:(?<whole>[0-9]{1,3}) )?(?<upper>[0-9]{1,3})/(?<lower>[0-9]{1,4})(?![0-9]|[/.,][0-9]|\p{L})")]
    private static partial Regex Fraction();

    [GeneratedRegex(@"\G([0-9]{1,2})'([0-9]{1,2})""")]
    private static partial Regex Feet();

    [GeneratedRegex(@"\G[0-9]{1,6}(?:\.[0-9]{1,6}){2,8}(?![0-9]|\.[0-9])")]
    private static partial Regex Dotted();

    [GeneratedRegex(@"\G([0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,15})(?:st|nd|rd|th|ST|ND|RD|TH)(?!\p{L})")]
    private static partial Regex Ordinal();

    [GeneratedRegex(@"\G([12][0-9]{2}0|[2-9]0)'?s(?![\p{L}0-9])")]
    private static partial Regex Decade();

    [GeneratedRegex(@"\G(?:(?<by>x| x | ?× ?)(?=[0-9])|x(?!\p{L}))")]
    private static partial Regex Times();

    [GeneratedRegex(@"\G(?:(?<e>[eE])|\^)(?<sign>[-+−]?)(?<exponent>[0-9]{1,4})(?![0-9\p{L}])")]
    private static partial Regex Power();

    [GeneratedRegex(@"\G(?:k|K|M|mn|bn|B|tn)(?![\p{L}0-9])")]
    private static partial Regex Scale();

    [GeneratedRegex(@"\G(?: ?[–—] ?|-)(?=[$€£]?[0-9])")]
    private static partial Regex Range();
}
