using System.Buffers;
using System.Globalization;
using System.Text;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>Finds added tokens in text: the leftmost first, of those at one place the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<(int Node, char Character), int> _edges = [];   // a trie; node 0 is its root
    private readonly List<AddedToken?> _ends = [null];                          // by node: the token that ends there
    private readonly SearchValues<char> _firstCharacters;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        var firsts = new HashSet<char>();
        foreach (AddedToken token in tokens)
        {
            int node = 0;
            foreach (char character in token.Content)
            {
                if (!_edges.TryGetValue((node, character), out int child))
                {
                    _edges.Add((node, character), child = _ends.Count);
                    _ends.Add(null);
                }
                node = child;
            }
            _ends[node] = token;
            firsts.Add(token.Content[0]);
        }
        _firstCharacters = SearchValues.Create([.. firsts]);
    }

    /// <summary>The next token.</summary>
    /// <param name="text">The text.</param>
    /// <param name="from">Where to search from; afterwards where to go on searching.</param>
    /// <param name="covered">Text before this belongs to an earlier token.</param>
    /// <param name="start">Where the text that the token stands for starts, with the white space that belongs to it.</param>
    /// <param name="end">Where that text ends.</param>
    public AddedToken? Next(ReadOnlySpan<char> text, ref int from, int covered, out int start, out int end)
    {
        while (Match(text, ref from, out start) is { } token)
        {
            end = from;
            if (token.SingleWord && (start > 0 && IsWordAt(text[..start], last: true) || end < text.Length && IsWordAt(text[end..], last: false)))
                continue;
            while (token.LeftStrip && start > covered && char.IsWhiteSpace(text[start - 1]))
                start--;
            while (token.RightStrip && end < text.Length && char.IsWhiteSpace(text[end]))
                end++;
            return token;
        }
        end = text.Length;
        return null;
    }

    private AddedToken? Match(ReadOnlySpan<char> text, ref int from, out int start)
    {
        for (start = from; start < text.Length; start++)
        {
            int skipped = text[start..].IndexOfAny(_firstCharacters);
            if (skipped < 0)
                break;
            start += skipped;
            AddedToken? longest = null;
            int node = 0;
            for (int i = start; i < text.Length && _edges.TryGetValue((node, text[i]), out node); i++)
                longest = _ends[node] ?? longest;
            if (longest is null)
                continue;
            from = start + longest.Content.Length;
            return longest;
        }
        (start, from) = (text.Length, text.Length);
        return null;
    }

    // \w: alphabetic characters, marks, decimal digits, connectors and joiners (Unicode TR18).
    private static bool IsWordAt(ReadOnlySpan<char> text, bool last)
    {
        _ = last ? Rune.DecodeLastFromUtf16(text, out Rune rune, out _) : Rune.DecodeFromUtf16(text, out rune, out _);
        return Rune.GetUnicodeCategory(rune) switch
        {
            <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,   // letters, marks, decimal and letter numbers
            UnicodeCategory.OtherSymbol => rune.Value   // letters in circles and squares
                is >= 0x24B6 and <= 0x24E9 or >= 0x1F130 and <= 0x1F149 or >= 0x1F150 and <= 0x1F169 or >= 0x1F170 and <= 0x1F189,
            _ => rune.Value is 0x200C or 0x200D,
        };
    }
}
