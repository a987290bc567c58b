using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>The <c>model</c> of a tokenizer.json while it is read: tokens and merges straight from the file's bytes.</summary>
internal sealed class BytePairModel
{
    /// <summary>Makes the exception for a problem at a place in the file.</summary>
    public delegate CheckpointException ProblemAt(string jsonPath, string problem);

    private readonly TokenVocabulary.Builder _tokens = new();
    private readonly Dictionary<string, int> _added = [];
    private readonly List<(int Left, int Right, int Merged)> _merges = [];
    private TokenVocabulary? _vocabulary;
    private bool _ignoreMerges;

    /// <summary>Reads the object at which the reader stands.</summary>
    public static BytePairModel Read(ref Utf8JsonReader reader, ProblemAt problem)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw problem("model", $"expected an object, found {reader.TokenType}");
        var model = new BytePairModel();
        Utf8JsonReader merges = default;
        bool mergesFirst = false, mergesSeen = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (name == "vocab")
                model.ReadVocabulary(ref reader, problem);
            else if (name != "merges")
                model.ReadOption(ref reader, name, problem);
            else if (model._vocabulary is not null)
                model.ReadMerges(ref reader, problem);
            else
            {
                merges = reader;
                mergesFirst = true;
                reader.Skip();
            }
            mergesSeen |= name == "merges";
        }
        if (model._vocabulary is null || !mergesSeen)
            throw problem(mergesSeen ? "model.vocab" : "model.merges", "is missing");
        if (mergesFirst)
            model.ReadMerges(ref merges, problem);
        return model;
    }

    /// <summary>The id of a token as the vocabulary writes it.</summary>
    public bool TryFindToken(string text, out int id) => _vocabulary!.TryFind(text, out id) || _added.TryGetValue(text, out id);

    /// <summary>Adds a token that the vocabulary does not have.</summary>
    public void AddToken(string text, int id)
    {
        _tokens.Add(Encoding.UTF8.GetBytes(text), id, added: true);
        _added.Add(text, id);
    }

    /// <summary>The encoder of what was read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public BytePairEncoder ToEncoder(ProblemAt problem)
    {
        if (!_tokens.TryBuild(out TokenVocabulary? vocabulary, out string? wrong))
            throw problem("added_tokens", wrong);
        for (int value = 0; value < 256; value++)
            if (!vocabulary.TryFind([(byte)value], out _))
                throw problem("model.vocab", $"has no token '{ByteLevelAlphabet.ToCharacter((byte)value)}' for the byte 0x{value:X2}");
        var table = new MergeTable(_merges.Count);
        for (int rank = 0; rank < _merges.Count; rank++)
            table.Add(_merges[rank].Left, _merges[rank].Right, rank, _merges[rank].Merged);
        return new BytePairEncoder(vocabulary, table, _ignoreMerges);
    }

    // What would change ids is refused; the rest (fuse_unk, byte_fallback, unk_token) has no effect when every byte has a token.
    private void ReadOption(ref Utf8JsonReader reader, string name, ProblemAt problem)
    {
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        JsonElement value = document.RootElement;
        bool unset = value.ValueKind == JsonValueKind.Null || value.ValueKind == JsonValueKind.String && value.GetString() == "";
        if (name == "type" && (value.ValueKind != JsonValueKind.String || value.GetString() != "BPE"))
            throw problem("model.type", $"is {value.GetRawText()}; only \"BPE\" is supported");
        if (name is "continuing_subword_prefix" or "end_of_word_suffix" && !unset)
            throw problem("model." + name, $"is {value.GetRawText()}; none is supported");
        if (name == "dropout" && !unset && !(value.ValueKind == JsonValueKind.Number && value.GetDouble() == 0))
            throw problem("model.dropout", $"is {value.GetRawText()}; none is supported");
        if (name == "ignore_merges")
            _ignoreMerges = value.ValueKind switch
            {
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                _ => throw problem("model.ignore_merges", "expected true or false"),
            };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadVocabulary(ref Utf8JsonReader reader, ProblemAt problem)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw problem("model.vocab", $"expected an object, found {reader.TokenType}");
        byte[] buffer = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> text = Unescaped(ref reader, ref buffer);
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int id))
                throw problem($"model.vocab['{Encoding.UTF8.GetString(text)}']", "expected a whole number");
            _tokens.Add(text, id);
        }
        if (!_tokens.TryBuild(out _vocabulary, out string? wrong))
            throw problem("model.vocab", wrong);
    }

    // Merges are written as ["a", "b"] or, in older files, as "a b".
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadMerges(ref Utf8JsonReader reader, ProblemAt problem)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw problem("model.merges", $"expected an array, found {reader.TokenType}");
        _merges.Clear();
        byte[] first = [], second = [], joined = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            ReadOnlySpan<byte> left, right;
            if (reader.TokenType == JsonTokenType.String)
            {
                ReadOnlySpan<byte> line = Unescaped(ref reader, ref first);
                int space = line.IndexOf((byte)' ');
                if (space < 0 || line[(space + 1)..].Contains((byte)' '))
                    throw problem($"model.merges[{_merges.Count}]", "expected two tokens with a space between");
                left = line[..space];
                right = line[(space + 1)..];
            }
            else
            {
                if (reader.TokenType != JsonTokenType.StartArray || !reader.Read() || reader.TokenType != JsonTokenType.String)
                    throw problem($"model.merges[{_merges.Count}]", "expected two tokens");
                left = Unescaped(ref reader, ref first);
                if (!reader.Read() || reader.TokenType != JsonTokenType.String)
                    throw problem($"model.merges[{_merges.Count}]", "expected two tokens");
                right = Unescaped(ref reader, ref second);
                if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
                    throw problem($"model.merges[{_merges.Count}]", "expected two tokens");
            }
            AddMerge(left, right, ref joined, problem);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddMerge(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, ref byte[] joined, ProblemAt problem)
    {
        Reserve(ref joined, 2 * (left.Length + right.Length));
        left.CopyTo(joined);
        right.CopyTo(joined.AsSpan(left.Length));
        int length = left.Length + right.Length;
        Span<byte> bytes = joined.AsSpan(length);
        bool known = Find(left, bytes, out int leftId) & Find(right, bytes, out int rightId) & Find(joined.AsSpan(0, length), bytes, out int merged);
        if (!known)
            throw problem($"model.merges[{_merges.Count}]",
                $"'{Encoding.UTF8.GetString(left)}' and '{Encoding.UTF8.GetString(right)}' or both together are not in the vocabulary");
        _merges.Add((leftId, rightId, merged));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Find(ReadOnlySpan<byte> utf8, Span<byte> bytes, out int id)
    {
        id = -1;
        return ByteLevelAlphabet.TryToBytes(utf8, bytes, out int written) && _vocabulary!.TryFind(bytes[..written], out id);
    }

    private static ReadOnlySpan<byte> Unescaped(scoped ref Utf8JsonReader reader, scoped ref byte[] buffer)
    {
        if (!reader.ValueIsEscaped)
            return reader.ValueSpan;
        Reserve(ref buffer, reader.ValueSpan.Length);
        return buffer.AsSpan(0, reader.CopyString(buffer));
    }

    private static void Reserve(ref byte[] buffer, int length)
    {
        if (buffer.Length < length)
            buffer = new byte[Math.Max(256, 2 * length)];
    }
}
