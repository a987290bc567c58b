using System.Buffers;
using System.Text;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Prompts.BytePair;

namespace HiggsAudio;

/// <summary>
/// Turns text into token ids and back: byte-level byte-pair encoding as a Hugging Face <c>tokenizer.json</c> describes it (Llama 3's, which
/// Higgs Audio uses, and others of that family). Immutable and safe to use from several threads at once.
/// </summary>
/// <remarks>
/// Ids are those of the Rust library <c>tokenizers</c>. Character classes are those of .NET's Unicode version, so characters that were
/// assigned after the reference's Unicode version may be split differently. A lone half of a surrogate pair is encoded as U+FFFD.
/// </remarks>
public sealed class TextTokenizer
{
    private readonly BytePairEncoder _encoder;
    private readonly TextSplitter[] _splitters;
    private readonly AddedTokenFinder[] _added;   // first those looked for in raw text, then those looked for in normalized text
    private readonly HashSet<int> _special;
    private readonly int[] _prefix;
    private readonly int[] _suffix;

    private TextTokenizer(string path, TokenizerFile file)
    {
        Path = path;
        (_encoder, _splitters, _prefix, _suffix) = (file.Encoder, file.Splitters, file.Prefix, file.Suffix);
        _added = [.. file.AddedTokens.GroupBy(token => token.Normalized).OrderBy(group => group.Key).Select(group => new AddedTokenFinder(group))];
        var special = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (AddedToken token in file.AddedTokens.Where(token => token.Special))
            special[token.Content] = token.Id;
        SpecialTokens = special.AsReadOnly();
        _special = [.. special.Values];
    }

    /// <summary>The file that was loaded.</summary>
    internal string Path { get; }

    /// <summary>One more than the highest id, added tokens included.</summary>
    public int VocabularySize => _encoder.Vocabulary.Size;

    /// <summary>The special tokens, such as <c>&lt;|begin_of_text|&gt;</c>, and their ids. Encoding finds them anywhere in a text.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    /// <summary>Loads a tokenizer.</summary>
    /// <param name="path">A tokenizer.json, or a folder with one.</param>
    /// <exception cref="CheckpointException">It is not there, is broken, or asks for something other than byte-level byte-pair encoding; the message
    /// names the file and the place in it.</exception>
    public static TextTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string file = Directory.Exists(path) ? System.IO.Path.Combine(path, "tokenizer.json") : path;
        return new TextTokenizer(file, TokenizerFile.Load(file));
    }

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text; special tokens in it become their ids.</param>
    /// <param name="addSpecialTokens">Whether to add what the tokenizer's post-processor puts around a text (Llama 3:
    /// <c>&lt;|begin_of_text|&gt;</c> before it).</param>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>();
        EncodeTo(text, ids, addSpecialTokens);
        return [.. ids];
    }

    /// <summary>Appends the ids of a text to a list.</summary>
    /// <param name="text">The text; special tokens in it become their ids.</param>
    /// <param name="ids">Where the ids go.</param>
    /// <param name="addSpecialTokens">As in <see cref="Encode"/>.</param>
    public void EncodeTo(ReadOnlySpan<char> text, List<int> ids, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (addSpecialTokens)
            ids.AddRange(_prefix);
        EncodeAround(text, 0, ids);
        if (addSpecialTokens)
            ids.AddRange(_suffix);
    }

    /// <summary>The text of ids. Bytes that are not UTF-8 become U+FFFD; ids that no token has are left out, as the reference does.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="skipSpecialTokens">Whether to leave out special tokens.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, 4 * ids.Length));
        foreach (int id in ids)
            bytes.Write(BytesOf(id, skipSpecialTokens));
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>A decoder for ids that come one at a time.</summary>
    /// <param name="skipSpecialTokens">Whether to leave out special tokens.</param>
    public IncrementalDecoder CreateIncrementalDecoder(bool skipSpecialTokens = false) => new(this, skipSpecialTokens);

    /// <summary>The id of a token as the vocabulary writes it (Llama 3 writes a space as <c>Ġ</c>), or null.</summary>
    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _encoder.Vocabulary.TryFind(token, out int id) ? id : null;
    }

    /// <summary>The token of an id as the vocabulary writes it, or null.</summary>
    public string? IdToToken(int id) => _encoder.Vocabulary.Contains(id) ? _encoder.Vocabulary.TextOf(id) : null;

    /// <summary>Whether an id is a special token's.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    // The bytes of a token, none if decoding leaves it out.
    internal ReadOnlySpan<byte> BytesOf(int id, bool skipSpecialTokens) =>
        !_encoder.Vocabulary.Contains(id) || skipSpecialTokens && _special.Contains(id) ? [] : _encoder.Vocabulary.BytesOf(id);

    private void EncodeAround(ReadOnlySpan<char> text, int level, List<int> ids)
    {
        if (level == _added.Length)
        {
            EncodePieces(text, 0, ids);
            return;
        }
        int from = 0, covered = 0;
        while (_added[level].Next(text, ref from, covered, out int start, out int end) is { } token)
        {
            if (start > covered)
                EncodeAround(text[covered..start], level + 1, ids);
            ids.Add(token.Id);
            covered = end;
        }
        if (covered < text.Length)
            EncodeAround(text[covered..], level + 1, ids);
    }

    private void EncodePieces(ReadOnlySpan<char> text, int level, List<int> ids)
    {
        if (level == _splitters.Length)
        {
            EncodePiece(text, ids);
            return;
        }
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = _splitters[level].PieceEnd(text, start);
            EncodePieces(text[start..end], level + 1, ids);
        }
    }

    private void EncodePiece(ReadOnlySpan<char> piece, List<int> ids)
    {
        int most = checked(3 * piece.Length);
        byte[]? rented = most > 512 ? ArrayPool<byte>.Shared.Rent(most) : null;
        Span<byte> utf8 = rented ?? stackalloc byte[512];
        _encoder.Encode(utf8[..Encoding.UTF8.GetBytes(piece, utf8)], ids);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
    }
}
