using System.Buffers;

namespace HiggsAudio.TextNormalization;

/// <summary>Words: abbreviations, acronyms, Roman numerals; all others as they are.</summary>
internal static class Words
{
    private static readonly SearchValues<char> Vowels = SearchValues.Create("AEIOUY");

    private static readonly HashSet<string> SentenceStarters = ["The", "It", "This", "That", "He", "She", "We", "They", "In", "But", "And", "A", "I", "You", "If", "There"];

    public static int Read(TextReaderState reader, int start, SpokenText speech)
    {
        string text = reader.Text;
        int end = LetterCase.EndOfLetters(text, start);
        bool whole = (start == 0 || !char.IsLetterOrDigit(text[start - 1])) && (end == text.Length || !char.IsAsciiDigit(text[end]));
        bool joined = start > 0 && text[start - 1] is '\'' or '-' && start > 1 && char.IsLetter(text[start - 2]);
        string word = text[start..end];
        if (whole && !joined && TryAbbreviation(text, start, ref end, word, speech))
            return end;
        if (TryVersion(text, end, word, speech) || TryGreek(word, speech))
            return end;
        if (whole && !joined && TryRoman(text, start, word, speech))
            return end;
        if (TryAcronym(reader, start, ref end, word, speech))
            return end;
        while (end + 1 < text.Length && text[end] == '\'' && char.IsLetter(text[end + 1]))
            end = LetterCase.EndOfLetters(text, end + 1);
        if (start > 0 && char.IsAsciiDigit(text[start - 1]))
            speech.Gap();
        speech.Copy(text.AsSpan(start, end - start));
        return end;
    }

    private static bool TryAbbreviation(string text, int start, ref int end, string word, SpokenText speech)
    {
        bool stop = end < text.Length && text[end] == '.';
        if (stop && word.Length <= 2 && TryInitials(text, start, ref end, word, speech))
            return true;
        if (TryTitle(text, start, ref end, word, stop, speech))
            return true;
        string small = word.ToLowerInvariant();
        if (stop && Lexicon.BeforeNumbers.TryGetValue(small, out string? spoken) && FirstAfter(text, end + 1) is >= '0' and <= '9')
        {
            speech.Say(Like(word, spoken));
            end++;
            return true;
        }
        if (stop && Lexicon.Abbreviations.TryGetValue(small, out spoken) && !(end + 1 < text.Length && char.IsLetterOrDigit(text[end + 1])) && !IsWordToo(text, small, end))
        {
            speech.Say(Like(word, spoken));
            EndWithStop(text, ref end, speech);
            return true;
        }
        if (!Lexicon.Plain.TryGetValue(word, out spoken))
            return false;
        speech.Say(spoken);
        return true;
    }

    // "min.", "max.", "temp.", "est." at the end of a sentence may be the words; before more of the sentence they are abbreviations.
    private static bool IsWordToo(string text, string word, int end) =>
        word is "min" or "max" or "temp" or "est" or "ext" && LetterCase.SentenceEnds(text, end + 1);

    private static bool TryTitle(string text, int start, ref int end, string word, bool stop, SpokenText speech)
    {
        if (!Lexicon.Titles.TryGetValue(word, out string? title))
            return false;
        int after = stop ? end + 1 : end;
        bool name = after < text.Length && text[after] == ' ' && LetterCase.CapitalFollows(text, after);
        ReadOnlySpan<char> before = LetterCase.WordBefore(text, start);
        bool afterName = start > 1 && text[start - 1] == ' ' && !before.IsEmpty && char.IsUpper(before[0]);
        if (afterName && !name && Lexicon.Streets.TryGetValue(word, out string? street))
        {
            speech.Say(street);
            if (stop)
                EndWithStop(text, ref end, speech);
            return true;
        }
        if (!name || !stop && !Lexicon.TitlesWithoutStop.Contains(word))
            return false;
        speech.Say(title);
        end = after;
        return true;
    }

    // U.S.A., e.g., Ph.D.; J. before a name.
    private static bool TryInitials(string text, int start, ref int end, string word, SpokenText speech)
    {
        int last = end + 1, letters = word.Length;
        while (last + 1 < text.Length && char.IsLetter(text[last]) && text[last + 1] == '.' && last - start < 32)
            (last, letters) = (last + 2, letters + 1);
        string all = text[start..last];
        if (letters > word.Length && (word.Length == 1 || all is "Ph.D."))
        {
            speech.Say(Lexicon.Dotted.TryGetValue(all.ToLowerInvariant(), out string? words) ? words : string.Join(' ', all.Where(c => c != '.').Select(c => Spelled(c, all))));
            end = last - 1;
            EndWithStop(text, ref end, speech);
            return true;
        }
        bool name = word.Length == 1 && char.IsUpper(word[0]) && word is not ("I" or "A") && last < text.Length && text[last] == ' ' && LetterCase.CapitalFollows(text, last)
            && !SentenceStarters.Contains(LetterCase.WordAfter(text, last).ToString());
        if (!name)
            return false;
        speech.Say(word);
        end = last;
        return true;
    }

    private static string Spelled(char c, string all) => all == "Ph.D." ? char.ToUpperInvariant(c).ToString() : c.ToString();

    // v2, V1.2
    private static bool TryVersion(string text, int end, string word, SpokenText speech)
    {
        if (word is not ("v" or "V") || end == text.Length || !char.IsAsciiDigit(text[end]))
            return false;
        speech.Say("version");
        return true;
    }

    private static bool TryGreek(string word, SpokenText speech)
    {
        if (word.Length != 1 || char.ToLowerInvariant(word[0]) is not (>= 'α' and <= 'ω' and char letter))
            return false;
        speech.Say(Lexicon.Greek[letter - 'α']);
        return true;
    }

    // Henry VIII, Chapter IV
    private static bool TryRoman(string text, int start, string word, SpokenText speech)
    {
        if (word.Length is < 2 or > 6 || Roman(word) is not (> 1 and < 40 and int value))
            return false;
        string before = LetterCase.WordBefore(text, start).ToString();
        if (before.Length < 3 || !char.IsUpper(before[0]) || !char.IsLower(before[1]))
            return false;
        string number = NumberWords.Cardinal(value);
        speech.Say(Lexicon.Regnal.Contains(before) ? "the " + NumberWords.ToOrdinal(number) : number);
        return true;
    }

    private static int Roman(string word)
    {
        int value = 0, next = 0;
        for (int i = word.Length - 1; i >= 0; i--)
        {
            int digit = word[i] switch { 'I' => 1, 'V' => 5, 'X' => 10, _ => 0 };
            if (digit == 0)
                return 0;
            value += digit < next ? -digit : digit;
            next = digit;
        }
        string[] tens = ["", "X", "XX", "XXX"], ones = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"];
        return value is > 0 and < 40 && word == tens[value / 10] + ones[value % 10] ? value : 0;
    }

    // USA, CPUs, BBC's; not NASA, and not words that are written in capitals to be loud.
    private static bool TryAcronym(TextReaderState reader, int start, ref int end, string word, SpokenText speech)
    {
        string text = reader.Text;
        bool plural = word.Length > 2 && word[^1] == 's';
        string capitals = plural ? word[..^1] : word;
        if (capitals.Length is < 2 or > 5 || !capitals.All(char.IsAsciiLetterUpper) || Lexicon.SpokenAcronyms.Contains(capitals))
            return false;
        if (capitals == "OK")
        {
            speech.Say("okay");
            return true;
        }
        bool loud = capitals.AsSpan().ContainsAny(Vowels) && !(end < text.Length && text[end] == '&') && !(start > 0 && text[start - 1] == '&') && (reader.IsShouted || Lexicon.EmphaticWords.Contains(capitals));
        if (loud)
            return false;
        bool possessive = end + 1 < text.Length && text[end] == '\'' && text[end + 1] == 's' && (end + 2 == text.Length || !char.IsLetterOrDigit(text[end + 2]));
        if (start > 0 && char.IsLetterOrDigit(text[start - 1]))
            speech.Gap();
        speech.Copy(string.Join(' ', capitals.ToCharArray()) + (plural || possessive ? "'s" : ""));
        end += possessive ? 2 : 0;
        return true;
    }

    // The full stop belongs to the abbreviation, and to the sentence where it ends with it.
    private static void EndWithStop(string text, ref int end, SpokenText speech)
    {
        end++;
        if (LetterCase.SentenceEnds(text, end))
            speech.Mark(".");
    }

    private static char FirstAfter(string text, int position) => LetterCase.SkipSpace(text, position) is var i && i < text.Length ? text[i] : ' ';

    private static string Like(string written, string spoken) => char.IsUpper(written[0]) ? char.ToUpperInvariant(spoken[0]) + spoken[1..] : spoken;
}
