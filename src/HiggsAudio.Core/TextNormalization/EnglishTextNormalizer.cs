using HiggsAudio.TextNormalization;

namespace HiggsAudio;

/// <summary>
/// Writes English text as it is spoken: numbers, dates, times, money, units, abbreviations, symbols and addresses become words, emoji go.
/// The rules are listed in docs/text-normalization.md. The result depends on the text and the options alone (not on culture, time or machine)
/// and takes time in proportion to the text. Words of letters are never changed, except for the abbreviations and acronyms of the lists.
/// </summary>
public static class EnglishTextNormalizer
{
    private static readonly EnglishTextOptions Defaults = new();

    /// <summary>The text in words.</summary>
    /// <param name="text">Any text. Markup is not understood; tags of the model such as <c>[SPEAKER0]</c> are for the caller to keep out.</param>
    /// <param name="options">Case and characters of the result; by default case stays and any letter may be in it.</param>
    /// <returns>
    /// One line: words with single spaces, and of the punctuation <c>, . ? ! ; : ... ' " ( ) -</c>, as far as the options allow. Empty if there is
    /// nothing to say.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// A character cannot be folded into <see cref="EnglishTextOptions.Alphabet"/>, and <see cref="OutsideAlphabet.Refuse"/> is set.
    /// </exception>
    public static string Normalize(string text, EnglishTextOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= Defaults;
        string source = SourceText.Clean(text);
        var speech = new SpokenText(source.Length + source.Length / 2);
        var reader = new TextReaderState(source, LetterCase.IsShouted(source));
        for (int position = 0; position < source.Length;)
            position = Next(reader, position, speech);
        string spoken = speech.ToString();
        return options is { LowerCase: false, Alphabet: null } ? spoken : AlphabetFolding.Fold(spoken, options);
    }

    // Says what begins at a position and returns where it ends.
    private static int Next(TextReaderState reader, int start, SpokenText speech)
    {
        string text = reader.Text;
        char c = text[start];
        if (c == ' ')
        {
            speech.Gap();
            return start + 1;
        }
        bool atWordStart = start == 0 || !char.IsLetterOrDigit(text[start - 1]);
        if (atWordStart && Addresses.TryRead(text, start, speech, out int end))
            return end;
        if (atWordStart && DatesAndTimes.TryRead(text, start, speech, out end))
            return end;
        if (Money.TryRead(text, start, speech, out end) || Numbers.TryRead(text, start, speech, out end))
            return end;
        return char.IsLetter(c) ? Words.Read(reader, start, speech) : Symbols.Read(text, start, speech);
    }
}
