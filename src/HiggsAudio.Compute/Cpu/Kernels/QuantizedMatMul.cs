using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>What a tile of quantized rows works on: 1, 4 or 8 rows and one panel of a weight.</summary>
internal unsafe struct QuantizedTile
{
    public byte* Weights;       // one of QuantizedPanels
    public int Groups;          // of 64 inputs
    public int* X;              // see QuantizedInputs
    public float* Sums;         // [rows, 16], written
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

    // Which tiles multiply.
    private enum Tiles
    {
        Int4,
        Int8,
        Int8Dot,
        Int8DotPortable,
    }

    /// <summary>Tests: uses the tiles for AVX-VNNI, with other instructions in its place where the processor has none.</summary>
    internal static bool UseDotTiles { get; set; }

    public static void Linear(CpuThreads threads, CpuArena arena, Matrix x, CpuWeight weight, float* bias, Matrix y)
    {
        if (y.Rows == 0 || y.Columns == 0)
            return;
        long mark = arena.Mark;
        Tiles tiles = TilesOf(weight.Format);
        QuantizedInputs inputs = QuantizedInputs.Of(threads, arena, x, BlockQuantization.Offset(weight.Format), asWords: tiles == Tiles.Int8);
        int panels = QuantizedPanels.Panels(weight.Rows), rowBlocks = (inputs.Tiles + TilesPerChunk - 1) / TilesPerChunk;
        long chunks = threads.Count == 1 ? 1 : Math.Min(ChunksPerThread * threads.Count, (long)x.Rows * weight.Rows * weight.Columns / WorthAChunk + 1);
        int panelBlocks = (int)Math.Clamp((chunks + rowBlocks - 1) / rowBlocks, 1, panels);
        if (inputs.Tiles == 1)
            panelBlocks = Math.Max(panelBlocks, (int)(((long)y.Rows * panels * QuantizedPanels.Outputs + CpuThreads.MostResultFloats - 1) / CpuThreads.MostResultFloats));
        int panelsPerBlock = (panels + panelBlocks - 1) / panelBlocks;
        var job = new Job(inputs, tiles, weight.Format, weight.Columns, (byte*)weight.Data, bias, y, panelsPerBlock, rowBlocks);
        panelBlocks = (panels + panelsPerBlock - 1) / panelsPerBlock;
        // Few rows wait for memory; many would need much room for results that may be dropped.
        if (inputs.Tiles == 1 && job.ResultFloats <= CpuThreads.MostResultFloats)
            threads.RunRedoable(job, panelBlocks);
        else
            threads.Run(job, panelBlocks * rowBlocks);
        arena.Release(mark);
    }

    private readonly struct Job(QuantizedInputs inputs, Tiles tiles, WeightFormat format, int columns, byte* data, float* bias, Matrix y, int panelsPerBlock, int rowBlocks)
        : IRedoableJob
    {
        private readonly byte* _data = data;
        private readonly float* _bias = bias;

        /// <summary>Floats of the largest chunk's result.</summary>
        public int ResultFloats => y.Rows * panelsPerBlock * QuantizedPanels.Outputs;

        public void Execute(int chunk)
        {
            (int panelBlock, int rowBlock) = Math.DivRem(chunk, rowBlocks);
            Multiply(panelBlock, rowBlock, y.Row(0) + FirstOutput(panelBlock), y.RowStride);
        }

        public void Execute(int chunk, float* result) => Multiply(chunk, 0, result, panelsPerBlock * QuantizedPanels.Outputs);

        public void Publish(int chunk, float* result)
        {
            int first = FirstOutput(chunk), width = panelsPerBlock * QuantizedPanels.Outputs, outputs = Math.Min(width, y.Columns - first);
            for (int r = 0; r < y.Rows; r++)
                new ReadOnlySpan<float>(result + r * width, outputs).CopyTo(new Span<float>(y.Row(r) + first, outputs));
        }

        private int FirstOutput(int panelBlock) => panelBlock * panelsPerBlock * QuantizedPanels.Outputs;

        // The outputs of some panels for some tiles of rows; the first of them goes to column 0.
        [SkipLocalsInit]
        private void Multiply(int panelBlock, int rowBlock, float* to, nint stride)
        {
            float* sums = stackalloc float[QuantizedInputs.MostRows * QuantizedPanels.Outputs];
            int first = panelBlock * panelsPerBlock, end = Math.Min(QuantizedPanels.Panels(y.Columns), first + panelsPerBlock);
            int endTile = Math.Min(inputs.Tiles, (rowBlock + 1) * TilesPerChunk);
            long bytes = QuantizedPanels.PanelBytes(format, columns);
            var work = new QuantizedTile { Groups = QuantizedPanels.Groups(columns), Sums = sums };
            for (int panel = first; panel < end; panel++)
            {
                int output = panel * QuantizedPanels.Outputs, outputs = Math.Min(QuantizedPanels.Outputs, y.Columns - output);
                work.Weights = _data + panel * bytes;
                for (int tile = rowBlock * TilesPerChunk; tile < endTile; tile++)
                {
                    work.X = inputs.Tile(tile);
                    QuantizedMatMul.Multiply(tiles, work, inputs.RowsOf(tile));
                    int row = tile * QuantizedInputs.MostRows, rows = Math.Min(QuantizedInputs.MostRows, y.Rows - row);
                    for (int r = 0; r < rows; r++)
                        Store(sums + r * QuantizedPanels.Outputs, _bias == null ? null : _bias + output, to + (row + r) * stride + (output - FirstOutput(panelBlock)), outputs);
                }
            }
        }

        private static void Store(float* sums, float* bias, float* to, int outputs)
        {
            if (outputs == QuantizedPanels.Outputs)
                (bias == null ? Vector512.Load(sums) : Vector512.Load(sums) + Vector512.Load(bias)).Store(to);
            else
                for (int o = 0; o < outputs; o++)
                    to[o] = bias == null ? sums[o] : sums[o] + bias[o];
        }
    }

    private static Tiles TilesOf(WeightFormat format) =>
        format == WeightFormat.Int4 ? Tiles.Int4 : VnniProducts.IsSupported ? Tiles.Int8Dot : UseDotTiles ? Tiles.Int8DotPortable : Tiles.Int8;

    private static void Multiply(Tiles tiles, in QuantizedTile tile, int rows)
    {
        if (tiles == Tiles.Int8Dot)
            Int8DotTiles<VnniProducts>.Multiply(tile, rows);
        else if (tiles == Tiles.Int8DotPortable)
            Int8DotTiles<PortableProducts>.Multiply(tile, rows);
        else if (Vector512.IsHardwareAccelerated)
            Multiply<IntegerSimd512, Vector512<int>, Vector512<float>>(tiles, tile, rows);
        else if (Vector256.IsHardwareAccelerated)
            Multiply<IntegerSimd256, Vector256<int>, Vector256<float>>(tiles, tile, rows);
        else
            Multiply<IntegerSimd128, Vector128<int>, Vector128<float>>(tiles, tile, rows);
    }

    private static void Multiply<N, I, V>(Tiles tiles, in QuantizedTile tile, int rows) where N : struct, IIntegerSimd<I, V> where I : struct where V : struct
    {
        if (tiles == Tiles.Int8)
            Int8Tiles<N, I, V>.Multiply(tile, rows);
        else
            Int4Tiles<N, I, V>.Multiply(tile, rows);
    }
}
