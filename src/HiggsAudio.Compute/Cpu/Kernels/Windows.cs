namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// The rows that a weight is multiplied with, seen as windows on memory: row t has <see cref="Taps"/> pieces of <see cref="Inputs"/>
/// elements, at t * RowStride + tap * TapStride. The rows of a matrix have one tap; those of a convolution overlap.
/// </summary>
internal readonly unsafe struct Windows
{
    // Columns that are summed up before they are added to the rest: what they need stays in the caches, and the error of the sum small.
    private const int LargestBlock = 512;

    public Windows(float* data, nint rowStride, int taps, nint tapStride, int inputs)
    {
        Data = data;
        (RowStride, Taps, TapStride, Inputs, Columns) = (rowStride, taps, tapStride, inputs, taps * inputs);
        BlockTaps = Math.Clamp(LargestBlock / Math.Max(inputs, 1), 1, taps);
        BlockInputs = Math.Min(inputs, LargestBlock);
        if (BlockInputs == inputs && (taps == 1 || tapStride == inputs))
            (Taps, Inputs, BlockTaps, BlockInputs) = (1, Columns, 1, BlockTaps * inputs);
    }

    public float* Data { get; }

    public nint RowStride { get; }

    public int Taps { get; }

    public nint TapStride { get; }

    /// <summary>Contiguous elements of a tap.</summary>
    public int Inputs { get; }

    /// <summary>Elements of a row: the columns of the weight.</summary>
    public int Columns { get; }

    private int BlockTaps { get; }

    private int BlockInputs { get; }

    /// <summary>The blocks in which the products of a row are summed up: the same ones for the same weight, wherever the rows lie.</summary>
    public BlockEnumerator Blocks => new(this);

    public static Windows Rows(Matrix x) => new((float*)x.Data, x.RowStride, 1, 0, x.Columns);

    /// <summary>The windows of a convolution without padding.</summary>
    public static Windows Convolution(Matrix x, int taps, int stride, int dilation) =>
        new((float*)x.Data, (nint)stride * x.RowStride, taps, (nint)dilation * x.RowStride, x.Columns);

    public Windows From(int row) => new(this, Data + row * RowStride);

    private Windows(in Windows other, float* data)
    {
        this = other;
        Data = data;
    }

    public struct BlockEnumerator(Windows windows)
    {
        private int _tap, _input = -windows.BlockInputs;

        public readonly BlockEnumerator GetEnumerator() => this;

        public readonly ColumnBlock Current =>
            new(_tap, Math.Min(windows.BlockTaps, windows.Taps - _tap), _input, Math.Min(windows.BlockInputs, windows.Inputs - _input), _tap * windows.Inputs + _input);

        public bool MoveNext()
        {
            _input += windows.BlockInputs;
            if (_input >= windows.Inputs)
                (_tap, _input) = (_tap + windows.BlockTaps, 0);
            return _tap < windows.Taps;
        }
    }
}

/// <summary>Some taps, or some inputs of one tap; the first of them is column <paramref name="Column"/> of the weight.</summary>
internal readonly record struct ColumnBlock(int Tap, int Taps, int Input, int Inputs, int Column);
