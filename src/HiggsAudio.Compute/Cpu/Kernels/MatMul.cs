using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Some rows times some outputs of a weight: what one thread does at a time.</summary>
internal unsafe struct MatMulBlock
{
    public Windows X;           // arranged, see Arrangement
    public int Rows;
    public byte* Weights;       // of the first output
    public int Outputs;
    public float* Bias;         // or null
    public float* Y;
    public nint YStride;
}

/// <summary>y = x · weightᵀ + bias.</summary>
internal static unsafe class MatMul
{
    private const int BlockRows = 192, GroupOutputs = 32;
    private const int ChunksPerThread = 8, FewRows = 8;
    private const long WorthAChunk = 1 << 16;           // multiplications
    private const long ArrangedElements = 4 << 20;

    public static void Linear(CpuThreads threads, CpuArena arena, Matrix x, CpuWeight weight, float* bias, Matrix y) =>
        Multiply(threads, arena, Windows.Rows(x), weight, bias, y);

    /// <summary>Multiplies windows with a weight.</summary>
    public static void Multiply(CpuThreads threads, CpuArena arena, Windows x, CpuWeight weight, float* bias, Matrix y)
    {
        if (weight.Columns == 0)
            Fill(bias, y);
        if (y.Rows == 0 || y.Columns == 0 || weight.Columns == 0)
            return;
        var block = new MatMulBlock
        {
            X = x,
            Rows = y.Rows,
            Weights = (byte*)weight.Data,
            Outputs = y.Columns,
            Bias = bias,
            Y = (float*)y.Data,
            YStride = y.RowStride,
        };
        if (Arrangement.IsRight(x, y.Rows, weight))
            Run(threads, block, weight);
        else
            RunArranged(threads, arena, block, weight);
    }

    // A sum of no products.
    private static void Fill(float* bias, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
                y.Row(r)[c] = bias == null ? 0 : bias[c];
    }

    private static void RunArranged(CpuThreads threads, CpuArena arena, MatMulBlock block, CpuWeight weight)
    {
        int stride = Arrangement.Stride(weight), rows = block.Rows;
        int batch = (int)Math.Clamp(ArrangedElements / stride, BlockRows, rows < BlockRows ? BlockRows : rows);
        long mark = arena.Mark;
        float* arranged = arena.Allocate((long)Math.Min(batch, rows) * stride);
        Windows source = block.X;
        float* y = block.Y;
        for (int row = 0; row < rows; row += batch)
        {
            block.Rows = Math.Min(batch, rows - row);
            block.Y = y + row * block.YStride;
            block.X = new Windows(arranged, stride, 1, 0, weight.Columns);
            Arrangement.Arrange(threads, source.From(row), block.Rows, weight, arranged);
            Run(threads, block, weight);
        }
        arena.Release(mark);
    }

    // Cuts the work into chunks of rows × outputs, none of which is so small that handing it out costs more than doing it.
    private static void Run(CpuThreads threads, in MatMulBlock whole, CpuWeight weight)
    {
        int groups = (whole.Outputs + GroupOutputs - 1) / GroupOutputs;
        long chunks = threads.Count == 1 ? 1 : Math.Min(ChunksPerThread * threads.Count, (long)whole.Rows * whole.Outputs * whole.X.Columns / WorthAChunk + 1);
        bool redoable = whole.Rows <= FewRows && threads.Count > 1;
        if (redoable)
            chunks = Math.Max(chunks, ((long)whole.Rows * groups * GroupOutputs + CpuThreads.MostResultFloats - 1) / CpuThreads.MostResultFloats);
        int blockRows = BlockRows;
        while (blockRows > 12 && (long)RowBlocks(whole.Rows, blockRows) * groups < chunks)
            blockRows /= 2;
        int rowBlocks = RowBlocks(whole.Rows, blockRows);
        int groupBlocks = (int)Math.Clamp((chunks + rowBlocks - 1) / rowBlocks, 1, groups);
        var job = new Job(whole, weight, blockRows, rowBlocks, (groups + groupBlocks - 1) / groupBlocks * GroupOutputs);
        // Few rows wait for memory; many would need much room for results that may be dropped.
        if (redoable && job.ResultFloats <= CpuThreads.MostResultFloats)
            threads.RunRedoable(job, groupBlocks);
        else
            threads.Run(job, rowBlocks * groupBlocks);
    }

    private static int RowBlocks(int rows, int blockRows) => (rows + blockRows - 1) / blockRows;

    private readonly struct Job(MatMulBlock whole, CpuWeight weight, int blockRows, int rowBlocks, int blockOutputs) : IRedoableJob
    {
        private readonly MatMulBlock _whole = whole;
        private readonly WeightLayout _layout = weight.Layout;
        private readonly bool _isBFloat16 = weight.IsBFloat16;

        /// <summary>Floats of the largest chunk's result, when a chunk has all rows.</summary>
        public int ResultFloats => _whole.Rows * blockOutputs;

        public void Execute(int chunk)
        {
            (int outputBlock, int rowBlock) = Math.DivRem(chunk, rowBlocks);
            int row = rowBlock * blockRows;
            Multiply(outputBlock, row, _whole.Y + row * _whole.YStride + outputBlock * blockOutputs, _whole.YStride);
        }

        public void Execute(int chunk, float* result) => Multiply(chunk, 0, result, blockOutputs);

        public void Publish(int chunk, float* result)
        {
            int first = chunk * blockOutputs, outputs = Math.Min(blockOutputs, _whole.Outputs - first);
            for (int r = 0; r < _whole.Rows && outputs > 0; r++)
                new ReadOnlySpan<float>(result + r * blockOutputs, outputs).CopyTo(new Span<float>(_whole.Y + r * _whole.YStride + first, outputs));
        }

        private void Multiply(int outputBlock, int row, float* y, nint stride)
        {
            int output = outputBlock * blockOutputs;
            if (output >= _whole.Outputs)
                return;
            MatMulBlock block = _whole;
            block.X = _whole.X.From(row);
            block.Rows = Math.Min(blockRows, _whole.Rows - row);
            block.Outputs = Math.Min(blockOutputs, _whole.Outputs - output);
            block.Weights += (long)output * _whole.X.Columns * (_isBFloat16 ? sizeof(ushort) : sizeof(float));
            block.Bias = _whole.Bias == null ? null : _whole.Bias + output;
            block.Y = y;
            block.YStride = stride;
            if (Vector512.IsHardwareAccelerated)
                Multiply<Simd512, Vector512<float>>(block);
            else if (Vector256.IsHardwareAccelerated)
                Multiply<Simd256, Vector256<float>>(block);
            else
                Multiply<Simd128, Vector128<float>>(block);
        }

        private void Multiply<S, V>(in MatMulBlock block) where S : struct, ISimd<V> where V : struct
        {
            switch (_layout, _isBFloat16)
            {
                case (WeightLayout.Panels, true): PanelTiles<S, V, BFloat16Elements>.Multiply(block); break;
                case (WeightLayout.Panels, false): PanelTiles<S, V, Float32Elements>.Multiply(block); break;
                case (_, true): RowTiles<S, V, BFloat16Elements>.Multiply(block); break;
                default: RowTiles<S, V, Float32Elements>.Multiply(block); break;
            }
        }
    }
}
