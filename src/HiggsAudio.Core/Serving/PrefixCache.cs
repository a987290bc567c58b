using HiggsAudio.Model;

namespace HiggsAudio.Serving;

/// <summary>Whose state is kept from one request to the next: a conversation. Guarded by the cache.</summary>
internal sealed class PrefixOwner
{
    public bool IsReleased { get; set; }
}

/// <summary>
/// Keys and values of beginnings of prompts, so that a request with the same beginning need not compute it again: it starts from a fork, which
/// shares the memory. What was used longest ago goes first. Two kinds: beginnings of any request (up to the last user's message), bounded
/// by their bytes; and what conversations own, bounded by the room that requests leave, and gone with their owner. Thread-safe.
/// </summary>
/// <param name="maxBytes">Most bytes of what nobody owns; 0 to keep none, and to give owners their own only.</param>
internal sealed class PrefixCache(long maxBytes) : IDisposable
{
    /// <summary>Fewer rows are not worth a fork.</summary>
    public const int FewestRows = 16;

    private const int MostEntries = 256;

    private sealed record Entry(RowKey Key, SequenceState Sequence, PrefixOwner? Owner);

    private readonly Lock _lock = new();
    private readonly LinkedList<Entry> _entries = [];   // used last first
    private long _bytes, _unownedBytes;

    /// <summary>Whether beginnings of any request are kept.</summary>
    public bool IsOn => maxBytes > 0;

    /// <summary>Bytes of all that is kept; memory that entries share counts in each.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>A sequence that begins with the longest part of a prompt that is kept, but not all of it: the last row's logits are needed.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="above">Rows that the caller has already: no fork of so few.</param>
    /// <param name="owner">Who asks, if it may own something.</param>
    /// <returns>The sequence, the caller's to dispose; null if nothing fits.</returns>
    public SequenceState? Fork(RowKey prompt, int above, PrefixOwner? owner)
    {
        lock (_lock)
        {
            LinkedListNode<Entry>? best = null;
            SequenceLength length = default;
            for (LinkedListNode<Entry>? node = _entries.First; node is not null; node = node.Next)
            {
                if (!IsOn && (owner is null || node.Value.Owner != owner))
                    continue;
                SequenceLength common = prompt.Common(node.Value.Key, prompt.Length.Rows - 1);
                if (common.Rows > length.Rows)
                    (best, length) = (node, common);
            }
            if (best is null || length.Rows <= above || length.Rows < FewestRows)
                return null;
            Touch(best);
            return best.Value.Sequence.Fork(length);
        }
    }

    /// <summary>Keeps a sequence's first rows, unless they are kept already or there is no room for them.</summary>
    /// <param name="key">The rows.</param>
    /// <param name="sequence">A sequence that begins with them; it stays the caller's.</param>
    /// <param name="owner">Whose they are; null for everybody's. An owner's earlier state is replaced.</param>
    /// <param name="room">Most bytes that all entries together may have.</param>
    public void Add(RowKey key, SequenceState sequence, PrefixOwner? owner, long room)
    {
        lock (_lock)
        {
            int rows = key.Length.Rows;
            if (rows < FewestRows || owner is null && !IsOn || owner is { IsReleased: true })
                return;
            for (LinkedListNode<Entry>? node = _entries.First, next; node is not null; node = next)
            {
                next = node.Next;
                if (node.Value.Owner == owner && owner is null && key.Common(node.Value.Key).Rows == rows)
                {
                    Touch(node);
                    return;
                }
            }
            SequenceState kept = sequence.Fork(key.Length);
            if (kept.Cache.Bytes > (owner is null ? Math.Min(room, maxBytes) : room))
            {
                kept.Dispose();
                return;
            }
            // What the new entry makes superfluous: an owner's earlier state, or a shorter beginning of the same.
            RemoveAll(e => e.Owner == owner && (owner is not null || key.Common(e.Key).Rows == e.Key.Length.Rows));
            _entries.AddFirst(new Entry(key, kept, owner));
            Count(_entries.First!.Value, 1);
            Trim(room);
        }
    }

    /// <summary>Drops what was used longest ago until at most so many bytes are left.</summary>
    public void TrimTo(long room)
    {
        lock (_lock)
            Trim(room);
    }

    /// <summary>Drops what an owner has, and keeps nothing more for it.</summary>
    public void Release(PrefixOwner owner)
    {
        lock (_lock)
        {
            owner.IsReleased = true;
            RemoveAll(e => e.Owner == owner);
        }
    }

    public void Dispose() => TrimTo(-1);

    private void Trim(long room)
    {
        for (LinkedListNode<Entry>? node = _entries.Last, previous; node is not null; node = previous)
        {
            previous = node.Previous;
            if (_bytes > room || _entries.Count > MostEntries || node.Value.Owner is null && _unownedBytes > maxBytes)
                Remove(node);
        }
    }

    private void RemoveAll(Predicate<Entry> match)
    {
        for (LinkedListNode<Entry>? node = _entries.First, next; node is not null; node = next)
        {
            next = node.Next;
            if (match(node.Value))
                Remove(node);
        }
    }

    private void Remove(LinkedListNode<Entry> node)
    {
        _entries.Remove(node);
        Count(node.Value, -1);
        node.Value.Sequence.Dispose();
    }

    private void Touch(LinkedListNode<Entry> node)
    {
        _entries.Remove(node);
        _entries.AddFirst(node);
    }

    private void Count(Entry entry, int sign)
    {
        long bytes = sign * entry.Sequence.Cache.Bytes;
        Interlocked.Add(ref _bytes, bytes);
        if (entry.Owner is null)
            _unownedBytes += bytes;
    }
}
