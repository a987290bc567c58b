using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>What a tile of <see cref="RowTiles{S, V, F}"/> works on: some rows, four outputs, one block of columns.</summary>
internal unsafe struct RowTile
{
    public byte* Weights;                   // the first output's
    public nint Weight1, Weight2, Weight3;  // bytes from there to the others' (a missing output is another one again)
    public nint Next;                       // bytes to the outputs that come after these: asked for meanwhile
    public byte* Tail;                      // the four outputs' columns beyond the last whole step, or null
    public float* X;
    public nint XStride;
    public int Steps;                       // of two vectors
    public float* Addend;                   // the bias, or the sum of the blocks before
    public nint AddendStride;
    public float* Y;
    public nint YStride;
}

/// <summary>
/// Multiplication with a weight that lies row by row, as in a checkpoint file: a tile takes four outputs and some rows at once, with
/// columns in the lanes of vectors. In a bfloat16 weight, even and odd columns are the halves of words, so the rows come with the even
/// columns of each step before the odd ones (<see cref="Arrangement"/>). Every sum is made of the same products in the same order whatever
/// the tile, so a row's result does not depend on the other rows.
/// </summary>
internal static unsafe class RowTiles<S, V, F> where S : struct, ISimd<V> where V : struct where F : struct, IWeightElements
{
    private const int TileOutputs = 4, LargestTile = 6;
    private const int FewRows = 24, BlockOutputs = 64;

    // Columns of a block: those of a tile's rows stay in the nearest cache.
    private const int BlockColumns = 1024;

    /// <summary>One block of a multiplication.</summary>
    public static void Multiply(in MatMulBlock block)
    {
        // Few rows: the weight is read once and in order. Many: a block of the rows stays in the nearest cache, one of the weight in the next.
        if (block.Rows <= FewRows)
            for (int output = 0; output < block.Outputs; output += TileOutputs)
                for (int row = 0; row < block.Rows; row += TileRows(block.Rows - row))
                    for (int column = 0; column < block.X.Columns; column += BlockColumns)
                        Multiply(block, row, output, column);
        else
            for (int first = 0; first < block.Outputs; first += BlockOutputs)
                for (int column = 0; column < block.X.Columns; column += BlockColumns)
                    for (int row = 0; row < block.Rows; row += TileRows(block.Rows - row))
                        for (int output = first; output < Math.Min(first + BlockOutputs, block.Outputs); output += TileOutputs)
                            Multiply(block, row, output, column);
    }

    private static int TileRows(int rows) => rows >= LargestTile && S.Registers >= 32 ? LargestTile : Math.Min(rows, 2);

    [SkipLocalsInit]
    private static void Multiply(in MatMulBlock block, int row, int output, int column)
    {
        nint weightStride = (nint)block.X.Columns * F.Size;
        int columns = Math.Min(BlockColumns, block.X.Columns - column), outputs = Math.Min(TileOutputs, block.Outputs - output);
        (int steps, int rest) = Math.DivRem(columns, 2 * S.Width);
        byte* tail = stackalloc byte[TileOutputs * 2 * S.Width * F.Size];
        float* scratch = stackalloc float[(LargestTile + 1) * TileOutputs];
        var tile = new RowTile
        {
            Weights = block.Weights + output * weightStride + (nint)column * F.Size,
            Weight1 = Math.Min(1, outputs - 1) * weightStride,
            Weight2 = Math.Min(2, outputs - 1) * weightStride,
            Weight3 = Math.Min(3, outputs - 1) * weightStride,
            Next = TileOutputs * weightStride,
            X = block.X.Data + row * block.X.RowStride + column,
            XStride = block.X.RowStride,
            Steps = steps,
            Y = block.Y + row * block.YStride + output,
            YStride = block.YStride,
            Addend = scratch + LargestTile * TileOutputs,
        };
        Vector128<float>.Zero.Store(tile.Addend);
        if (rest > 0)
        {
            tile.Tail = tail;
            CopyTail(tile, rest, tail);
        }
        if (column > 0)
        {
            tile.Addend = tile.Y;
            tile.AddendStride = tile.YStride;
        }
        else if (block.Bias != null)
            tile.Addend = block.Bias + output;

        int rows = TileRows(block.Rows - row);
        if (outputs == TileOutputs)
            Run(tile, rows);
        else
            RunPart(tile, rows, outputs, scratch);
    }

    private static void Run(in RowTile tile, int rows)
    {
        switch (rows)
        {
            case 6: Tile6(tile); break;
            case 2: Tile2(tile); break;
            default: Tile1(tile); break;
        }
    }

    // Fewer outputs than a tile has: their sums are taken from scratch.
    private static void RunPart(RowTile tile, int rows, int outputs, float* scratch)
    {
        RowTile whole = tile;
        (tile.AddendStride, tile.YStride) = (0, TileOutputs);
        tile.Addend = scratch + LargestTile * TileOutputs;
        tile.Y = scratch;
        Run(tile, rows);
        for (int r = 0; r < rows; r++)
            for (int o = 0; o < outputs; o++)
                whole.Y[r * whole.YStride + o] = whole.Addend[r * whole.AddendStride + o] + scratch[r * TileOutputs + o];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(in RowTile t, int row, V a, V b, V c, V d) =>
        (Vector128.Load(t.Addend + row * t.AddendStride) + S.Sums(a, b, c, d)).Store(t.Y + row * t.YStride);

    private static void CopyTail(in RowTile tile, int columns, byte* tail)
    {
        int step = 2 * S.Width * F.Size;
        byte* end = tile.Weights + tile.Steps * step;
        new Span<byte>(tail, TileOutputs * step).Clear();
        for (int o = 0; o < TileOutputs; o++)
            Buffer.MemoryCopy(end + (o switch { 0 => 0, 1 => tile.Weight1, 2 => tile.Weight2, _ => tile.Weight3 }), tail + o * step, step, columns * F.Size);
    }

    // 1 row × 4 outputs.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in RowTile t)
    {
        V a00 = default, a01 = default, a02 = default, a03 = default;
        byte* w = t.Weights, tail = t.Tail;
        nint w1 = t.Weight1, w2 = t.Weight2, w3 = t.Weight3, next = t.Next;
        float* x0 = t.X;
        for (int steps = t.Steps; ; steps = 1)
        {
            for (int i = 0; i < steps; i++, w += 2 * S.Width * F.Size, x0 += 2 * S.Width)
            {
                Prefetch.IntoSecond(w + next);
                Prefetch.IntoSecond(w + w1 + next);
                Prefetch.IntoSecond(w + w2 + next);
                Prefetch.IntoSecond(w + w3 + next);
                V x;
                V v0 = F.First<S, V>(w), v1 = F.First<S, V>(w + w1), v2 = F.First<S, V>(w + w2), v3 = F.First<S, V>(w + w3);
                x = S.Load(x0);
                a00 = S.MultiplyAdd(v0, x, a00);
                a01 = S.MultiplyAdd(v1, x, a01);
                a02 = S.MultiplyAdd(v2, x, a02);
                a03 = S.MultiplyAdd(v3, x, a03);
                v0 = F.Second<S, V>(w, S.Width * sizeof(float));
                v1 = F.Second<S, V>(w + w1, S.Width * sizeof(float));
                v2 = F.Second<S, V>(w + w2, S.Width * sizeof(float));
                v3 = F.Second<S, V>(w + w3, S.Width * sizeof(float));
                x = S.Load(x0 + S.Width);
                a00 = S.MultiplyAdd(v0, x, a00);
                a01 = S.MultiplyAdd(v1, x, a01);
                a02 = S.MultiplyAdd(v2, x, a02);
                a03 = S.MultiplyAdd(v3, x, a03);
            }
            if (tail == null)
                break;
            // The columns beyond the last whole step, padded with zeros.
            w = tail;
            w1 = 2 * S.Width * F.Size;
            w2 = 2 * w1;
            w3 = 3 * w1;
            tail = null;
        }
        Finish(t, 0, a00, a01, a02, a03);
    }

    // 2 rows × 4 outputs.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2(in RowTile t)
    {
        V a00 = default, a01 = default, a02 = default, a03 = default;
        V a10 = default, a11 = default, a12 = default, a13 = default;
        byte* w = t.Weights, tail = t.Tail;
        nint w1 = t.Weight1, w2 = t.Weight2, w3 = t.Weight3;
        nint s = t.XStride;
        float* x0 = t.X;
        for (int steps = t.Steps; ; steps = 1)
        {
            for (int i = 0; i < steps; i++, w += 2 * S.Width * F.Size, x0 += 2 * S.Width)
            {
                V x;
                V v0 = F.First<S, V>(w), v1 = F.First<S, V>(w + w1), v2 = F.First<S, V>(w + w2), v3 = F.First<S, V>(w + w3);
                x = S.Load(x0);
                a00 = S.MultiplyAdd(v0, x, a00);
                a01 = S.MultiplyAdd(v1, x, a01);
                a02 = S.MultiplyAdd(v2, x, a02);
                a03 = S.MultiplyAdd(v3, x, a03);
                x = S.Load(x0 + s);
                a10 = S.MultiplyAdd(v0, x, a10);
                a11 = S.MultiplyAdd(v1, x, a11);
                a12 = S.MultiplyAdd(v2, x, a12);
                a13 = S.MultiplyAdd(v3, x, a13);
                v0 = F.Second<S, V>(w, S.Width * sizeof(float));
                v1 = F.Second<S, V>(w + w1, S.Width * sizeof(float));
                v2 = F.Second<S, V>(w + w2, S.Width * sizeof(float));
                v3 = F.Second<S, V>(w + w3, S.Width * sizeof(float));
                x = S.Load(x0 + S.Width);
                a00 = S.MultiplyAdd(v0, x, a00);
                a01 = S.MultiplyAdd(v1, x, a01);
                a02 = S.MultiplyAdd(v2, x, a02);
                a03 = S.MultiplyAdd(v3, x, a03);
                x = S.Load(x0 + s + S.Width);
                a10 = S.MultiplyAdd(v0, x, a10);
                a11 = S.MultiplyAdd(v1, x, a11);
                a12 = S.MultiplyAdd(v2, x, a12);
                a13 = S.MultiplyAdd(v3, x, a13);
            }
            if (tail == null)
                break;
            // The columns beyond the last whole step, padded with zeros.
            w = tail;
            w1 = 2 * S.Width * F.Size;
            w2 = 2 * w1;
            w3 = 3 * w1;
            tail = null;
        }
        Finish(t, 0, a00, a01, a02, a03);
        Finish(t, 1, a10, a11, a12, a13);
    }

    // 6 rows × 4 outputs.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile6(in RowTile t)
    {
        V a00 = default, a01 = default, a02 = default, a03 = default;
        V a10 = default, a11 = default, a12 = default, a13 = default;
        V a20 = default, a21 = default, a22 = default, a23 = default;
        V a30 = default, a31 = default, a32 = default, a33 = default;
        V a40 = default, a41 = default, a42 = default, a43 = default;
        V a50 = default, a51 = default, a52 = default, a53 = default;
        byte* w = t.Weights, tail = t.Tail;
        nint w1 = t.Weight1, w2 = t.Weight2, w3 = t.Weight3;
        nint s = t.XStride, s2 = 2 * s;
        float* x0 = t.X, x3 = x0 + 3 * s;
        for (int steps = t.Steps; ; steps = 1)
        {
            for (int i = 0; i < steps; i++, w += 2 * S.Width * F.Size, x0 += 2 * S.Width, x3 += 2 * S.Width)
            {
                V x;
                V v0 = F.First<S, V>(w), v1 = F.First<S, V>(w + w1), v2 = F.First<S, V>(w + w2), v3 = F.First<S, V>(w + w3);
                x = S.Load(x0);
                a00 = S.MultiplyAdd(v0, x, a00);
                a01 = S.MultiplyAdd(v1, x, a01);
                a02 = S.MultiplyAdd(v2, x, a02);
                a03 = S.MultiplyAdd(v3, x, a03);
                x = S.Load(x0 + s);
                a10 = S.MultiplyAdd(v0, x, a10);
                a11 = S.MultiplyAdd(v1, x, a11);
                a12 = S.MultiplyAdd(v2, x, a12);
                a13 = S.MultiplyAdd(v3, x, a13);
                x = S.Load(x0 + s2);
                a20 = S.MultiplyAdd(v0, x, a20);
                a21 = S.MultiplyAdd(v1, x, a21);
                a22 = S.MultiplyAdd(v2, x, a22);
                a23 = S.MultiplyAdd(v3, x, a23);
                x = S.Load(x3);
                a30 = S.MultiplyAdd(v0, x, a30);
                a31 = S.MultiplyAdd(v1, x, a31);
                a32 = S.MultiplyAdd(v2, x, a32);
                a33 = S.MultiplyAdd(v3, x, a33);
                x = S.Load(x3 + s);
                a40 = S.MultiplyAdd(v0, x, a40);
                a41 = S.MultiplyAdd(v1, x, a41);
                a42 = S.MultiplyAdd(v2, x, a42);
                a43 = S.MultiplyAdd(v3, x, a43);
                x = S.Load(x3 + s2);
                a50 = S.MultiplyAdd(v0, x, a50);
                a51 = S.MultiplyAdd(v1, x, a51);
                a52 = S.MultiplyAdd(v2, x, a52);
                a53 = S.MultiplyAdd(v3, x, a53);
                v0 = F.Second<S, V>(w, S.Width * sizeof(float));
                v1 = F.Second<S, V>(w + w1, S.Width * sizeof(float));
                v2 = F.Second<S, V>(w + w2, S.Width * sizeof(float));
                v3 = F.Second<S, V>(w + w3, S.Width * sizeof(float));
                x = S.Load(x0 + S.Width);
                a00 = S.MultiplyAdd(v0, x, a00);
                a01 = S.MultiplyAdd(v1, x, a01);
                a02 = S.MultiplyAdd(v2, x, a02);
                a03 = S.MultiplyAdd(v3, x, a03);
                x = S.Load(x0 + s + S.Width);
                a10 = S.MultiplyAdd(v0, x, a10);
                a11 = S.MultiplyAdd(v1, x, a11);
                a12 = S.MultiplyAdd(v2, x, a12);
                a13 = S.MultiplyAdd(v3, x, a13);
                x = S.Load(x0 + s2 + S.Width);
                a20 = S.MultiplyAdd(v0, x, a20);
                a21 = S.MultiplyAdd(v1, x, a21);
                a22 = S.MultiplyAdd(v2, x, a22);
                a23 = S.MultiplyAdd(v3, x, a23);
                x = S.Load(x3 + S.Width);
                a30 = S.MultiplyAdd(v0, x, a30);
                a31 = S.MultiplyAdd(v1, x, a31);
                a32 = S.MultiplyAdd(v2, x, a32);
                a33 = S.MultiplyAdd(v3, x, a33);
                x = S.Load(x3 + s + S.Width);
                a40 = S.MultiplyAdd(v0, x, a40);
                a41 = S.MultiplyAdd(v1, x, a41);
                a42 = S.MultiplyAdd(v2, x, a42);
                a43 = S.MultiplyAdd(v3, x, a43);
                x = S.Load(x3 + s2 + S.Width);
                a50 = S.MultiplyAdd(v0, x, a50);
                a51 = S.MultiplyAdd(v1, x, a51);
                a52 = S.MultiplyAdd(v2, x, a52);
                a53 = S.MultiplyAdd(v3, x, a53);
            }
            if (tail == null)
                break;
            // The columns beyond the last whole step, padded with zeros.
            w = tail;
            w1 = 2 * S.Width * F.Size;
            w2 = 2 * w1;
            w3 = 3 * w1;
            tail = null;
        }
        Finish(t, 0, a00, a01, a02, a03);
        Finish(t, 1, a10, a11, a12, a13);
        Finish(t, 2, a20, a21, a22, a23);
        Finish(t, 3, a30, a31, a32, a33);
        Finish(t, 4, a40, a41, a42, a43);
        Finish(t, 5, a50, a51, a52, a53);
    }
}
