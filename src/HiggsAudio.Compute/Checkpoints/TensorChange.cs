using System.Numerics;
using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>What an adapter adds to a tensor, computed where it is read. Thread-safe.</summary>
internal abstract class TensorChange
{
    private const int Piece = 1024;

    /// <summary>Adds the change of the elements from <paramref name="start"/> on.</summary>
    public void AddTo(Span<float> destination, long start)
    {
        Span<float> change = stackalloc float[Math.Min(Piece, destination.Length)];
        for (int done = 0; done < destination.Length; done += Piece)
        {
            Span<float> part = destination.Slice(done, Math.Min(Piece, destination.Length - done));
            Span<float> values = change[..part.Length];
            Compute(values, start + done);
            for (int i = 0; i < part.Length; i++)
                part[i] += values[i];
        }
    }

    /// <summary>Computes the change of the elements from <paramref name="start"/> on, at most 1024.</summary>
    protected abstract void Compute(Span<float> change, long start);

    // A product and a sum, rounded each, on all machines: an element does not depend on how many are computed at once.
    private protected static void AddProduct(Span<float> sum, ReadOnlySpan<float> values, float factor)
    {
        Span<Vector<float>> sums = MemoryMarshal.Cast<float, Vector<float>>(sum);
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values[..sum.Length]);
        for (int i = 0; i < sums.Length; i++)
            sums[i] += vectors[i] * new Vector<float>(factor);
        for (int i = sums.Length * Vector<float>.Count; i < sum.Length; i++)
            sum[i] += values[i] * factor;
    }
}

/// <summary>The matrices of a change by a low rank, as floats while they are used: the collector may take them between two tensors.</summary>
internal sealed class LowRankFactors(CheckpointTensor a, CheckpointTensor b)
{
    private readonly Lock _lock = new();
    private readonly WeakReference<float[][]> _values = new([]);

    /// <summary>[rank, columns], [rows, rank].</summary>
    public (float[] A, float[] B) Values
    {
        get
        {
            lock (_lock)
            {
                if (!_values.TryGetTarget(out float[][]? values) || values.Length == 0)
                    _values.SetTarget(values = [a.ToFloats(), b.ToFloats()]);
                return (values[0], values[1]);
            }
        }
    }

    public int Rank { get; } = (int)a.Shape[0];

    public int Columns { get; } = checked((int)a.Shape[1]);
}

/// <summary>scale · B·A for a matrix [outputs, inputs].</summary>
internal sealed class LowRankChange(CheckpointTensor a, CheckpointTensor b, float scale) : TensorChange
{
    private readonly LowRankFactors _factors = new(a, b);

    protected override void Compute(Span<float> change, long start)
    {
        (float[] a, float[] b) = _factors.Values;
        int rank = _factors.Rank, columns = _factors.Columns;
        change.Clear();
        for (int done = 0; done < change.Length;)
        {
            (long row, long column) = Math.DivRem(start + done, columns);
            Span<float> part = change.Slice(done, (int)Math.Min(columns - column, change.Length - done));
            for (int k = 0; k < rank; k++)
                AddProduct(part, a.AsSpan((int)(k * (long)columns + column)), b[row * rank + k]);
            done += part.Length;
        }
        foreach (ref float value in change)
            value *= scale;
    }
}

/// <summary>scale · (B·A)ᵀ for a table [entries, width]: A is [rank, entries], B is [width, rank].</summary>
internal sealed class LowRankTableChange(CheckpointTensor a, CheckpointTensor b, float scale) : TensorChange
{
    private readonly LowRankFactors _factors = new(a, b);
    private readonly int _width = checked((int)b.Shape[0]);

    protected override void Compute(Span<float> change, long start)
    {
        (float[] a, float[] b) = _factors.Values;
        int rank = _factors.Rank, entries = _factors.Columns;
        for (int i = 0; i < change.Length; i++)
        {
            (long entry, long feature) = Math.DivRem(start + i, _width);
            float sum = 0;
            for (int k = 0; k < rank; k++)
                sum += b[feature * rank + k] * a[k * (long)entries + entry];
            change[i] = sum * scale;
        }
    }
}

/// <summary>weight · (the adapter's own tensor − the model's).</summary>
internal sealed class WholeChange(CheckpointTensor own, CheckpointTensor model, float weight) : TensorChange
{
    protected override void Compute(Span<float> change, long start)
    {
        Span<float> old = stackalloc float[change.Length];
        own.CopyTo(change, start);
        model.CopyTo(old, start);
        for (int i = 0; i < change.Length; i++)
            change[i] = (change[i] - old[i]) * weight;
    }
}
