namespace HiggsAudio.Generation;

/// <summary>Integers that grow at the end and are read as a span.</summary>
internal sealed class IntList
{
    private int[] _values;

    /// <param name="values">The first.</param>
    /// <param name="reserve">Room for how many more before it grows.</param>
    public IntList(ReadOnlySpan<int> values, int reserve)
    {
        _values = new int[values.Length + reserve];
        values.CopyTo(_values);
        Count = values.Length;
    }

    public IntList(IntList other) => (_values, Count) = ([.. other._values], other.Count);

    public int Count { get; private set; }

    public ReadOnlySpan<int> Values => _values.AsSpan(0, Count);

    public void Add(int value) => AddSpan(1)[0] = value;

    /// <summary>Appends unset values and returns them to be set.</summary>
    public Span<int> AddSpan(int count)
    {
        if (Count + count > _values.Length)
            Array.Resize(ref _values, Math.Max(2 * _values.Length, Count + count));
        Count += count;
        return _values.AsSpan(Count - count, count);
    }
}
