namespace HiggsAudio.Compute;

/// <summary>
/// For every row of a forward pass that attends: the cache of its sequence, its position (for the rotation) and its slot in the cache.
/// A row attends to the slots 0 up to and including its own. Rows of one sequence have different slots, in any order: a pass sorts its rows
/// by kind, so a prompt's slots may be 0, 1, 5, 6, 2, 3, 4. Reused from step to step.
/// </summary>
public sealed class RowMap
{
    private KvCache[] _caches = new KvCache[16];
    private int[] _positions = new int[16];
    private int[] _slots = new int[16];
    private readonly List<(KvCache Cache, int Slot)> _hidden = [];

    /// <summary>Changes whenever the map does: what was made of the map is good as long as it is the same.</summary>
    internal long Version { get; private set; }

    /// <summary>Number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>The cache of each row's sequence.</summary>
    public ReadOnlySpan<KvCache> Caches => _caches.AsSpan(0, Count);

    /// <summary>Each row's position in its sequence, from 0: what its query and key are rotated by.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Count);

    /// <summary>The slot that each row's key and value are written to.</summary>
    public ReadOnlySpan<int> Slots => _slots.AsSpan(0, Count);

    /// <summary>Slots that no row of this pass attends to (padding, as the reference has it). Usually none.</summary>
    public IReadOnlyList<(KvCache Cache, int Slot)> Hidden => _hidden;

    /// <summary>Forgets all rows.</summary>
    public void Clear()
    {
        Array.Clear(_caches, 0, Count);
        Count = 0;
        _hidden.Clear();
        Version++;
    }

    /// <summary>Adds a row.</summary>
    public void Add(KvCache cache, int position, int slot)
    {
        if (Count == _slots.Length)
        {
            Array.Resize(ref _caches, 2 * Count);
            Array.Resize(ref _positions, 2 * Count);
            Array.Resize(ref _slots, 2 * Count);
        }
        (_caches[Count], _positions[Count], _slots[Count]) = (cache, position, slot);
        Count++;
        Version++;
    }

    /// <summary>Hides a slot from all rows of this pass.</summary>
    public void Hide(KvCache cache, int slot)
    {
        _hidden.Add((cache, slot));
        Version++;
    }
}
