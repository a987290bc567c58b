using System.Text;

namespace HiggsAudio.LongForm;

/// <summary>What can be told of a text from its characters alone.</summary>
internal static class Script
{
    // Particles, pronouns, prepositions and verbs that are nearly always a word by themselves.
    private const string Singles = "的了着过得地是在有和与或跟对从到由被把让就都也还很再又不没我你他她它这那谁人要会能说看听讲做去来用好大小多少上下里中";

    /// <summary>
    /// Whether a text is Chinese: it has no kana or hangul, and more Han characters than Latin words. (The reference asks the statistics of
    /// langid, which may say otherwise of very short or mixed texts.)
    /// </summary>
    public static bool IsChinese(string text)
    {
        int han = 0, words = 0;
        bool inWord = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (IsKana(rune.Value) || IsHangul(rune.Value))
                return false;
            bool isHan = IsHan(rune.Value), letter = !isHan && Rune.IsLetter(rune);
            han += isHan ? 1 : 0;
            words += letter && !inWord ? 1 : 0;
            inWord = letter;
        }
        return han > words;
    }

    /// <summary>
    /// Cuts Chinese text into words without a dictionary: runs of letters or digits, single marks and spaces, common one-character words, and
    /// pairs of what is left, as most other words have two characters.
    /// </summary>
    public static IEnumerable<string> ChineseWords(string text)
    {
        int start = 0;
        while (start < text.Length)
        {
            int end = start + RuneLength(text, start);
            if (IsAsciiWord(text[start]))
                while (end < text.Length && IsAsciiWord(text[end]))
                    end++;
            else if (IsPaired(text, start) && end < text.Length && IsPaired(text, end))
                end += RuneLength(text, end);
            yield return text[start..end];
            start = end;
        }
    }

    /// <summary>A character of Chinese or Japanese writing, which has no spaces between words.</summary>
    public static bool IsUnspaced(int c) => IsHan(c) || IsKana(c);

    private static bool IsPaired(string text, int index) => IsHan(CodePoint(text, index)) && !Singles.Contains(text[index], StringComparison.Ordinal);

    private static bool IsAsciiWord(char c) => char.IsAsciiLetterOrDigit(c) || c is '+' or '#' or '&' or '_' or '%' or '-';

    private static bool IsHan(int c) => c is >= 0x3400 and <= 0x4DBF or >= 0x4E00 and <= 0x9FFF or >= 0xF900 and <= 0xFAFF or >= 0x20000 and <= 0x3FFFF or 0x3005 or 0x3007;

    private static bool IsKana(int c) => c is >= 0x3041 and <= 0x30FF or >= 0x31F0 and <= 0x31FF or >= 0xFF66 and <= 0xFF9F and not 0x30FB;

    private static bool IsHangul(int c) => c is >= 0xAC00 and <= 0xD7AF or >= 0x1100 and <= 0x11FF or >= 0x3130 and <= 0x318F;

    private static int RuneLength(string text, int index) =>
        char.IsHighSurrogate(text[index]) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]) ? 2 : 1;

    private static int CodePoint(string text, int index) => RuneLength(text, index) == 2 ? char.ConvertToUtf32(text[index], text[index + 1]) : text[index];
}
