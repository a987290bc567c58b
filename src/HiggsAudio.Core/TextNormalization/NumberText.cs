namespace HiggsAudio.TextNormalization;

/// <summary>A number as it stands in a text: digits, commas between groups of three, a point and digits.</summary>
internal readonly ref struct NumberText
{
    private NumberText(ReadOnlySpan<char> written, int end, bool hasFraction, bool hasSeparators)
    {
        Written = written;
        (End, HasFraction, HasSeparators) = (end, hasFraction, hasSeparators);
    }

    /// <summary>As it is written.</summary>
    public ReadOnlySpan<char> Written { get; }

    /// <summary>Where it ends.</summary>
    public int End { get; }

    public bool HasFraction { get; }

    public bool HasSeparators { get; }

    public bool IsOne => Written is "1";

    public string Words => NumberWords.Decimal(Written);

    /// <summary>Reads the number at a position; its time is that of its length.</summary>
    public static bool TryRead(string text, int start, out NumberText number)
    {
        number = default;
        int end = EndOfDigits(text, start), whole = end;
        bool startsWithPoint = end == start && end < text.Length && text[end] == '.' && (start == 0 || !char.IsLetterOrDigit(text[start - 1]));
        if (end == start && !startsWithPoint)
            return false;
        if (end - start is >= 1 and <= 3)
            end = EndOfGroups(text, end);
        bool hasSeparators = end > whole;
        int fraction = end < text.Length && text[end] == '.' ? EndOfDigits(text, end + 1) : end;
        bool hasFraction = fraction > end + 1;
        if (startsWithPoint && !hasFraction)
            return false;
        if (hasFraction)
            end = fraction;
        number = new NumberText(text.AsSpan(start, end - start), end, hasFraction, hasSeparators);
        return true;
    }

    public static int EndOfDigits(string text, int start)
    {
        while (start < text.Length && char.IsAsciiDigit(text[start]))
            start++;
        return start;
    }

    private static int EndOfGroups(string text, int end)
    {
        while (end + 3 < text.Length && text[end] == ',' && EndOfThree(text, end + 1) == end + 4)
            end += 4;
        return end;
    }

    // The end of three digits that no fourth follows; -1 if it is otherwise.
    private static int EndOfThree(string text, int start)
    {
        int end = start;
        while (end < text.Length && end - start < 4 && char.IsAsciiDigit(text[end]))
            end++;
        return end - start == 3 ? end : -1;
    }
}
