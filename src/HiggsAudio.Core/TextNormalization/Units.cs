namespace HiggsAudio.TextNormalization;

/// <summary>Units of measurement after a number.</summary>
internal static class Units
{
    private const int LongestSymbol = 6;

    // One of them; several are regular unless given.
    private const string Table = """
        km kilometer|m meter|cm centimeter|mm millimeter|nm nanometer|μm micrometer|mi mile|ft foot feet|yd yard|in inch inches
        kg kilogram|g gram|mg milligram|μg microgram|lb pound|lbs pound|oz ounce|l liter|L liter|ml milliliter|mL milliliter|cl centiliter|dl deciliter
        m² square+meter|km² square+kilometer|cm² square+centimeter|m³ cubic+meter|cm³ cubic+centimeter|m2 square+meter|km2 square+kilometer|m3 cubic+meter
        mph mile+per+hour miles+per+hour|kph kilometer+per+hour kilometers+per+hour|km/h kilometer+per+hour kilometers+per+hour
        m/s meter+per+second meters+per+second|rpm revolution+per+minute revolutions+per+minute|fps frame+per+second frames+per+second
        Hz hertz hertz|kHz kilohertz kilohertz|MHz megahertz megahertz|GHz gigahertz gigahertz|W watt|kW kilowatt|MW megawatt|GW gigawatt|Wh watt+hour|kWh kilowatt+hour|MWh megawatt+hour
        V volt|mV millivolt|kV kilovolt|A amp|mA milliamp|Ω ohm|kΩ kilohm|KB kilobyte|kB kilobyte|MB megabyte|GB gigabyte|TB terabyte|PB petabyte|KiB kibibyte|MiB mebibyte|GiB gibibyte
        kbps kilobit+per+second kilobits+per+second|Mbps megabit+per+second megabits+per+second|Gbps gigabit+per+second gigabits+per+second
        s second|sec second|secs second|ms millisecond|μs microsecond|ns nanosecond|min minute|mins minute|h hour|hr hour|hrs hour|yr year|yrs year
        dB decibel|Pa pascal|hPa hectopascal|kPa kilopascal|psi pound+per+square+inch pounds+per+square+inch|px pixel|dpi dot+per+inch dots+per+inch
        cal calorie|kcal kilocalorie|J joule|kJ kilojoule|ha hectare|pt point|pts point
        % percent percent|‰ per+mille per+mille|° degree|°C degree+Celsius degrees+Celsius|°F degree+Fahrenheit degrees+Fahrenheit|°K kelvin kelvin
        """;

    // Words and names too: only without a space before them.
    private static readonly HashSet<string> OnlyAttached = ["in", "A", "V", "W", "J", "s", "pt", "L", "MW", "PB", "ha"];

    private static readonly Dictionary<string, (string One, string Many)> Names = Read();

    private static readonly Dictionary<string, (string One, string Many)>.AlternateLookup<ReadOnlySpan<char>> BySpan = Names.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Says a number with the unit that follows it.</summary>
    public static bool TryRead(string text, NumberText number, SpokenText speech, ref int end)
    {
        int start = LetterCase.SkipSpace(text, number.End);
        bool space = start > number.End;
        if (start < text.Length && text[start] is '-' && !space && start + 1 < text.Length && char.IsLetter(text[start + 1]) && Find(text, start + 1, true) is { } hyphenated)
        {
            speech.Say($"{number.Words} {hyphenated.One}");   // a 5-km run
            end = hyphenated.End;
            return true;
        }
        if (Find(text, start, space) is not { } unit)
            return false;
        speech.Say($"{number.Words} {(number.IsOne ? unit.One : unit.Many)}");
        end = unit.End;
        if (end + 1 < text.Length && text[end] == '/' && Find(text, end + 1, false) is { } divisor)
        {
            speech.Say("per " + divisor.One);
            end = divisor.End;
        }
        return true;
    }

    private static (string One, string Many, int End)? Find(string text, int start, bool space)
    {
        for (int length = Math.Min(LongestSymbol, text.Length - start); length > 0; length--)
        {
            ReadOnlySpan<char> symbol = text.AsSpan(start, length);
            if (!BySpan.TryGetValue(symbol, out (string One, string Many) unit))
                continue;
            int end = start + length;
            bool whole = symbol is "%" or "‰" or "°" || end == text.Length || !char.IsLetterOrDigit(text[end]) && text[end] is not ('²' or '³' or '\'' or '@');
            if (whole && !(space && OnlyAttached.Contains(symbol.ToString())))
                return (unit.One, unit.Many, end);
        }
        return null;
    }

    private static Dictionary<string, (string One, string Many)> Read()
    {
        var names = new Dictionary<string, (string, string)>(StringComparer.Ordinal);
        foreach (string entry in Table.Split(['|', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = entry.Split(' ');
            string one = words[1].Replace('+', ' ');
            names.Add(words[0], (one, words.Length > 2 ? words[2].Replace('+', ' ') : one + "s"));
        }
        return names;
    }
}
