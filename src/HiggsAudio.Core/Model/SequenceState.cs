using HiggsAudio.Compute;

namespace HiggsAudio.Model;

/// <summary>How far a sequence has come; all that is needed to go back to a point is this and the cache.</summary>
/// <param name="Rows">Rows so far, all kinds.</param>
/// <param name="TextRows">Of them text, padding included.</param>
/// <param name="PaddingRows">Of them padding.</param>
/// <param name="InPrefill">Whether the prompt is not complete yet.</param>
internal readonly record struct SequenceLength(int Rows, int TextRows, int PaddingRows, bool InPrefill)
{
    public int AudioRows => Rows - TextRows;
}

/// <summary>One sequence: its key-value cache and how far it has come. Rows are added by a <see cref="TokenBatch"/>.</summary>
/// <param name="cache">An empty cache, disposed with the sequence.</param>
internal sealed class SequenceState(KvCache cache) : IDisposable
{
    private const int PageRows = 256;
    private readonly List<(int Slot, int TextSlot)> _hidden = [];

    /// <summary>Keys and values. A layer through which only text (or only audio) passes counts only those rows' slots.</summary>
    public KvCache Cache { get; } = cache;

    /// <summary>How far it has come, rows in a batch that has not run yet included.</summary>
    public SequenceLength Length { get; private set; } = new(0, 0, 0, InPrefill: true);

    /// <summary>The padding rows' slots in the shared attention and in that of text rows: no row of the prefill attends to them.</summary>
    public IReadOnlyList<(int Slot, int TextSlot)> Hidden => _hidden;

    /// <summary>Makes room for <paramref name="rows"/> rows in all, in whole pages, so that adding them allocates nothing.</summary>
    public void Reserve(int rows)
    {
        if (rows > Cache.Capacity)
            Cache.Reserve((rows + PageRows - 1) / PageRows * PageRows);
    }

    /// <summary>
    /// Says that the prompt is complete: the rows that follow are decode steps. It makes a difference after padding only (reference:
    /// <c>position_ids</c> of the prefill skip it, <c>cache_position</c> of the steps counts it and their mask shows it).
    /// </summary>
    public void EndPrefill()
    {
        Length = Length with { InPrefill = false };
        _hidden.Clear();
    }

    /// <summary>Goes back to an earlier length: rows after it are forgotten, and the next rows take their place.</summary>
    /// <param name="length">A <see cref="Length"/> since the end of the prefill.</param>
    public void Truncate(SequenceLength length)
    {
        SequenceLength now = Length;
        if (now.InPrefill || length.InPrefill || length.TextRows < 0 || length.TextRows > now.TextRows || length.AudioRows < 0 || length.AudioRows > now.AudioRows)
            throw new ArgumentException($"The sequence has {now}; it cannot go back to {length}.", nameof(length));
        Length = length;
    }

    /// <summary>
    /// A sequence of its own that goes on from here, or from an earlier row on; neither ever changes the other. The layers in which only text
    /// (or only audio) rows have slots need nothing of their own: a slot that a fork writes anew is copied first.
    /// </summary>
    /// <param name="length">Where from; null for here. Padding rows cannot be gone back over.</param>
    public SequenceState Fork(SequenceLength? length = null)
    {
        SequenceLength from = length ?? Length;
        if (from.TextRows < 0 || from.TextRows > Length.TextRows || from.AudioRows < 0 || from.AudioRows > Length.AudioRows)
            throw new ArgumentException($"The sequence has {Length}; it cannot be forked at {from}.", nameof(length));
        if (from != Length && Length.PaddingRows > 0)
            throw new ArgumentException("A sequence with padding can be forked at its end only.", nameof(length));
        var fork = new SequenceState(Cache.Fork(from.Rows)) { Length = from };
        fork._hidden.AddRange(_hidden);
        return fork;
    }

    /// <summary>
    /// The reference counts the rows of its static cache by keys that are not zero, and a padding row's key is zero: after a prompt with
    /// padding every step starts from here, and sees none of the answer so far. Null without padding.
    /// </summary>
    public SequenceLength? LengthAfterPadding => Length.PaddingRows is > 0 and var padding
        ? Length with { Rows = Length.Rows - padding, TextRows = Length.TextRows - padding }
        : null;

    /// <summary>Takes the next row: its position for the rotation, its slot among all rows, and its slot among the rows of its kind.</summary>
    internal (int Position, int Slot, int KindSlot) Next(bool audio, bool padding)
    {
        SequenceLength at = Length;
        Reserve(at.Rows + 1);
        int position = !at.InPrefill ? at.Rows : padding ? 1 : at.Rows - at.PaddingRows;
        int kindSlot = audio ? at.AudioRows : at.TextRows;
        if (padding && at.InPrefill)
            _hidden.Add((at.Rows, kindSlot));
        Length = at with { Rows = at.Rows + 1, TextRows = at.TextRows + (audio ? 0 : 1), PaddingRows = at.PaddingRows + (padding ? 1 : 0) };
        return (position, at.Rows, kindSlot);
    }

    public void Dispose() => Cache.Dispose();
}
