using System.Text.RegularExpressions;

namespace HiggsAudio.TextNormalization;

/// <summary>Amounts of money.</summary>
internal static partial class Money
{
    private sealed record Currency(string One, string Many, string Part = "cent");

    private static readonly Currency Dollar = new("dollar", "dollars"), Euro = new("euro", "euros"), Pound = new("pound", "pounds", "p"),
        Yen = new("yen", "yen", ""), Rupee = new("rupee", "rupees", "paise");

    private static readonly Dictionary<string, Currency> Currencies = new()
    {
        ["$"] = Dollar, ["€"] = Euro, ["£"] = Pound, ["¥"] = Yen, ["₹"] = Rupee, ["US$"] = new("U S dollar", "U S dollars"),
        ["A$"] = new("Australian dollar", "Australian dollars"), ["C$"] = new("Canadian dollar", "Canadian dollars"),
        ["USD"] = new("U S dollar", "U S dollars"), ["EUR"] = Euro, ["GBP"] = new("British pound", "British pounds", "p"), ["JPY"] = Yen, ["INR"] = Rupee,
        ["CHF"] = new("Swiss franc", "Swiss francs"), ["CAD"] = new("Canadian dollar", "Canadian dollars"), ["CNY"] = new("yuan", "yuan", ""),
        ["AUD"] = new("Australian dollar", "Australian dollars"),
    };

    public static bool TryRead(string text, int start, SpokenText speech, out int end)
    {
        end = start;
        if (start > 0 && char.IsLetterOrDigit(text[start - 1]))
            return false;
        char c = text[start];
        if (char.IsAsciiDigit(c))
            return TrySuffix(text, start, speech, ref end);
        if (!char.IsAsciiLetterUpper(c) && !Currencies.ContainsKey(c.ToString()))
            return false;
        Match sign = Prefix().Match(text, start);
        if (!sign.Success || !Currencies.TryGetValue(sign.Groups[1].Value, out Currency? currency) || !NumberText.TryRead(text, start + sign.Length, out NumberText number))
            return false;
        end = Say(speech, text, number, currency);
        return true;
    }

    // 5 USD, 20€, 5¢
    private static bool TrySuffix(string text, int start, SpokenText speech, ref int end)
    {
        if (!NumberText.TryRead(text, start, out NumberText number))
            return false;
        Match sign = Suffix().Match(text, number.End);
        if (!sign.Success)
            return false;
        end = number.End + sign.Length;
        string name = sign.Groups[1].Value;
        if (name == "¢")
            speech.Say($"{number.Words} cent{(number.IsOne ? "" : "s")}");
        else
            speech.Say(Words(number, "", Currencies[name]));
        return true;
    }

    private static int Say(SpokenText speech, string text, NumberText number, Currency currency)
    {
        Match scale = Scale().Match(text, number.End);
        string words = scale.Success ? ScaleWord(scale) : "";
        int end = number.End + scale.Length;
        speech.Say(Words(number, words, currency));
        // $5/month
        if (end + 1 < text.Length && text[end] == '/' && char.IsLetter(text[end + 1]))
        {
            speech.Say("per");
            end++;
        }
        Numbers.SayRange(text, speech, ref end);
        return end;
    }

    private static string Words(NumberText number, string scale, Currency currency)
    {
        if (scale.Length > 0)
            return $"{number.Words} {scale} {currency.Many}";
        int point = number.Written.IndexOf('.');
        if (point < 0 || number.Written.Length - point != 3 || currency.Part.Length == 0)
            return $"{number.Words} {(number.IsOne ? currency.One : currency.Many)}";
        ReadOnlySpan<char> whole = number.Written[..point];
        int parts = (number.Written[point + 1] - '0') * 10 + number.Written[point + 2] - '0';
        string small = $"{NumberWords.Cardinal(parts)} {currency.Part}{(parts == 1 || currency.Part is "p" or "paise" ? "" : "s")}";
        string large = $"{(whole.IsEmpty ? "zero" : NumberWords.Decimal(whole))} {(whole is "1" ? currency.One : currency.Many)}";
        return parts == 0 ? large : whole is "0" or "" ? small : $"{large} and {small}";
    }

    private static string ScaleWord(Match scale) => scale.Value.TrimStart(' ', '-').ToLowerInvariant() switch
    {
        "k" or "thousand" => "thousand",
        "m" or "mn" or "mio" or "million" => "million",
        "t" or "tn" or "trillion" => "trillion",
        _ => "billion",
    };

    [GeneratedRegex(@"\G((?:US|A|C)?\$|[€£¥₹]|USD|EUR|GBP|JPY|INR|CHF|CAD|CNY|AUD) ?(?=\.?[0-9])")]
    private static partial Regex Prefix();

    [GeneratedRegex(@"\G ?((?:USD|EUR|GBP|JPY|INR|CHF|CAD|CNY|AUD)(?!\p{L})|[€£¥¢](?! ?[0-9]))")]
    private static partial Regex Suffix();

    [GeneratedRegex(@"\G(?:(k|K|mn|mio|m|M|bn|b|B|tn|T)|[ -](thousand|million|billion|trillion|bn|tn))(?![\p{L}0-9])")]
    private static partial Regex Scale();
}
