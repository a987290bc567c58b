using System.Text;

namespace HiggsAudio;

/// <summary>
/// Turns ids into text one at a time without tearing characters apart: bytes of a character that is not complete yet are kept until it is.
/// All the texts together are what <see cref="TextTokenizer.Decode"/> makes of all the ids. For one stream of ids and one thread.
/// </summary>
public sealed class IncrementalDecoder
{
    private readonly TextTokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly byte[] _pending = new byte[4];
    private int _pendingCount;

    internal IncrementalDecoder(TextTokenizer tokenizer, bool skipSpecialTokens) => (_tokenizer, _skipSpecialTokens) = (tokenizer, skipSpecialTokens);

    /// <summary>Takes the next id.</summary>
    /// <returns>The text that is complete now, often empty.</returns>
    public string Append(int id)
    {
        ReadOnlySpan<byte> token = _tokenizer.BytesOf(id, _skipSpecialTokens);
        if (token.IsEmpty)
            return "";
        int length = _pendingCount + token.Length;
        Span<byte> bytes = length <= 512 ? stackalloc byte[length] : new byte[length];
        _pending.AsSpan(0, _pendingCount).CopyTo(bytes);
        token.CopyTo(bytes[_pendingCount..]);
        ReadOnlySpan<byte> incomplete = bytes[CompleteLength(bytes)..];
        incomplete.CopyTo(_pending);
        _pendingCount = incomplete.Length;
        return Encoding.UTF8.GetString(bytes[..^incomplete.Length]);
    }

    /// <summary>Ends the text: U+FFFD if a character was left incomplete. The decoder can be used again.</summary>
    public string Flush()
    {
        string rest = Encoding.UTF8.GetString(_pending, 0, _pendingCount);
        _pendingCount = 0;
        return rest;
    }

    // All but the bytes at the end that may be the beginning of a character.
    private static int CompleteLength(ReadOnlySpan<byte> bytes)
    {
        for (int start = bytes.Length - 1; start >= Math.Max(0, bytes.Length - 3); start--)
            if (bytes[start] >= 0xC0)
                return Rune.DecodeFromUtf8(bytes[start..], out _, out _) == System.Buffers.OperationStatus.NeedMoreData ? start : bytes.Length;
        return bytes.Length;
    }
}
