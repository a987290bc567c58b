using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>The tokens of a byte-level vocabulary: what bytes each id stands for, and the id of bytes. Ids may have gaps.</summary>
internal sealed class TokenVocabulary
{
    private readonly byte[] _bytes;        // all tokens, one after another
    private readonly int[] _starts;        // by id; -1: no such token
    private readonly int[] _lengths;       // by id
    private readonly int[] _slots;         // hash table: id + 1, or 0
    private readonly Dictionary<string, int> _apart = [];        // tokens that pieces of text never become: added ones, and
    private readonly Dictionary<int, string> _apartTexts = [];   // those that are not written in the byte-level alphabet

    private TokenVocabulary(byte[] bytes, int[] starts, int[] lengths)
    {
        (_bytes, _starts, _lengths) = (bytes, starts, lengths);
        _slots = new int[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, starts.Length * 2))];
    }

    /// <summary>One more than the highest id.</summary>
    public int Size => _starts.Length;

    /// <summary>The bytes of the longest token that text can become.</summary>
    public int LongestToken { get; private set; }

    /// <summary>Whether there is a token with this id.</summary>
    public bool Contains(int id) => (uint)id < (uint)_starts.Length && _starts[id] >= 0;

    /// <summary>The bytes that a token stands for.</summary>
    public ReadOnlySpan<byte> BytesOf(int id) => _bytes.AsSpan(_starts[id], _lengths[id]);

    /// <summary>The token as the vocabulary writes it.</summary>
    public string TextOf(int id) => _apartTexts.TryGetValue(id, out string? text) ? text : ByteLevelAlphabet.ToText(BytesOf(id));

    /// <summary>The token that stands for exactly these bytes, unless it is an added one.</summary>
    public bool TryFind(ReadOnlySpan<byte> bytes, out int id)
    {
        id = _slots[Slot(bytes)] - 1;
        return id >= 0;
    }

    /// <summary>The token that the vocabulary writes like this.</summary>
    public bool TryFind(string text, out int id)
    {
        if (_apart.TryGetValue(text, out id))
            return true;
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        return ByteLevelAlphabet.TryToBytes(utf8, utf8, out int written) && TryFind(utf8.AsSpan(0, written), out id);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Slot(ReadOnlySpan<byte> bytes)
    {
        HashCode hash = default;   // seeded per process: a file cannot be made to collide
        hash.AddBytes(bytes);
        int mask = _slots.Length - 1, slot = hash.ToHashCode() & mask;
        while (_slots[slot] != 0 && !BytesOf(_slots[slot] - 1).SequenceEqual(bytes))
            slot = slot + 1 & mask;
        return slot;
    }

    /// <summary>Collects the tokens of a file.</summary>
    internal sealed class Builder
    {
        private readonly List<(int Id, int Start, int Length, string? Apart)> _tokens = [];
        private byte[] _bytes = new byte[1 << 16];
        private int _used;

        /// <summary>Adds a token as the file writes it, <paramref name="added"/> if only found in the text itself.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Add(ReadOnlySpan<byte> utf8, int id, bool added = false)
        {
            if (_bytes.Length - _used < utf8.Length)
                Array.Resize(ref _bytes, checked(Math.Max(_bytes.Length * 2, _used + utf8.Length)));
            Span<byte> free = _bytes.AsSpan(_used);
            if (!ByteLevelAlphabet.TryToBytes(utf8, free, out int written))
            {
                utf8.CopyTo(free);
                (written, added) = (utf8.Length, true);
            }
            _tokens.Add((id, _used, written, added ? Encoding.UTF8.GetString(utf8) : null));
            _used += written;
        }

        /// <summary>Makes the vocabulary, or says what is wrong with it.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public bool TryBuild([NotNullWhen(true)] out TokenVocabulary? vocabulary, [NotNullWhen(false)] out string? problem)
        {
            (vocabulary, problem) = (null, null);
            int limit = Math.Max(1 << 20, 4 * _tokens.Count), size = 0;
            foreach ((int id, _, _, _) in _tokens)
                if ((uint)id < (uint)limit)
                    size = Math.Max(size, id + 1);
                else
                    problem ??= $"id {id} is not between 0 and {limit - 1}";
            if (problem is not null)
                return false;
            int[] starts = new int[size], lengths = new int[size];
            Array.Fill(starts, -1);
            var made = new TokenVocabulary(_bytes[.._used], starts, lengths);
            foreach ((int id, int start, int length, string? apart) in _tokens)
            {
                if (starts[id] >= 0)
                    problem ??= $"id {id} is given to two tokens";
                (starts[id], lengths[id]) = (start, length);
                if (problem is null && !made.Index(id, apart))
                    problem = $"the token of id {id} occurs twice";
            }
            vocabulary = problem is null ? made : null;
            return vocabulary is not null;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Index(int id, string? apart)
    {
        if (apart is not null)
        {
            _apartTexts.Add(id, apart);
            return _apart.TryAdd(apart, id);
        }
        int slot = Slot(BytesOf(id));
        if (_slots[slot] != 0)
            return false;
        _slots[slot] = id + 1;
        LongestToken = Math.Max(LongestToken, _lengths[id]);
        return true;
    }
}
