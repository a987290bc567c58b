using System.Buffers;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>
/// Byte-pair encoding of one piece of text (arXiv:1508.07909): starts from single bytes and, while there is any, carries out the earliest
/// merge of the table, the leftmost first.
/// </summary>
internal sealed class BytePairEncoder
{
    private const int ShortPiece = 128;   // bytes up to which searching all pairs again after each merge is faster than a heap

    private readonly MergeTable _merges;
    private readonly bool _ignoreMerges;
    private readonly int[] _byteTokens = new int[256];

    /// <param name="vocabulary">A vocabulary with a token for each single byte.</param>
    /// <param name="merges">The merges.</param>
    /// <param name="ignoreMerges">Whether a piece that is a token of the vocabulary is that token, whatever the merges would make of it.</param>
    public BytePairEncoder(TokenVocabulary vocabulary, MergeTable merges, bool ignoreMerges)
    {
        (Vocabulary, _merges, _ignoreMerges) = (vocabulary, merges, ignoreMerges);
        for (int value = 0; value < 256; value++)
            _byteTokens[value] = vocabulary.TryFind([(byte)value], out int id) ? id : throw new ArgumentException($"no token for the byte 0x{value:X2}");
    }

    /// <summary>The tokens.</summary>
    public TokenVocabulary Vocabulary { get; }

    /// <summary>Appends the ids of a piece of text, UTF-8.</summary>
    public void Encode(ReadOnlySpan<byte> piece, List<int> ids)
    {
        if (piece.Length == 1)
            ids.Add(_byteTokens[piece[0]]);
        else if (_ignoreMerges && piece.Length <= Vocabulary.LongestToken && Vocabulary.TryFind(piece, out int id))
            ids.Add(id);
        else if (piece.Length <= ShortPiece)
            MergeShort(piece, ids);
        else
            MergeLong(piece, ids);
    }

    private void MergeShort(ReadOnlySpan<byte> piece, List<int> ids)
    {
        Span<int> tokens = stackalloc int[piece.Length];
        Span<ulong> merges = stackalloc ulong[piece.Length];   // merges[i]: of tokens i and i + 1
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = _byteTokens[piece[i]];
        for (int i = 0; i < tokens.Length; i++)
            merges[i] = MergeAt(tokens, i);
        while (true)
        {
            int first = 0;
            for (int i = 1; i < merges.Length; i++)
                if (merges[i] < merges[first])
                    first = i;
            if (merges[first] == MergeTable.None)
                break;
            tokens[first] = (int)(uint)merges[first];
            tokens[(first + 2)..].CopyTo(tokens[(first + 1)..]);
            merges[(first + 2)..].CopyTo(merges[(first + 1)..]);
            tokens = tokens[..^1];
            merges = merges[..^1];
            merges[first] = MergeAt(tokens, first);
            if (first > 0)
                merges[first - 1] = MergeAt(tokens, first - 1);
        }
        ids.AddRange(tokens);
    }

    private ulong MergeAt(Span<int> tokens, int at) => at + 1 < tokens.Length ? _merges.Find(tokens[at], tokens[at + 1]) : MergeTable.None;

    // The tokens are a linked list, the merges that may be possible a heap: n log n, whatever the text.
    private void MergeLong(ReadOnlySpan<byte> piece, List<int> ids)
    {
        int[] links = ArrayPool<int>.Shared.Rent(checked(3 * piece.Length));
        Span<int> tokens = links.AsSpan(0, piece.Length);
        Span<int> next = links.AsSpan(piece.Length, piece.Length), previous = links.AsSpan(2 * piece.Length, piece.Length);
        var candidates = new PriorityQueue<int, ulong>(piece.Length);   // position of the left token by rank << 32 | position
        for (int i = 0; i < piece.Length; i++)
            (tokens[i], next[i], previous[i]) = (_byteTokens[piece[i]], i + 1, i - 1);
        for (int i = 0; i + 1 < piece.Length; i++)
            AddCandidate(candidates, tokens, i, i + 1);
        while (candidates.TryDequeue(out int at, out ulong priority))
        {
            int right = next[at];
            if (tokens[at] < 0 || right == piece.Length)
                continue;
            ulong merge = _merges.Find(tokens[at], tokens[right]);
            if (merge >> 32 != priority >> 32)   // what stood here was merged into something else
                continue;
            tokens[at] = (int)(uint)merge;
            tokens[right] = -1;
            next[at] = next[right];
            if (next[at] < piece.Length)
            {
                previous[next[at]] = at;
                AddCandidate(candidates, tokens, at, next[at]);
            }
            if (previous[at] >= 0)
                AddCandidate(candidates, tokens, previous[at], at);
        }
        for (int i = 0; i < piece.Length; i = next[i])
            ids.Add(tokens[i]);
        ArrayPool<int>.Shared.Return(links);
    }

    private void AddCandidate(PriorityQueue<int, ulong> candidates, Span<int> tokens, int left, int right)
    {
        ulong merge = _merges.Find(tokens[left], tokens[right]);
        if (merge != MergeTable.None)
            candidates.Enqueue(left, merge >> 32 << 32 | (uint)left);
    }
}
