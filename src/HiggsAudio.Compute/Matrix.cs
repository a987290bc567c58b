namespace HiggsAudio.Compute;

/// <summary>
/// A matrix of 32-bit floats in a backend's memory: rows are steps in time (tokens, frames, samples), columns are features.
/// It is a view: it owns nothing, and is valid until the <see cref="Backend.Scope"/> in which it was made ends.
/// </summary>
/// <param name="Data">Address of the first element, in the backend's memory.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns.</param>
/// <param name="RowStride">Distance between the starts of two rows, in elements.</param>
public readonly record struct Matrix(nint Data, int Rows, int Columns, int RowStride)
{
    /// <summary>Whether this is <c>default</c>: no matrix at all (a matrix of no rows is not empty in this sense).</summary>
    public bool IsDefault => Data == 0 && Columns == 0;

    /// <summary>The rows of a range, as a view.</summary>
    public Matrix this[Range rows]
    {
        get
        {
            (int start, int count) = rows.GetOffsetAndLength(Rows);
            return this with { Data = Data + (nint)start * RowStride * sizeof(float), Rows = count };
        }
    }

    /// <summary>Some columns of every row, as a view.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The columns are not all inside this matrix.</exception>
    public Matrix Slice(int firstColumn, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstColumn);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstColumn + columns, Columns);
        return this with { Data = Data + (nint)firstColumn * sizeof(float), Columns = columns };
    }

    /// <summary>Every <paramref name="step"/>-th row, from row <paramref name="first"/> on, as a view.</summary>
    public Matrix EveryRow(int first, int step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        int count = first >= Rows ? 0 : (Rows - first + step - 1) / step;
        return new Matrix(Data + (nint)first * RowStride * sizeof(float), count, Columns, RowStride * step);
    }

    /// <summary>The same numbers seen as other rows and columns.</summary>
    /// <exception cref="ArgumentException">There is a gap between the rows, or the number of elements differs.</exception>
    public Matrix Reshape(int rows, int columns)
    {
        if (RowStride != Columns || (long)rows * columns != (long)Rows * Columns)
            throw new ArgumentException($"A [{Rows}, {Columns}] matrix with row stride {RowStride} is not a [{rows}, {columns}] one.");
        return new Matrix(Data, rows, columns, columns);
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{Rows}, {Columns}]";
}
