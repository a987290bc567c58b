using System.Numerics;
using System.Runtime.CompilerServices;

namespace HiggsAudio.Prompts.BytePair;

/// <summary>The merges of a byte-pair encoding: which pair of tokens becomes which token, and in which order merges go.</summary>
internal sealed class MergeTable
{
    /// <summary>No merge; later than any.</summary>
    public const ulong None = ulong.MaxValue;

    private readonly ulong[] _pairs;    // left << 32 | right
    private readonly ulong[] _merges;   // rank << 32 | merged token, or None where the slot is free
    private readonly int _mask;

    /// <summary>An empty table with room for a number of merges.</summary>
    public MergeTable(int capacity)
    {
        int slots = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, checked(capacity / 2 * 3)));
        _pairs = new ulong[slots];
        _merges = new ulong[slots];
        Array.Fill(_merges, None);
        _mask = slots - 1;
    }

    /// <summary>Adds a merge; of two merges of a pair the last one counts, as in the reference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(int left, int right, int rank, int merged)
    {
        int slot = Slot(left, right);
        _pairs[slot] = Pair(left, right);
        _merges[slot] = (ulong)(uint)rank << 32 | (uint)merged;
    }

    /// <summary>The merge of a pair: its rank in the upper half, the merged token in the lower; or <see cref="None"/>.</summary>
    public ulong Find(int left, int right) => _merges[Slot(left, right)];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Slot(int left, int right)
    {
        ulong pair = Pair(left, right);
        int slot = HashCode.Combine(left, right) & _mask;   // seeded per process: a file cannot be made to collide
        while (_merges[slot] != None && _pairs[slot] != pair)
            slot = slot + 1 & _mask;
        return slot;
    }

    private static ulong Pair(int left, int right) => (ulong)(uint)left << 32 | (uint)right;
}
