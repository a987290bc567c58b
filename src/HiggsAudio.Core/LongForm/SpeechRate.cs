using System.Globalization;
using System.Text;

namespace HiggsAudio.LongForm;

/// <summary>How long a text takes to say, by its characters. docs/long-texts.md has the table.</summary>
internal static class SpeechRate
{
    private const double Shortest = 2, Digit = 0.35, Symbol = 0.5, SentenceMark = 0.4, OtherMark = 0.2, SoundEvent = 4, LongSoundEvent = 30;

    /// <summary>The time that a text is expected to take.</summary>
    public static TimeSpan Estimate(string text)
    {
        double seconds = 0;
        foreach (Atom atom in TranscriptAtoms.Of(text))
        {
            ReadOnlySpan<char> said = text.AsSpan(atom.Start, atom.End - atom.Start);
            if (atom.Kind == AtomKind.Tag)
                seconds += atom.Weight == 0 ? 0 : said.StartsWith("<SE_s>") ? LongSoundEvent : SoundEvent;
            else if (atom.Kind is AtomKind.Word or AtomKind.Unspaced)
                foreach (Rune rune in said.EnumerateRunes())
                    seconds += Seconds(rune);
        }
        return TimeSpan.FromSeconds(Math.Max(Shortest, seconds));
    }

    /// <summary>Steps of the model that a text may take.</summary>
    /// <param name="text">The text.</param>
    /// <param name="margin">How many times as long as expected.</param>
    /// <param name="frameRate">Frames a second.</param>
    /// <param name="codebooks">Columns by which the delay pattern is longer.</param>
    public static int FrameBudget(string text, double margin, double frameRate, int codebooks) =>
        (int)Math.Min(int.MaxValue / 2, Math.Ceiling(Estimate(text).TotalSeconds * margin * frameRate)) + codebooks + 2;

    private static double Seconds(Rune rune)
    {
        if (Rune.IsDigit(rune))
            return Digit;
        if (Rune.IsLetter(rune))
            return 1 / CharactersPerSecond(rune.Value);
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.CurrencySymbol or UnicodeCategory.MathSymbol or UnicodeCategory.OtherSymbol or UnicodeCategory.LetterNumber => Symbol,
            UnicodeCategory.OtherPunctuation => rune.Value is '.' or '!' or '?' or 0x2026 or 0x3002 or 0xFF01 or 0xFF1F ? SentenceMark
                : rune.Value is '%' or '&' or '@' or '#' or '*' or '/' ? Symbol : OtherMark,
            UnicodeCategory.DashPunctuation => OtherMark,
            _ => 0,
        };
    }

    // Ordinary speech; alphabets, and below them letters that stand for more.
    private static double CharactersPerSecond(int letter) => letter switch
    {
        < 0x590 => 14,                                  // Latin, Greek, Cyrillic, Armenian
        < 0x900 => 9,                                   // Hebrew, Arabic: vowels are not written
        < 0x1100 => 10,                                 // of India and South-East Asia
        >= 0x1E00 and < 0x2000 => 14,                   // more Latin and Greek
        >= 0xAC00 and <= 0xD7AF => 5.5,                 // Hangul syllables
        >= 0x3041 and <= 0x30FF => 7.5,                 // kana
        _ when Script.IsUnspaced(letter) => 4.5,        // Han
        _ => 8,
    };
}
