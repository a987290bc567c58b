namespace HiggsAudio.Compute;

/// <summary>The number format in which a device keeps a weight.</summary>
public enum WeightFormat
{
    /// <summary>As the checkpoint stores it; memory-mapped where the device can compute on the file's bytes.</summary>
    AsStored,

    /// <summary>32-bit floats.</summary>
    Float32,

    /// <summary>bfloat16: the upper half of a 32-bit float.</summary>
    BFloat16,

    /// <summary>
    /// 8-bit integers, a bfloat16 scale for 32 inputs: 8.5 bits per value. Only what <see cref="Backend.Linear"/> multiplies with; tables and
    /// vectors stay as stored, weights of convolutions floats. Rows are quantized to 8 bits too, and multiplied in integers.
    /// </summary>
    Int8,

    /// <summary>4-bit integers, a bfloat16 scale for 32 inputs: 4.5 bits per value. Otherwise as <see cref="Int8"/>.</summary>
    Int4,
}

/// <summary>What a weight is used for; it decides the layout in which a device keeps it.</summary>
public enum WeightUse
{
    /// <summary>Multiplied with rows: <see cref="Backend.Linear"/>, <see cref="Backend.Conv1d"/>, <see cref="Backend.ConvTranspose1d"/>.</summary>
    Linear,

    /// <summary>Looked up row by row: <see cref="Backend.Embed"/>, <see cref="Backend.EmbedSum"/>, <see cref="Backend.NearestRow"/>.</summary>
    Table,

    /// <summary>One row of 32-bit floats: norm gains, biases, snake's alpha.</summary>
    Vector,
}

/// <summary>
/// A parameter of a network: [outputs, inputs] for a linear layer, [entries, width] for a table, [1, length] for a vector.
/// Immutable, shared by all lanes of its <see cref="Device"/>, and owned by it.
/// </summary>
/// <param name="rows">Outputs, or entries of a table.</param>
/// <param name="columns">Inputs, or width of a table.</param>
/// <param name="format">The format it is kept in.</param>
public abstract class Weight(int rows, int columns, WeightFormat format)
{
    /// <summary>Outputs of a linear layer, entries of a table, 1 for a vector.</summary>
    public int Rows { get; } = rows;

    /// <summary>Inputs of a linear layer, width of a table, length of a vector.</summary>
    public int Columns { get; } = columns;

    /// <summary>The format it is kept in.</summary>
    public WeightFormat Format { get; } = format;

    /// <inheritdoc/>
    public override string ToString() => $"[{Rows}, {Columns}] {Format}";
}
