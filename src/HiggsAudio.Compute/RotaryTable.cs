namespace HiggsAudio.Compute;

/// <summary>
/// Cosines and sines of rotary position embeddings (RoFormer, arXiv:2104.09864), in the split-halves layout of Llama: feature i is rotated
/// with feature i + headDim / 2. Grows on demand, immutable for a position once made, thread-safe.
/// </summary>
/// <param name="inverseFrequencies">headDim / 2 frequencies, any scaling already applied.</param>
public sealed class RotaryTable(float[] inverseFrequencies)
{
    private const int PositionsPerPage = 256;
    private readonly Lock _growing = new();
    private volatile float[][] _pages = [];

    /// <summary>The frequencies, in radians per position.</summary>
    public ReadOnlySpan<float> InverseFrequencies => inverseFrequencies;

    /// <summary>Features of a head.</summary>
    public int HeadDim => 2 * inverseFrequencies.Length;

    /// <summary>headDim / 2 cosines, then headDim / 2 sines, of one position. Products and functions are in 32-bit floats, like the reference's.</summary>
    public ReadOnlySpan<float> this[int position]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(position);
            (int page, int row) = Math.DivRem(position, PositionsPerPage);
            float[][] pages = _pages;
            if (page >= pages.Length)
                pages = Grow(page + 1);
            return pages[page].AsSpan(row * HeadDim, HeadDim);
        }
    }

    private float[][] Grow(int count)
    {
        lock (_growing)
        {
            float[][] pages = _pages;
            if (pages.Length >= count)
                return pages;
            int made = pages.Length;
            Array.Resize(ref pages, count);
            for (; made < count; made++)
                pages[made] = Page(made * PositionsPerPage);
            return _pages = pages;
        }
    }

    private float[] Page(int first)
    {
        int half = inverseFrequencies.Length;
        var page = new float[PositionsPerPage * HeadDim];
        for (int p = 0; p < PositionsPerPage; p++)
            for (int i = 0; i < half; i++)
                (page[p * HeadDim + half + i], page[p * HeadDim + i]) = MathF.SinCos((first + p) * inverseFrequencies[i]);
        return page;
    }
}
