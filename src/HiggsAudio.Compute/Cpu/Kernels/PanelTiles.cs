using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>What a tile of <see cref="PanelTiles{S, V, F}"/> works on: some rows, one or two vectors of outputs twice, one block of columns.</summary>
internal unsafe struct PanelTile
{
    public float* X;
    public nint XStride;        // between rows
    public int Taps;
    public nint TapStride;
    public int Inputs;          // of a tap
    public byte* Weights;
    public byte* Ahead;         // weights that are needed soon: asked for meanwhile
    public float* Addend;       // the bias, or the sum of the blocks before
    public nint AddendStride;
    public float* Y;
    public nint YStride;
}

/// <summary>
/// Multiplication with a weight in panels: [panel of 32 outputs][column][32 outputs], so that one column's weights are whole cache lines,
/// the weight is read in order, and outputs lie in the lanes of vectors: no sums across lanes. In bfloat16, outputs j and j + 16 of a panel
/// share a 32-bit word. A tile keeps its sums in registers: rows × two vectors of outputs, 16 apart. Every sum is made of the same products
/// in the same order whatever the tile, so a row's result does not depend on the other rows.
/// </summary>
internal static unsafe class PanelTiles<S, V, F> where S : struct, ISimd<V> where V : struct where F : struct, IWeightElements
{
    /// <summary>Outputs of a panel.</summary>
    public const int Outputs = 32;

    private const int HalfPanelBytes = Outputs / 2 * sizeof(float);

    /// <summary>One block of a multiplication.</summary>
    public static void Multiply(in MatMulBlock block)
    {
        int streams = (block.Outputs + Outputs - 1) / Outputs * (Outputs / 2 / S.Width);
        // Two streams of one panel at once for narrow vectors; of two panels never: memory is read fastest in one line.
        int together = Outputs / 2 / S.Width > 1 ? 2 : 1;
        if (block.Rows == 1)
            for (int stream = 0; stream < streams; stream += together)
                foreach (ColumnBlock columns in block.X.Blocks)
                    MultiplyRow(block, columns, stream, stream + together - 1);
        else
            foreach (ColumnBlock columns in block.X.Blocks)
                for (int stream = 0; stream < streams; stream++)
                    MultiplyRows(block, columns, stream, streams);
    }

    // A stream is what a tile reads of a weight: two vectors of outputs of one panel.
    [SkipLocalsInit]
    private static void MultiplyRows(in MatMulBlock block, in ColumnBlock columns, int stream, int streams)
    {
        float* scratch = stackalloc float[12 * Outputs];
        float* zeros = stackalloc float[Outputs];
        new Span<float>(zeros, Outputs).Clear();
        bool whole = IsWhole(block, stream);
        for (int row = 0, count; row < block.Rows; row += count)
        {
            PanelTile tile = TileAt(block, columns, stream, row, whole, scratch, zeros);
            // The next stream follows after all rows; the one that follows the last is the same again.
            tile.Ahead = row == 0 && stream + 1 < streams ? WeightsAt(block, columns, stream + 1) : tile.Weights;
            count = block.Rows - row;
            count = count >= 12 && S.Registers >= 32 ? 12 : count >= 6 ? 6 : Math.Min(count, 3);
            switch (count)
            {
                case 12: Tile12(tile); break;
                case 6: Tile6(tile); break;
                case 3: Tile3(tile); break;
                case 2: Tile2(tile); break;
                default: Tile1(tile, tile); break;
            }
            if (!whole)
                AddPart(block, columns, stream, row, count, scratch);
        }
    }

    // One row takes both streams of a panel at once, or one that is all of it.
    [SkipLocalsInit]
    private static void MultiplyRow(in MatMulBlock block, in ColumnBlock columns, int stream, int other)
    {
        float* scratch = stackalloc float[2 * Outputs];
        float* zeros = stackalloc float[Outputs];
        new Span<float>(zeros, Outputs).Clear();
        bool whole = IsWhole(block, stream), otherWhole = IsWhole(block, other);
        Tile1(TileAt(block, columns, stream, 0, whole, scratch, zeros), TileAt(block, columns, other, 0, otherWhole, scratch + Outputs, zeros));
        if (!whole)
            AddPart(block, columns, stream, 0, 1, scratch);
        if (!otherWhole && other != stream)
            AddPart(block, columns, other, 0, 1, scratch + Outputs);
    }

    private static PanelTile TileAt(in MatMulBlock block, in ColumnBlock columns, int stream, int row, bool whole, float* scratch, float* zeros)
    {
        int output = FirstOutput(stream);
        var tile = new PanelTile
        {
            X = block.X.Data + row * block.X.RowStride + columns.Tap * block.X.TapStride + columns.Input,
            XStride = block.X.RowStride,
            Taps = columns.Taps,
            TapStride = block.X.TapStride,
            Inputs = columns.Inputs,
            Weights = WeightsAt(block, columns, stream),
            Y = whole ? block.Y + row * block.YStride + output : scratch,
            YStride = whole ? block.YStride : Outputs,
            Addend = zeros,
        };
        if (whole && columns.Column > 0)
        {
            tile.Addend = tile.Y;
            tile.AddendStride = tile.YStride;
        }
        else if (whole && block.Bias != null)
            tile.Addend = block.Bias + output;
        return tile;
    }

    private static byte* WeightsAt(in MatMulBlock block, in ColumnBlock columns, int stream)
    {
        (int panel, int part) = Math.DivRem(stream, Outputs / 2 / S.Width);
        return block.Weights + ((long)panel * block.X.Columns + columns.Column) * Outputs * F.Size + part * S.Width * sizeof(float);
    }

    private static int FirstOutput(int stream)
    {
        (int panel, int part) = Math.DivRem(stream, Outputs / 2 / S.Width);
        return panel * Outputs + part * S.Width;
    }

    private static bool IsWhole(in MatMulBlock block, int stream) => FirstOutput(stream) + Outputs / 2 + S.Width <= block.Outputs;

    // The last panel may have outputs that do not exist: those that do are taken from scratch.
    private static void AddPart(in MatMulBlock block, in ColumnBlock columns, int stream, int row, int rows, float* scratch)
    {
        int first = FirstOutput(stream);
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < S.Width; j++)
                for (int half = 0; half < Outputs; half += Outputs / 2)
                {
                    int output = first + half + j;
                    if (output >= block.Outputs)
                        continue;
                    float* y = block.Y + (row + r) * block.YStride + output;
                    float addend = columns.Column > 0 ? *y : block.Bias != null ? block.Bias[output] : 0;
                    *y = addend + scratch[r * Outputs + half + j];
                }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(in PanelTile t, int row, V first, V second)
    {
        float* addend = t.Addend + row * t.AddendStride, y = t.Y + row * t.YStride;
        V sum = S.Add(S.Load(addend), first), otherSum = S.Add(S.Load(addend + Outputs / 2), second);
        S.Store(y, sum);
        S.Store(y + Outputs / 2, otherSum);
    }

    // One row, one stream or two of the same panel.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in PanelTile t, in PanelTile u)
    {
        V a0 = default, b0 = default, a1 = default, b1 = default;
        byte* w = t.Weights;
        nint other = (nint)(u.Weights - t.Weights);
        for (int tap = 0; tap < t.Taps; tap++)
        {
            float* x0 = t.X + tap * t.TapStride;
            if (S.Width == Outputs / 2)
                for (float* end = x0 + t.Inputs; x0 < end; x0++, w += F.Size * Outputs)
                {
                    F.StreamPanel(w);
                    V x = S.Broadcast(*x0);
                    a0 = S.MultiplyAdd(F.First<S, V>(w), x, a0);
                    b0 = S.MultiplyAdd(F.Second<S, V>(w, HalfPanelBytes), x, b0);
                }
            else
                for (float* end = x0 + t.Inputs; x0 < end; x0++, w += F.Size * Outputs)
                {
                    F.StreamPanel(w);
                    V x = S.Broadcast(*x0);
                    a0 = S.MultiplyAdd(F.First<S, V>(w), x, a0);
                    b0 = S.MultiplyAdd(F.Second<S, V>(w, HalfPanelBytes), x, b0);
                    a1 = S.MultiplyAdd(F.First<S, V>(w + other), x, a1);
                    b1 = S.MultiplyAdd(F.Second<S, V>(w + other, HalfPanelBytes), x, b1);
                }
        }
        Finish(t, 0, a0, b0);
        if (other != 0)
            Finish(u, 0, a1, b1);
    }

    // 2 rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2(in PanelTile t)
    {
        V a0 = default, b0 = default, a1 = default, b1 = default;
        byte* w = t.Weights;
        nint s = t.XStride;
        for (int tap = 0; tap < t.Taps; tap++)
        {
            float* x0 = t.X + tap * t.TapStride;
            for (float* end = x0 + t.Inputs; x0 < end; x0++, w += F.Size * Outputs)
            {
                F.PrefetchPanel(w + Prefetch.Distance);
                V first = F.First<S, V>(w), second = F.Second<S, V>(w, HalfPanelBytes), x;
                x = S.Broadcast(x0[0]);
                a0 = S.MultiplyAdd(first, x, a0);
                b0 = S.MultiplyAdd(second, x, b0);
                x = S.Broadcast(x0[s]);
                a1 = S.MultiplyAdd(first, x, a1);
                b1 = S.MultiplyAdd(second, x, b1);
            }
        }
        Finish(t, 0, a0, b0);
        Finish(t, 1, a1, b1);
    }

    // 3 rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile3(in PanelTile t)
    {
        V a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default;
        byte* w = t.Weights;
        nint s = t.XStride, s2 = 2 * s;
        for (int tap = 0; tap < t.Taps; tap++)
        {
            float* x0 = t.X + tap * t.TapStride;
            for (float* end = x0 + t.Inputs; x0 < end; x0++, w += F.Size * Outputs)
            {
                F.PrefetchPanel(w + Prefetch.Distance);
                V first = F.First<S, V>(w), second = F.Second<S, V>(w, HalfPanelBytes), x;
                x = S.Broadcast(x0[0]);
                a0 = S.MultiplyAdd(first, x, a0);
                b0 = S.MultiplyAdd(second, x, b0);
                x = S.Broadcast(x0[s]);
                a1 = S.MultiplyAdd(first, x, a1);
                b1 = S.MultiplyAdd(second, x, b1);
                x = S.Broadcast(x0[s2]);
                a2 = S.MultiplyAdd(first, x, a2);
                b2 = S.MultiplyAdd(second, x, b2);
            }
        }
        Finish(t, 0, a0, b0);
        Finish(t, 1, a1, b1);
        Finish(t, 2, a2, b2);
    }

    // 6 rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile6(in PanelTile t)
    {
        V a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default, a4 = default, b4 = default, a5 = default, b5 = default;
        byte* w = t.Weights, ahead = t.Ahead;
        nint s = t.XStride, s2 = 2 * s, s3 = 3 * s;
        for (int tap = 0; tap < t.Taps; tap++)
        {
            float* x0 = t.X + tap * t.TapStride, x4 = x0 + 4 * s;
            for (float* end = x0 + t.Inputs; x0 < end; x0++, x4++, w += F.Size * Outputs, ahead += F.Size * Outputs)
            {
                F.PrefetchPanel(ahead);
                V first = F.First<S, V>(w), second = F.Second<S, V>(w, HalfPanelBytes), x;
                x = S.Broadcast(x0[0]);
                a0 = S.MultiplyAdd(first, x, a0);
                b0 = S.MultiplyAdd(second, x, b0);
                x = S.Broadcast(x0[s]);
                a1 = S.MultiplyAdd(first, x, a1);
                b1 = S.MultiplyAdd(second, x, b1);
                x = S.Broadcast(x0[s2]);
                a2 = S.MultiplyAdd(first, x, a2);
                b2 = S.MultiplyAdd(second, x, b2);
                x = S.Broadcast(x0[s3]);
                a3 = S.MultiplyAdd(first, x, a3);
                b3 = S.MultiplyAdd(second, x, b3);
                x = S.Broadcast(x4[0]);
                a4 = S.MultiplyAdd(first, x, a4);
                b4 = S.MultiplyAdd(second, x, b4);
                x = S.Broadcast(x4[s]);
                a5 = S.MultiplyAdd(first, x, a5);
                b5 = S.MultiplyAdd(second, x, b5);
            }
        }
        Finish(t, 0, a0, b0);
        Finish(t, 1, a1, b1);
        Finish(t, 2, a2, b2);
        Finish(t, 3, a3, b3);
        Finish(t, 4, a4, b4);
        Finish(t, 5, a5, b5);
    }

    // 12 rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile12(in PanelTile t)
    {
        V a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default, a4 = default, b4 = default, a5 = default, b5 = default, a6 = default, b6 = default, a7 = default, b7 = default, a8 = default, b8 = default, a9 = default, b9 = default, a10 = default, b10 = default, a11 = default, b11 = default;
        byte* w = t.Weights, ahead = t.Ahead;
        nint s = t.XStride, s2 = 2 * s, s3 = 3 * s;
        for (int tap = 0; tap < t.Taps; tap++)
        {
            float* x0 = t.X + tap * t.TapStride, x4 = x0 + 4 * s, x8 = x0 + 8 * s;
            for (float* end = x0 + t.Inputs; x0 < end; x0++, x4++, x8++, w += F.Size * Outputs, ahead += F.Size * Outputs)
            {
                F.PrefetchPanel(ahead);
                V first = F.First<S, V>(w), second = F.Second<S, V>(w, HalfPanelBytes), x;
                x = S.Broadcast(x0[0]);
                a0 = S.MultiplyAdd(first, x, a0);
                b0 = S.MultiplyAdd(second, x, b0);
                x = S.Broadcast(x0[s]);
                a1 = S.MultiplyAdd(first, x, a1);
                b1 = S.MultiplyAdd(second, x, b1);
                x = S.Broadcast(x0[s2]);
                a2 = S.MultiplyAdd(first, x, a2);
                b2 = S.MultiplyAdd(second, x, b2);
                x = S.Broadcast(x0[s3]);
                a3 = S.MultiplyAdd(first, x, a3);
                b3 = S.MultiplyAdd(second, x, b3);
                x = S.Broadcast(x4[0]);
                a4 = S.MultiplyAdd(first, x, a4);
                b4 = S.MultiplyAdd(second, x, b4);
                x = S.Broadcast(x4[s]);
                a5 = S.MultiplyAdd(first, x, a5);
                b5 = S.MultiplyAdd(second, x, b5);
                x = S.Broadcast(x4[s2]);
                a6 = S.MultiplyAdd(first, x, a6);
                b6 = S.MultiplyAdd(second, x, b6);
                x = S.Broadcast(x4[s3]);
                a7 = S.MultiplyAdd(first, x, a7);
                b7 = S.MultiplyAdd(second, x, b7);
                x = S.Broadcast(x8[0]);
                a8 = S.MultiplyAdd(first, x, a8);
                b8 = S.MultiplyAdd(second, x, b8);
                x = S.Broadcast(x8[s]);
                a9 = S.MultiplyAdd(first, x, a9);
                b9 = S.MultiplyAdd(second, x, b9);
                x = S.Broadcast(x8[s2]);
                a10 = S.MultiplyAdd(first, x, a10);
                b10 = S.MultiplyAdd(second, x, b10);
                x = S.Broadcast(x8[s3]);
                a11 = S.MultiplyAdd(first, x, a11);
                b11 = S.MultiplyAdd(second, x, b11);
            }
        }
        Finish(t, 0, a0, b0);
        Finish(t, 1, a1, b1);
        Finish(t, 2, a2, b2);
        Finish(t, 3, a3, b3);
        Finish(t, 4, a4, b4);
        Finish(t, 5, a5, b5);
        Finish(t, 6, a6, b6);
        Finish(t, 7, a7, b7);
        Finish(t, 8, a8, b8);
        Finish(t, 9, a9, b9);
        Finish(t, 10, a10, b10);
        Finish(t, 11, a11, b11);
    }
}
