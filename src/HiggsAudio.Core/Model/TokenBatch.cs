using System.Runtime.InteropServices;
using HiggsAudio.Compute;

namespace HiggsAudio.Model;

/// <summary>
/// The rows of one forward pass, from any number of sequences: next tokens, whole prompts or pieces of them. Inside, text rows come first
/// and audio rows after, so that each kind is one slice of every matrix. Kept and cleared from step to step; nothing is allocated once it
/// has grown to its size.
/// </summary>
internal sealed class TokenBatch
{
    private const int NoToken = -1;
    private readonly record struct Row(SequenceState Sequence, int Position, int Slot, int KindSlot);

    private readonly HiggsAudioConfig _config;
    private readonly List<Row> _text = [], _audio = [];
    private readonly List<int> _textIds = [], _audioIds = [];
    private readonly List<int> _order = [];                                       // of each row as added: its index among text rows, or ~index among audio rows
    private readonly List<int> _textLogitRows = [], _audioLogitRows = [];         // as added; rows of the batch once sealed
    private float[] _textLogits = [], _audioLogits = [];
    private SequenceState? _last;
    private bool _sealed;

    /// <param name="config">Of the model that the batch is for.</param>
    public TokenBatch(HiggsAudioConfig config) => _config = config;

    /// <summary>Rows in all.</summary>
    public int Count => _order.Count;

    /// <summary>The text rows of a matrix of all rows.</summary>
    public Range Text => .._text.Count;

    /// <summary>The audio rows of a matrix of all rows.</summary>
    public Range Audio => _text.Count..;

    /// <summary>Ids of the text rows, −1 for padding.</summary>
    public ReadOnlySpan<int> TextIds => CollectionsMarshal.AsSpan(_textIds);

    /// <summary>Entries of the audio embedding table, one per codebook, of the audio rows.</summary>
    public ReadOnlySpan<int> AudioIds => CollectionsMarshal.AsSpan(_audioIds);

    /// <summary>Attention of all rows, text first.</summary>
    public RowMap SharedAttention { get; } = new();

    /// <summary>Attention among text rows, in layers that audio rows pass unchanged.</summary>
    public RowMap TextAttention { get; } = new();

    /// <summary>Attention among audio rows.</summary>
    public RowMap AudioAttention { get; } = new();

    /// <summary>Rows whose text logits were asked for.</summary>
    public ReadOnlySpan<int> TextLogitRows => CollectionsMarshal.AsSpan(_textLogitRows);

    /// <summary>Rows whose audio logits were asked for.</summary>
    public ReadOnlySpan<int> AudioLogitRows => CollectionsMarshal.AsSpan(_audioLogitRows);

    /// <summary>Forgets rows, requests and results.</summary>
    public void Clear()
    {
        _text.Clear();
        _audio.Clear();
        _textIds.Clear();
        _audioIds.Clear();
        _order.Clear();
        _textLogitRows.Clear();
        _audioLogitRows.Clear();
        SharedAttention.Clear();
        TextAttention.Clear();
        AudioAttention.Clear();
        _last = null;
        _sealed = false;
    }

    /// <summary>Adds the next row of a sequence: a text token. A placeholder of audio stands for no text, and is padding.</summary>
    public void AddText(SequenceState sequence, int tokenId)
    {
        if ((uint)tokenId >= (uint)_config.VocabSize)
            throw new ArgumentOutOfRangeException(nameof(tokenId), tokenId, $"The vocabulary has the ids 0 to {_config.VocabSize - 1}.");
        if (tokenId == _config.AudioInTokenId || tokenId == _config.AudioOutTokenId)
            AddPadding(sequence);
        else
            AddTextRow(sequence, tokenId, padding: false);
    }

    /// <summary>
    /// Adds the next row of a sequence: a placeholder of audio for which the prompt has no codes, as the reference has it. Its embedding is
    /// zero, no row of the prefill attends to it and later rows of the prefill do not count it; decode steps do both.
    /// </summary>
    public void AddPadding(SequenceState sequence) => AddTextRow(sequence, NoToken, padding: true);

    /// <summary>Adds the next row of a sequence: a frame.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="codes">One code per codebook, from 0 to the codebook's size, in the delay pattern.</param>
    public void AddAudio(SequenceState sequence, ReadOnlySpan<int> codes)
    {
        if (codes.Length != _config.AudioNumCodebooks)
            throw new ArgumentException($"A frame has {_config.AudioNumCodebooks} codes, not {codes.Length}.", nameof(codes));
        foreach (int code in codes)
            if ((uint)code >= (uint)_config.CodebookSize)
                throw new ArgumentOutOfRangeException(nameof(codes), code, $"A codebook has the codes 0 to {_config.CodebookSize - 1}.");
        BeginRow(sequence);
        (int position, int slot, int kindSlot) = sequence.Next(audio: true, padding: false);
        _order.Add(~_audio.Count);
        _audio.Add(new Row(sequence, position, slot, kindSlot));
        for (int c = 0; c < codes.Length; c++)
            _audioIds.Add(c * _config.CodebookSize + codes[c]);
    }

    /// <summary>Asks for the text logits of the row added last.</summary>
    /// <returns>The number to read them by with <see cref="TextLogits"/>: 0, 1, …</returns>
    public int RequestTextLogits() => Request(_textLogitRows);

    /// <summary>Asks for the audio logits of the row added last.</summary>
    /// <returns>The number to read them by with <see cref="AudioLogits"/>: 0, 1, …</returns>
    public int RequestAudioLogits() => Request(_audioLogitRows);

    /// <summary>The text logits of a request, after the forward pass; valid until the next one. [vocabulary]</summary>
    public ReadOnlySpan<float> TextLogits(int request) => Logits(_textLogits, _textLogitRows.Count, request, _config.VocabSize);

    /// <summary>The audio logits of a request, after the forward pass; valid until the next one. [codebooks * codebook size]</summary>
    public ReadOnlySpan<float> AudioLogits(int request) => Logits(_audioLogits, _audioLogitRows.Count, request, AudioLogitCount);

    /// <summary>The row of the forward pass's matrices that holds the <paramref name="added"/>-th row that was added.</summary>
    public int RowOf(int added) => _order[added] >= 0 ? _order[added] : _text.Count + ~_order[added];

    private int AudioLogitCount => _config.AudioNumCodebooks * _config.CodebookSize;

    /// <summary>Orders the rows: text first. Called by the forward pass.</summary>
    internal void Seal()
    {
        if (_sealed)
            throw new InvalidOperationException("The batch has run already; clear it first.");
        _sealed = true;
        bool fastForward = _config.HasFastForwardLayers, audioAttention = _config.UseAudioOutSelfAttention;
        foreach (ref readonly Row row in CollectionsMarshal.AsSpan(_text))
        {
            SharedAttention.Add(row.Sequence.Cache, row.Position, row.Slot);
            if (fastForward)
                TextAttention.Add(row.Sequence.Cache, row.Position, row.KindSlot);
        }
        foreach (ref readonly Row row in CollectionsMarshal.AsSpan(_audio))
        {
            SharedAttention.Add(row.Sequence.Cache, row.Position, row.Slot);
            if (audioAttention)
                AudioAttention.Add(row.Sequence.Cache, row.Position, row.KindSlot);
        }
        foreach (ref int row in CollectionsMarshal.AsSpan(_textLogitRows))
            row = RowOf(row);
        foreach (ref int row in CollectionsMarshal.AsSpan(_audioLogitRows))
            row = RowOf(row);
    }

    /// <summary>Where the forward pass puts the text logits. [requests * vocabulary]</summary>
    internal Span<float> TextLogitResults() => Room(ref _textLogits, _textLogitRows.Count * (long)_config.VocabSize);

    /// <summary>Where the forward pass puts the audio logits. [requests * codebooks * codebook size]</summary>
    internal Span<float> AudioLogitResults() => Room(ref _audioLogits, _audioLogitRows.Count * (long)AudioLogitCount);

    private void AddTextRow(SequenceState sequence, int id, bool padding)
    {
        BeginRow(sequence);
        (int position, int slot, int kindSlot) = sequence.Next(audio: false, padding);
        if (padding)
            Hide(sequence, sequence.Hidden.Count - 1);
        _order.Add(_text.Count);
        _text.Add(new Row(sequence, position, slot, kindSlot));
        _textIds.Add(id);
    }

    // The padding of earlier pieces of a prompt stays hidden in this one.
    private void BeginRow(SequenceState sequence)
    {
        if (_sealed)
            throw new InvalidOperationException("The batch has run already; clear it first.");
        if (sequence == _last)
            return;
        _last = sequence;
        for (int i = 0; i < sequence.Hidden.Count; i++)
            Hide(sequence, i);
    }

    private void Hide(SequenceState sequence, int index)
    {
        if (index < 0)
            return;
        (int slot, int textSlot) = sequence.Hidden[index];
        SharedAttention.Hide(sequence.Cache, slot);
        TextAttention.Hide(sequence.Cache, textSlot);
    }

    private int Request(List<int> rows)
    {
        if (_order.Count == 0 || _sealed)
            throw new InvalidOperationException("Logits are asked for after adding their row and before the forward pass.");
        rows.Add(_order.Count - 1);
        return rows.Count - 1;
    }

    private ReadOnlySpan<float> Logits(float[] values, int requests, int request, int width)
    {
        if (!_sealed)
            throw new InvalidOperationException("There are no logits before the forward pass.");
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)request, (uint)requests, nameof(request));
        return values.AsSpan(request * width, width);
    }

    private static Span<float> Room(ref float[] buffer, long length)
    {
        if (buffer.Length < length)
            buffer = GC.AllocateUninitializedArray<float>(checked((int)length));
        return buffer.AsSpan(0, (int)length);
    }
}
