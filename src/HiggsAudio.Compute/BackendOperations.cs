namespace HiggsAudio.Compute;

public abstract partial class Backend
{
    /// <summary>Looks up rows of a table; an id of −1 gives a row of zeros.</summary>
    /// <returns>[ids, width]</returns>
    public Matrix Embed(Weight table, ReadOnlySpan<int> ids, Matrix into = default)
    {
        CheckIds(table, ids, lowest: -1);
        Matrix y = Result(nameof(Embed), into, ids.Length, table.Columns);
        EmbedKernel(table, ids, y);
        return y;
    }

    /// <summary>Sums (or averages) <paramref name="perRow"/> rows of a table for every row of the result: the embedding of one audio frame.</summary>
    /// <param name="table">[entries, width]</param>
    /// <param name="ids">rows * perRow entries, row by row.</param>
    /// <param name="perRow">Ids of one row.</param>
    /// <param name="average">Divide the sum by <paramref name="perRow"/>.</param>
    /// <param name="into">Where to put the result.</param>
    /// <returns>[rows, width]</returns>
    public Matrix EmbedSum(Weight table, ReadOnlySpan<int> ids, int perRow, bool average = false, Matrix into = default)
    {
        CheckIds(table, ids, lowest: 0);
        if (perRow < 1 || ids.Length % perRow != 0)
            throw new ArgumentException($"EmbedSum: {ids.Length} ids are not rows of {perRow}.");
        Matrix y = Result(nameof(EmbedSum), into, ids.Length / perRow, table.Columns);
        EmbedSumKernel(table, ids, perRow, average, y);
        return y;
    }

    /// <summary>y = x · weightᵀ + bias.</summary>
    /// <param name="x">[rows, inputs]; rows may overlap (a row stride below the number of columns).</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="bias">[1, outputs], or null.</param>
    /// <param name="into">Where to put the result; must not overlap <paramref name="x"/>.</param>
    /// <returns>[rows, outputs]</returns>
    public Matrix Linear(Matrix x, Weight weight, Weight? bias = null, Matrix into = default)
    {
        Check(x.Columns == weight.Columns, nameof(Linear), x, weight);
        CheckVector(nameof(Linear), bias, weight.Rows);
        Matrix y = Result(nameof(Linear), into, x.Rows, weight.Rows);
        if (y.Rows > 0)
            LinearKernel(x, weight, bias, y);
        return y;
    }

    /// <summary>x / sqrt(mean(x²) + epsilon) · gain, row by row (arXiv:1910.07467).</summary>
    public Matrix RmsNorm(Matrix x, Weight gain, float epsilon, Matrix into = default)
    {
        CheckVector(nameof(RmsNorm), gain, x.Columns);
        Matrix y = Result(nameof(RmsNorm), into, x.Rows, x.Columns);
        if (y.Rows > 0)
            RmsNormKernel(x, gain, epsilon, y);
        return y;
    }

    /// <summary>(x − mean) / sqrt(variance + epsilon) · gain + bias, row by row (arXiv:1607.06450).</summary>
    public Matrix LayerNorm(Matrix x, Weight gain, Weight bias, float epsilon, Matrix into = default)
    {
        CheckVector(nameof(LayerNorm), gain, x.Columns);
        CheckVector(nameof(LayerNorm), bias, x.Columns);
        Matrix y = Result(nameof(LayerNorm), into, x.Rows, x.Columns);
        if (y.Rows > 0)
            LayerNormKernel(x, gain, bias, epsilon, y);
        return y;
    }

    /// <summary>Normalises groups of columns over all rows and the group's columns, then applies gain and bias per column (arXiv:1803.08494).</summary>
    public Matrix GroupNorm(Matrix x, int groups, Weight gain, Weight bias, float epsilon, Matrix into = default)
    {
        CheckVector(nameof(GroupNorm), gain, x.Columns);
        CheckVector(nameof(GroupNorm), bias, x.Columns);
        if (groups < 1 || x.Columns % groups != 0)
            throw new ArgumentException($"GroupNorm: {x.Columns} columns are not {groups} equal groups.");
        Matrix y = Result(nameof(GroupNorm), into, x.Rows, x.Columns);
        if (y.Rows > 0)
            GroupNormKernel(x, groups, gain, bias, epsilon, y);
        return y;
    }

    /// <summary>
    /// Causal attention with a cache, as one operation: rotates q and k by each row's position, appends k and v to each row's cache, then
    /// lets every row attend to the slots of its cache up to its own. Every key is in place before any row attends. Scores are scaled by
    /// 1/sqrt(headDim); query head h reads key-value head h / (heads / keyValueHeads). A row that sees no slot gives zeros.
    /// </summary>
    /// <param name="q">[rows, heads * headDim]; left undefined.</param>
    /// <param name="k">[rows, keyValueHeads * headDim]; left undefined.</param>
    /// <param name="v">[rows, keyValueHeads * headDim]</param>
    /// <param name="rotary">The rotation.</param>
    /// <param name="rows">Cache, position and slot of each row. The caches must have room (<see cref="KvCache.Reserve"/>).</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="into">Where to put the result; may be <paramref name="q"/>.</param>
    /// <returns>[rows, heads * headDim]</returns>
    public Matrix RotateAppendAttend(Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer, Matrix into = default)
    {
        if (q.Rows != rows.Count || k.Rows != q.Rows || v.Rows != q.Rows || k.Columns != v.Columns)
            throw new ArgumentException($"RotateAppendAttend: q {q}, k {k}, v {v} for {rows.Count} rows.");
        if (k.Columns == 0 || k.Columns % rotary.HeadDim != 0 || q.Columns % k.Columns != 0)
            throw new ArgumentException($"RotateAppendAttend: q {q} and k {k} are not whole groups of heads of {rotary.HeadDim}.");
        for (int r = 0; r < rows.Count; r++)
            PrepareRow(rows.Caches[r], rows.Slots[r], layer, k.Columns / rotary.HeadDim, rotary.HeadDim);
        Matrix y = Result(nameof(RotateAppendAttend), into, q.Rows, q.Columns);
        if (y.Rows > 0)
            RotateAppendAttendKernel(q, k, v, rotary, rows, layer, y);
        return y;
    }

    /// <summary>Attention of all rows to all rows, without mask or rotation. Scores are scaled by 1/sqrt(headDim).</summary>
    /// <returns>[rows, heads * headDim]</returns>
    public Matrix SelfAttention(Matrix q, Matrix k, Matrix v, int heads, Matrix into = default)
    {
        if (q.Columns != k.Columns || q.Columns != v.Columns || q.Rows != k.Rows || q.Rows != v.Rows || heads < 1 || q.Columns % heads != 0)
            throw new ArgumentException($"SelfAttention: q {q}, k {k}, v {v} with {heads} heads.");
        Matrix y = Result(nameof(SelfAttention), into, q.Rows, q.Columns);
        if (y.Rows > 0)
            SelfAttentionKernel(q, k, v, heads, y);
        return y;
    }

    /// <summary>silu(gate) · up, element by element (arXiv:2002.05202).</summary>
    public Matrix SwiGlu(Matrix gate, Matrix up, Matrix into = default)
    {
        if (gate.Rows != up.Rows || gate.Columns != up.Columns)
            throw new ArgumentException($"SwiGlu: gate {gate}, up {up}.");
        Matrix y = Result(nameof(SwiGlu), into, gate.Rows, gate.Columns);
        if (y.Rows > 0)
            SwiGluKernel(gate, up, y);
        return y;
    }

    /// <summary>x · Φ(x), with the error function (arXiv:1606.08415).</summary>
    public Matrix Gelu(Matrix x, Matrix into = default)
    {
        Matrix y = Result(nameof(Gelu), into, x.Rows, x.Columns);
        if (y.Rows > 0)
            GeluKernel(x, y);
        return y;
    }

    /// <summary>x where positive, eˣ − 1 elsewhere (arXiv:1511.07289).</summary>
    public Matrix Elu(Matrix x, Matrix into = default)
    {
        Matrix y = Result(nameof(Elu), into, x.Rows, x.Columns);
        if (y.Rows > 0)
            EluKernel(x, y);
        return y;
    }

    /// <summary>x + sin²(alpha · x) / (alpha + 1e-9), alpha per column (arXiv:2006.08195).</summary>
    public Matrix Snake(Matrix x, Weight alpha, Matrix into = default)
    {
        CheckVector(nameof(Snake), alpha, x.Columns);
        Matrix y = Result(nameof(Snake), into, x.Rows, x.Columns);
        if (y.Rows > 0)
            SnakeKernel(x, alpha, y);
        return y;
    }

    /// <summary>x += y.</summary>
    public void Add(Matrix x, Matrix y)
    {
        Check(x.Rows == y.Rows && x.Columns == y.Columns, nameof(Add), x, y);
        if (x.Rows > 0)
            AddKernel(x, y);
    }

    /// <summary>x *= factor.</summary>
    public void Scale(Matrix x, float factor)
    {
        if (x.Rows > 0)
            ScaleKernel(x, factor);
    }

    /// <summary>Copies a matrix.</summary>
    public Matrix Copy(Matrix x, Matrix into = default)
    {
        Matrix y = Result(nameof(Copy), into, x.Rows, x.Columns);
        if (y.Rows > 0)
            CopyKernel(x, y);
        return y;
    }

    /// <summary>Gathers rows.</summary>
    /// <returns>[rows.Length, columns]</returns>
    public Matrix TakeRows(Matrix x, ReadOnlySpan<int> rows, Matrix into = default)
    {
        foreach (int row in rows)
            if ((uint)row >= (uint)x.Rows)
                throw new ArgumentOutOfRangeException(nameof(rows), row, $"TakeRows: a {x} matrix has no such row.");
        Matrix y = Result(nameof(TakeRows), into, rows.Length, x.Columns);
        if (y.Rows > 0)
            TakeRowsKernel(x, rows, y);
        return y;
    }

    /// <summary>Convolution over time.</summary>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="weight">[outputs, kernel * inputs]: column tap * inputs + input.</param>
    /// <param name="bias">[1, outputs], or null.</param>
    /// <param name="shape">The geometry.</param>
    /// <param name="into">Where to put the result; must not overlap <paramref name="x"/>.</param>
    /// <returns>[shape.OutputRows(rows), outputs]</returns>
    public Matrix Conv1d(Matrix x, Weight weight, Weight? bias, Conv1dShape shape, Matrix into = default)
    {
        Check((long)x.Columns * shape.Kernel == weight.Columns, nameof(Conv1d), x, weight);
        CheckVector(nameof(Conv1d), bias, weight.Rows);
        Matrix y = Result(nameof(Conv1d), into, shape.OutputRows(x.Rows), weight.Rows);
        if (y.Rows > 0)
            Conv1dKernel(x, weight, bias, shape, y);
        return y;
    }

    /// <summary>
    /// Transposed convolution over time, seen as a linear layer over windows: output rows q · stride … q · stride + stride − 1 (before
    /// the padding is cut) are one row of stride · outputs, made from the input rows q − taps + 1 … q (zeros outside).
    /// </summary>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="weight">
    /// [stride * outputs, taps * inputs]: row phase * outputs + output, column window * inputs + input, window 0 being the oldest row;
    /// torch's weight[input, output, phase + (taps − 1 − window) * stride], or 0 beyond the kernel.
    /// </param>
    /// <param name="bias">[1, outputs], or null.</param>
    /// <param name="shape">The geometry.</param>
    /// <param name="into">Where to put the result; must not overlap <paramref name="x"/>.</param>
    /// <returns>[shape.OutputRows(rows), outputs]</returns>
    public Matrix ConvTranspose1d(Matrix x, Weight weight, Weight? bias, ConvTranspose1dShape shape, Matrix into = default)
    {
        Check((long)x.Columns * shape.Taps == weight.Columns && weight.Rows % shape.Stride == 0, nameof(ConvTranspose1d), x, weight);
        CheckVector(nameof(ConvTranspose1d), bias, weight.Rows / shape.Stride);
        Matrix y = Result(nameof(ConvTranspose1d), into, x.Rows == 0 ? 0 : shape.OutputRows(x.Rows), weight.Rows / shape.Stride);
        if (y.Rows > 0)
            ConvTranspose1dKernel(x, weight, bias, shape, y);
        return y;
    }

    /// <summary>
    /// For every row, the entry of a table with the smallest Euclidean distance, the first of equals, found as the reference does:
    /// the largest −(|x|² − 2x·e + |e|²). Waits for the result.
    /// </summary>
    /// <param name="x">[rows, width]</param>
    /// <param name="table">[entries, width]</param>
    /// <param name="indices">One index per row.</param>
    public void NearestRow(Matrix x, Weight table, Span<int> indices)
    {
        Check(x.Columns == table.Columns, nameof(NearestRow), x, table);
        if (indices.Length != x.Rows)
            throw new ArgumentException($"NearestRow: {indices.Length} indices for {x}.");
        if (x.Rows > 0)
            NearestRowKernel(x, table, indices);
    }

    private Matrix Result(string operation, Matrix into, int rows, int columns)
    {
        if (into.IsDefault)
            return Empty(rows, columns);
        if (into.Rows != rows || into.Columns != columns)
            throw new ArgumentException($"{operation}: the result is [{rows}, {columns}], the place for it is {into}.");
        return into;
    }

    private static void Check<T>(bool ok, string operation, Matrix x, T other)
    {
        if (!ok)
            throw new ArgumentException($"{operation}: {x} does not fit {other}.");
    }

    private static void CheckVector(string operation, Weight? vector, int length)
    {
        if (vector is not null && (vector.Rows != 1 || vector.Columns != length))
            throw new ArgumentException($"{operation}: a vector of {length} was expected, found {vector}.");
    }

    private static void CheckIds(Weight table, ReadOnlySpan<int> ids, int lowest)
    {
        foreach (int id in ids)
            if (id < lowest || id >= table.Rows)
                throw new ArgumentOutOfRangeException(nameof(ids), id, $"The table has the entries 0 to {table.Rows - 1}.");
    }

    private static void PrepareRow(KvCache cache, int slot, int layer, int keyValueHeads, int headDim)
    {
        KvCacheShape shape = cache.Shape;
        if (shape.KeyValueHeads != keyValueHeads || shape.HeadDim != headDim || (uint)layer >= (uint)shape.Layers)
            throw new ArgumentException($"RotateAppendAttend: layer {layer} with {keyValueHeads} heads of {headDim} for a cache of {shape}.");
        if ((uint)slot >= (uint)cache.Capacity)
            throw new ArgumentException($"RotateAppendAttend: slot {slot} of a cache with room for {cache.Capacity}.");
        cache.Own(slot);
    }
}
