using System.Text;

namespace HiggsAudio.TextNormalization;

/// <summary>Numbers in words, from their digits.</summary>
internal static class NumberWords
{
    /// <summary>Longer numbers are read digit by digit; 18 digits end at 999 quadrillion.</summary>
    public const int MostDigits = 18;

    private static readonly string[] Ones =
    [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
        "sixteen", "seventeen", "eighteen", "nineteen",
    ];

    private static readonly string[] Tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

    private static readonly string[] Scales = ["", "thousand", "million", "billion", "trillion", "quadrillion"];

    private static readonly Dictionary<string, string> Ordinals = new()
    {
        ["one"] = "first", ["two"] = "second", ["three"] = "third", ["five"] = "fifth", ["eight"] = "eighth", ["nine"] = "ninth", ["twelve"] = "twelfth",
    };

    /// <summary>one hundred and twenty three. Digits alone, without separators.</summary>
    public static string Cardinal(ReadOnlySpan<char> digits)
    {
        if (digits.Length > MostDigits || digits.Length > 1 && digits[0] == '0')
            return Digits(digits);
        return Cardinal(long.Parse(digits, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>One hundred and twenty three.</summary>
    public static string Cardinal(long number)
    {
        if (number == 0)
            return Ones[0];
        var groups = new List<string>();
        int scale = 0;
        for (long rest = number; rest > 0; rest /= 1000, scale++)
            if (rest % 1000 is > 0 and long group)
                groups.Add(BelowThousand((int)group) + (scale > 0 ? " " + Scales[scale] : ""));
        groups.Reverse();
        bool and = number > 1000 && number % 1000 is > 0 and < 100;
        return and ? string.Join(' ', groups[..^1]) + " and " + groups[^1] : string.Join(' ', groups);
    }

    /// <summary>One hundred and twenty third.</summary>
    public static string Ordinal(ReadOnlySpan<char> digits) => ToOrdinal(Cardinal(digits));

    /// <summary>The ordinal of a cardinal: its last word changes.</summary>
    public static string ToOrdinal(string cardinal)
    {
        int start = cardinal.LastIndexOf(' ') + 1;
        string last = cardinal[start..];
        string ordinal = Ordinals.TryGetValue(last, out string? irregular) ? irregular
            : last.EndsWith('y') ? last[..^1] + "ieth"
            : last + "th";
        return cardinal[..start] + ordinal;
    }

    /// <summary>Several of them: twenties, hundreds, thirds.</summary>
    public static string Plural(string word) => word.EndsWith('y') ? word[..^1] + "ies" : word.EndsWith('x') ? word + "es" : word + "s";

    /// <summary>Nineteen ninety nine; nineteen oh five; two thousand and five; twenty twenty six.</summary>
    /// <param name="year">1 to 9999.</param>
    public static string Year(int year)
    {
        (int century, int rest) = Math.DivRem(year, 100);
        if (year < 1000 || century % 10 == 0 && rest < 10)
            return Cardinal(year);
        return rest switch
        {
            0 => $"{Cardinal(century)} hundred",
            < 10 => $"{Cardinal(century)} oh {Ones[rest]}",
            _ => $"{Cardinal(century)} {Cardinal(rest)}",
        };
    }

    /// <summary>One two three.</summary>
    public static string Digits(ReadOnlySpan<char> digits)
    {
        var words = new StringBuilder(digits.Length * 6);
        foreach (char digit in digits)
            if (char.IsAsciiDigit(digit))
                words.Append(words.Length > 0 ? " " : "").Append(Ones[digit - '0']);
        return words.ToString();
    }

    /// <summary>A number as written, with separators of thousands and a fraction: one thousand two hundred and thirty four point five.</summary>
    public static string Decimal(ReadOnlySpan<char> number)
    {
        int point = number.IndexOf('.');
        ReadOnlySpan<char> whole = point < 0 ? number : number[..point];
        string words = whole.IsEmpty ? "zero" : Cardinal(WithoutSeparators(whole));
        return point < 0 ? words : $"{words} point {Digits(number[(point + 1)..])}";
    }

    /// <summary>The digits of a number that has commas.</summary>
    public static string WithoutSeparators(ReadOnlySpan<char> number) => number.ToString().Replace(",", "", StringComparison.Ordinal);

    private static string BelowThousand(int number)
    {
        if (number < 20)
            return Ones[number];
        if (number < 100)
            return Tens[number / 10] + (number % 10 > 0 ? " " + Ones[number % 10] : "");
        return $"{Ones[number / 100]} hundred" + (number % 100 > 0 ? " and " + BelowThousand(number % 100) : "");
    }
}
