namespace HiggsAudio.Generation;

/// <summary>What ends an answer in text: tokens, or strings in the text that the tokens are decoded to. Immutable, can be shared.</summary>
internal sealed class StopCondition
{
    private readonly HashSet<int> _tokens;
    private readonly string[] _strings;
    private readonly Func<ReadOnlySpan<int>, string>? _decode;
    private readonly int _longest;

    /// <param name="tokens">The tokens with which the model ends its turn (<c>&lt;|eot_id|&gt;</c>, <c>&lt;|end_of_text|&gt;</c>, the configured EOS).</param>
    /// <param name="strings">Stop strings. One that is a token itself is found without decoding.</param>
    /// <param name="tokenOf">The id of a string that is one special token; null or absent for other strings.</param>
    /// <param name="decode">Decodes tokens to text, special tokens to their names. Needed for strings that are not tokens.</param>
    /// <exception cref="ArgumentException">A string is not a token, and there is no decoder.</exception>
    public StopCondition(IEnumerable<int> tokens, IEnumerable<string>? strings = null, Func<string, int?>? tokenOf = null,
        Func<ReadOnlySpan<int>, string>? decode = null)
    {
        _tokens = [.. tokens];
        var rest = new List<string>();
        foreach (string stop in strings ?? [])
        {
            if (tokenOf?.Invoke(stop) is { } token)
                _tokens.Add(token);
            else
                rest.Add(stop);
        }
        if (rest.Count > 0 && decode is null)
            throw new ArgumentException($"the stop string '{rest[0]}' is not one token, and no decoder was given to look for it", nameof(decode));
        (_strings, _decode) = ([.. rest], decode);
        foreach (string stop in _strings)
            _longest = Math.Max(_longest, stop.Length);
    }

    /// <summary>Whether text ends here.</summary>
    /// <param name="text">The answer's text tokens, the newest last. Not decoded, and nothing allocated, unless there are stop strings.</param>
    public bool IsMet(ReadOnlySpan<int> text)
    {
        if (_tokens.Contains(text[^1]))
            return true;
        if (_strings.Length == 0)
            return false;
        // A character is at most four tokens of a byte-level tokenizer, and a token may begin or end inside one.
        int tail = Math.Min(text.Length, 4 * _longest + 4);
        string decoded = _decode!(text[^tail..]);
        foreach (string stop in _strings)
            if (decoded.Contains(stop, StringComparison.Ordinal))
                return true;
        return false;
    }
}
