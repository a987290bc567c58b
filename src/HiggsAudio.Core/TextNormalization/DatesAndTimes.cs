using System.Globalization;
using System.Text.RegularExpressions;

namespace HiggsAudio.TextNormalization;

/// <summary>Dates and times of day.</summary>
internal static partial class DatesAndTimes
{
    private static readonly string[] Months =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

    public static bool TryRead(string text, int start, SpokenText speech, out int end)
    {
        end = start;
        char c = text[start];
        if (char.IsAsciiDigit(c))
            return TryIsoDate(text, start, speech, ref end) || TryNumericDate(text, start, speech, ref end) || TryTime(text, start, speech, ref end)
                || TryDayMonth(text, start, speech, ref end) || TryBareHour(text, start, speech, ref end);
        return char.IsAsciiLetterUpper(c) && TryMonthDay(text, start, speech, ref end);
    }

    private static bool TryIsoDate(string text, int start, SpokenText speech, ref int end)
    {
        Match match = IsoDate().Match(text, start);
        if (!match.Success || !IsDate(Int(match, 1), Int(match, 2), Int(match, 3)))
            return false;
        SayDate(speech, Int(match, 2), Int(match, 3), match.Groups[1].Value);
        end = start + match.Length;
        // A time stamp: 2026-11-22T15:00Z.
        if (end + 1 < text.Length && text[end] == 'T' && char.IsAsciiDigit(text[end + 1]))
        {
            speech.Mark(",");
            if (!TryTime(text, ++end, speech, ref end))
                speech.Gap();
        }
        return true;
    }

    // 11/22/2026 as in the United States, 22/11/2026 where it can only be that; 22.11.2026.
    private static bool TryNumericDate(string text, int start, SpokenText speech, ref int end)
    {
        Match match = NumericDate().Match(text, start);
        if (!match.Success)
            return false;
        (int month, int day) = (Int(match, 1), Int(match, 3));
        if (match.Groups[2].Value == "." || month > 12)
            (month, day) = (day, month);
        string year = match.Groups[4].Value;
        if (year.Length == 2)
            year = (Int(match, 4) < 50 ? "20" : "19") + year;
        if (!IsDate(int.Parse(year, CultureInfo.InvariantCulture), month, day))
            return false;
        SayDate(speech, month, day, year);
        end = start + match.Length;
        return true;
    }

    // Nov 22, 2026; November 22nd; Nov. 2026
    private static bool TryMonthDay(string text, int start, SpokenText speech, ref int end)
    {
        int letters = LetterCase.EndOfLetters(text, start), month = MonthOf(text.AsSpan(start, letters - start));
        if (month < 0)
            return false;
        Match match = AfterMonth().Match(text, letters);
        if (!match.Success)
            return false;
        if (match.Groups["year"] is { Success: true } year)
        {
            speech.Say($"{Months[month]} {NumberWords.Year(int.Parse(year.ValueSpan, CultureInfo.InvariantCulture))}");
        }
        else
        {
            int day = int.Parse(match.Groups["day"].ValueSpan, CultureInfo.InvariantCulture);
            if (day is < 1 or > 31)
                return false;
            SayDate(speech, month + 1, day, match.Groups["of"].Value);
        }
        end = letters + match.Length;
        return true;
    }

    // 22 November 2026; 22nd of Nov
    private static bool TryDayMonth(string text, int start, SpokenText speech, ref int end)
    {
        Match match = DayMonth().Match(text, start);
        if (!match.Success || MonthOf(match.Groups["month"].ValueSpan) is var month && month < 0 || Int(match, "day") is < 1 or > 31)
            return false;
        string article = LetterCase.WordBefore(text, start).Equals("the", StringComparison.OrdinalIgnoreCase) ? "" : "the ";
        string year = match.Groups["year"].Success ? ", " + NumberWords.Year(Int(match, "year")) : "";
        speech.Say($"{article}{NumberWords.Ordinal(match.Groups["day"].ValueSpan)} of {Months[month]}{year}");
        end = start + match.Length;
        return true;
    }

    // 3:45 pm; 15:00; 1:02:03
    private static bool TryTime(string text, int start, SpokenText speech, ref int end)
    {
        Match match = Time().Match(text, start);
        if (!match.Success || Int(match, "hour") > 24 || Int(match, "minute") > 59)
            return false;
        end = start + match.Length;
        speech.Say(TimeWords(match));
        SayHalfOfDay(text, match, speech, ref end);
        return true;
    }

    // 3pm
    private static bool TryBareHour(string text, int start, SpokenText speech, ref int end)
    {
        Match match = BareHour().Match(text, start);
        if (!match.Success || Int(match, "hour") is < 1 or > 12)
            return false;
        end = start + match.Length;
        speech.Say(NumberWords.Cardinal(Int(match, "hour")));
        SayHalfOfDay(text, match, speech, ref end);
        return true;
    }

    private static string TimeWords(Match match)
    {
        (int hour, int minute) = (Int(match, "hour"), Int(match, "minute"));
        bool clock = match.Groups["half"].Success || hour is >= 1 and <= 12;
        string words = NumberWords.Cardinal(hour) + minute switch
        {
            0 when match.Groups["half"].Success || match.Groups["second"].Success => "",
            0 => clock ? " o'clock" : " hundred",
            < 10 => $" oh {NumberWords.Cardinal(minute)}",
            _ => $" {NumberWords.Cardinal(minute)}",
        };
        if (!match.Groups["second"].Success)
            return words;
        int second = Int(match, "second");
        return $"{words} and {NumberWords.Cardinal(second)} second{(second == 1 ? "" : "s")}";
    }

    // The full stop of "p.m." ends the sentence too.
    private static void SayHalfOfDay(string text, Match match, SpokenText speech, ref int end)
    {
        Group half = match.Groups["half"];
        if (!half.Success)
            return;
        speech.Say(char.ToLowerInvariant(half.ValueSpan[0]) == 'a' ? "a m" : "p m");
        if (half.ValueSpan[^1] == '.' && LetterCase.SentenceEnds(text, end))
            speech.Mark(".");
    }

    private static void SayDate(SpokenText speech, int month, int day, string year)
    {
        string words = $"{Months[month - 1]} {NumberWords.ToOrdinal(NumberWords.Cardinal(day))}";
        speech.Say(year.Length == 0 ? words : $"{words}, {NumberWords.Year(int.Parse(year, CultureInfo.InvariantCulture))}");
    }

    private static bool IsDate(int year, int month, int day) => year is >= 1 and <= 9999 && month is >= 1 and <= 12 && day >= 1 && day <= DateTime.DaysInMonth(year, month);

    // Whole, or the first three letters (Sept too).
    private static int MonthOf(ReadOnlySpan<char> name)
    {
        for (int month = 0; month < Months.Length; month++)
            if (name.SequenceEqual(Months[month]) || name.SequenceEqual(Months[month].AsSpan(0, 3)) || month == 8 && name is "Sept")
                return month;
        return -1;
    }

    private static int Int(Match match, int group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    private static int Int(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\G([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?![0-9-])")]
    private static partial Regex IsoDate();

    [GeneratedRegex(@"\G([0-9]{1,2})([/.])([0-9]{1,2})\2([0-9]{4}|(?<=/)[0-9]{2})(?![0-9/]|\.[0-9])")]
    private static partial Regex NumericDate();

    [GeneratedRegex(@"\G\.? (?:(?<day>[0-9]{1,2})(?:st|nd|rd|th)?(?:,? (?<of>[12][0-9]{3})(?![0-9,.]*[0-9]))?(?![0-9:.,/%-]*[0-9]|\p{L}|%)|(?<year>[12][0-9]{3})(?![0-9,.:]*[0-9]|\p{L}))")]
    private static partial Regex AfterMonth();

    [GeneratedRegex(@"\G(?<day>[0-9]{1,2})(?:st|nd|rd|th)? (?:of )?(?<month>[A-Z][a-z]{2,8})(?:\.(?= [0-9]{4}))?(?:,? (?<year>[12][0-9]{3})(?![0-9,.:]*[0-9]|\p{L}))?(?!\p{L})")]
    private static partial Regex DayMonth();

    [GeneratedRegex(@"\G(?<hour>[0-9]{1,2}):(?<minute>[0-9]{2})(?::(?<second>[0-5][0-9]))?(?: ?(?<half>[aApP](?:\.[mM]\.|[mM](?!\p{L}))))?(?![0-9])Z?")]
    private static partial Regex Time();

    [GeneratedRegex(@"\G(?<hour>[0-9]{1,2}) ?(?<half>[aApP](?:\.[mM]\.|[mM](?!\p{L})))")]
    private static partial Regex BareHour();
}
