using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>What a tile of quantized rows works on: 1, 4 or 8 rows and one panel of a weight.</summary>
internal unsafe struct QuantizedTile
{
    public byte* Weights;       // one of QuantizedPanels
    public int Groups;          // of 64 inputs
    public int* X;              // see QuantizedInputs
    public float* Sums;         // [rows, 16], added to
}

/// <summary>The multiplications of one format with vectors of one width.</summary>
internal interface IQuantizedTiles
{
    /// <summary>Multiplies 1, 4 or 8 rows.</summary>
    static abstract void Multiply(in QuantizedTile tile, int rows);
}

/// <summary>
/// y = x · weightᵀ + bias for weights of 8 or 4 bits. Rows are quantized to 8 bits, in blocks like the weight's, and multiplied in
/// integers, exactly; the blocks' sums are scaled and added in order as 32-bit floats. So a row's result depends neither on the other rows
/// nor on the threads nor on the processor.
/// </summary>
internal static unsafe class QuantizedMatMul
{
    private const int ChunksPerThread = 8, TilesPerChunk = 8;
    private const long WorthAChunk = 1 << 17;           // multiplications

    public static void Linear(CpuThreads threads, CpuArena arena, Matrix x, CpuWeight weight, float* bias, Matrix y)
    {
        if (y.Rows == 0 || y.Columns == 0)
            return;
        long mark = arena.Mark;
        QuantizedInputs inputs = QuantizedInputs.Of(threads, arena, x, weight.Format);
        int panels = QuantizedPanels.Panels(weight.Rows), rowBlocks = (inputs.Tiles + TilesPerChunk - 1) / TilesPerChunk;
        long chunks = threads.Count == 1 ? 1 : Math.Min(ChunksPerThread * threads.Count, (long)x.Rows * weight.Rows * weight.Columns / WorthAChunk + 1);
        int panelBlocks = (int)Math.Clamp((chunks + rowBlocks - 1) / rowBlocks, 1, panels);
        var job = new Job(inputs, weight, (byte*)weight.Data, bias, y, (panels + panelBlocks - 1) / panelBlocks, rowBlocks);
        threads.Run(job, panelBlocks * rowBlocks);
        arena.Release(mark);
    }

    private readonly struct Job(QuantizedInputs inputs, CpuWeight weight, byte* data, float* bias, Matrix y, int panelsPerBlock, int rowBlocks) : IChunkedJob
    {
        private readonly byte* _data = data;
        private readonly float* _bias = bias;

        [SkipLocalsInit]
        public void Execute(int chunk)
        {
            float* sums = stackalloc float[QuantizedInputs.MostRows * QuantizedPanels.Outputs];
            (int panelBlock, int rowBlock) = Math.DivRem(chunk, rowBlocks);
            int end = Math.Min(QuantizedPanels.Panels(weight.Rows), (panelBlock + 1) * panelsPerBlock);
            int endTile = Math.Min(inputs.Tiles, (rowBlock + 1) * TilesPerChunk);
            long bytes = QuantizedPanels.PanelBytes(weight.Format, weight.Columns);
            for (int panel = panelBlock * panelsPerBlock; panel < end; panel++)
                for (int tile = rowBlock * TilesPerChunk; tile < endTile; tile++)
                {
                    int rows = inputs.RowsOf(tile);
                    new Span<float>(sums, rows * QuantizedPanels.Outputs).Clear();
                    Multiply(weight.Format, new QuantizedTile { Weights = _data + panel * bytes, Groups = QuantizedPanels.Groups(weight.Columns), X = inputs.Tile(tile), Sums = sums }, rows);
                    Store(sums, panel, tile);
                }
        }

        private void Store(float* sums, int panel, int tile)
        {
            int row = tile * QuantizedInputs.MostRows, first = panel * QuantizedPanels.Outputs;
            int rows = Math.Min(QuantizedInputs.MostRows, y.Rows - row), outputs = Math.Min(QuantizedPanels.Outputs, y.Columns - first);
            for (int r = 0; r < rows; r++)
            {
                float* to = y.Row(row + r) + first, from = sums + r * QuantizedPanels.Outputs;
                for (int o = 0; o < outputs; o++)
                    to[o] = _bias == null ? from[o] : from[o] + _bias[first + o];
            }
        }
    }

    private static void Multiply(WeightFormat format, in QuantizedTile tile, int rows)
    {
        if (Vector512.IsHardwareAccelerated)
            Multiply<IntegerSimd512, Vector512<int>, Vector512<float>>(format, tile, rows);
        else if (Vector256.IsHardwareAccelerated)
            Multiply<IntegerSimd256, Vector256<int>, Vector256<float>>(format, tile, rows);
        else
            Multiply<IntegerSimd128, Vector128<int>, Vector128<float>>(format, tile, rows);
    }

    private static void Multiply<N, I, V>(WeightFormat format, in QuantizedTile tile, int rows) where N : struct, IIntegerSimd<I, V> where I : struct where V : struct
    {
        if (format == WeightFormat.Int8)
            Int8Tiles<N, I, V>.Multiply(tile, rows);
        else
            Int4Tiles<N, I, V>.Multiply(tile, rows);
    }
}
