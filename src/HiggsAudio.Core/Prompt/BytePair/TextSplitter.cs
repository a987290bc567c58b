using System.Globalization;
using System.Text;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>Splits text into the pieces that are encoded one by one ("pre-tokenizer").</summary>
internal abstract class TextSplitter
{
    /// <summary>What the patterns below tell apart.</summary>
    protected enum CharacterClass : byte
    {
        /// <summary>Neither white space nor letter nor number.</summary>
        Other,

        /// <summary>\p{L}</summary>
        Letter,

        /// <summary>\p{N}</summary>
        Number,

        /// <summary>\s without \r and \n</summary>
        Space,

        /// <summary>\r or \n</summary>
        Newline,

        /// <summary>Behind the end of the text.</summary>
        End,
    }

    private static readonly CharacterClass[] Ascii = [.. Enumerable.Range(0, 128).Select(c => Classify(new Rune(c)))];

    /// <summary>The end of the piece that starts at <paramref name="start"/>, which is before the end of the text.</summary>
    public abstract int PieceEnd(ReadOnlySpan<char> text, int start);

    /// <summary>The class of the character at a place and where it ends; half a surrogate pair counts as U+FFFD.</summary>
    protected static CharacterClass At(ReadOnlySpan<char> text, int at, out int end)
    {
        end = at + 1;
        if (at >= text.Length)
            return CharacterClass.End;
        if (text[at] < 128)
            return Ascii[text[at]];
        _ = Rune.DecodeFromUtf16(text[at..], out Rune rune, out int length);
        end = at + length;
        return Classify(rune);
    }

    /// <summary>Where the characters of a class from <paramref name="at"/> on end.</summary>
    protected static int Skip(ReadOnlySpan<char> text, int at, CharacterClass characters)
    {
        while (At(text, at, out int end) == characters)
            at = end;
        return at;
    }

    /// <summary>The end of <c>'s|'t|'re|'ve|'m|'ll|'d</c>, or <paramref name="start"/> if there is none.</summary>
    protected static int ContractionEnd(ReadOnlySpan<char> text, int start, bool ignoreCase)
    {
        char first = Letter(text, start + 1, ignoreCase), second = Letter(text, start + 2, ignoreCase);
        return text[start] != '\'' ? start
            : first is 's' or 't' or 'm' or 'd' ? start + 2
            : (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? start + 3
            : start;
    }

    /// <summary>The end of <c>\s+(?!\S)|\s+</c> in a run of white space: its last character goes with what follows.</summary>
    protected static int SpaceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = start;
        while (At(text, end, out int next) is CharacterClass.Space or CharacterClass.Newline)
            end = next;
        return end == text.Length || end == start + 1 ? end : end - 1;   // white space is one UTF-16 unit each
    }

    private static char Letter(ReadOnlySpan<char> text, int at, bool ignoreCase)
    {
        char letter = at < text.Length ? text[at] : '\0';
        return !ignoreCase ? letter : letter == 'ſ' ? 's' : char.ToLowerInvariant(letter);   // the long s folds to s (Unicode case folding)
    }

    private static CharacterClass Classify(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        <= UnicodeCategory.OtherLetter => CharacterClass.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterClass.Number,
        _ => rune.Value is '\r' or '\n' ? CharacterClass.Newline : Rune.IsWhiteSpace(rune) ? CharacterClass.Space : CharacterClass.Other,
    };
}

/// <summary>The pattern of Llama 3, on code points: contractions, words with the character before them, up to three digits, symbols, white space.</summary>
internal sealed class Llama3Splitter : TextSplitter
{
    /// <summary>The pattern as tokenizer.json has it.</summary>
    public const string Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = ContractionEnd(text, start, ignoreCase: true);
        if (end > start)
            return end;
        CharacterClass first = At(text, start, out int second);
        if (first == CharacterClass.Number)
        {
            for (int digits = 1; digits < 3 && At(text, second, out end) == CharacterClass.Number; digits++)
                second = end;
            return second;
        }
        CharacterClass following = At(text, second, out _);
        if (first == CharacterClass.Letter || following == CharacterClass.Letter && first != CharacterClass.Newline)
            return Skip(text, second, CharacterClass.Letter);
        if (first == CharacterClass.Other || following == CharacterClass.Other && text[start] == ' ')
            return Skip(text, Skip(text, second, CharacterClass.Other), CharacterClass.Newline);
        int afterNewline = start;
        for (int at = start; At(text, at, out end) is CharacterClass.Space or CharacterClass.Newline; at = end)
            if (text[at] is '\r' or '\n')
                afterNewline = end;
        return afterNewline > start ? afterNewline : SpaceEnd(text, start);
    }
}

/// <summary>The pattern of GPT-2, on code points; what a ByteLevel pre-tokenizer with <c>use_regex</c> splits by.</summary>
internal sealed class Gpt2Splitter : TextSplitter
{
    /// <summary>The pattern.</summary>
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = ContractionEnd(text, start, ignoreCase: false);
        if (end > start)
            return end;
        CharacterClass first = At(text, start, out int second), following = At(text, second, out _);
        CharacterClass piece = text[start] == ' ' ? following : first;
        return piece is CharacterClass.Letter or CharacterClass.Number or CharacterClass.Other ? Skip(text, second, piece) : SpaceEnd(text, start);
    }
}
