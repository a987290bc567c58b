namespace HiggsAudio.Compute;

/// <summary>
/// The seam: the operations that the networks are made of, on one lane of a device. Public operations check shapes, allocate the result
/// (unless <c>into</c> names a place for it) and call one kernel each; a backend writes the kernels. A lane serves one caller at a time;
/// several lanes of a device may be used at once. Results live until the <see cref="Scope"/> they were made in ends.
/// </summary>
public abstract partial class Backend : IDisposable
{
    /// <summary>The device of this lane.</summary>
    public abstract Device Device { get; }

    /// <summary>Bytes of scratch memory that the lane holds, in use or kept for later; 0 where it is not known.</summary>
    public virtual long ScratchBytes => 0;

    /// <summary>Called with every named intermediate result: compares a run with a dump of another one. Null in normal use.</summary>
    public Action<string, int, Matrix>? Observer { get; set; }

    /// <summary>Shows an intermediate result to the <see cref="Observer"/>, if there is one.</summary>
    /// <param name="name">What it is; a constant, so that nothing is allocated.</param>
    /// <param name="index">Which of them, such as the layer.</param>
    /// <param name="value">The result.</param>
    public void Observe(string name, int index, Matrix value) => Observer?.Invoke(name, index, value);

    /// <summary>Opens a scope: everything allocated in it is given back when it is disposed.</summary>
    public Scope Scratch() => new(this, Mark());

    /// <summary>A matrix with undefined contents.</summary>
    public abstract Matrix Empty(int rows, int columns);

    /// <summary>A matrix of zeros.</summary>
    public Matrix Zeros(int rows, int columns)
    {
        Matrix y = Empty(rows, columns);
        ZeroKernel(y);
        return y;
    }

    /// <summary>Copies host values, row by row, to a new matrix.</summary>
    public Matrix Upload(ReadOnlySpan<float> values, int rows, int columns)
    {
        if (values.Length != (long)rows * columns)
            throw new ArgumentException($"Upload: {values.Length} values for a [{rows}, {columns}] matrix.");
        Matrix y = Empty(rows, columns);
        UploadKernel(values, y);
        return y;
    }

    /// <summary>Waits until a matrix is computed and copies it to the host, row by row.</summary>
    public void Read(Matrix x, Span<float> destination)
    {
        if (destination.Length < (long)x.Rows * x.Columns)
            throw new ArgumentException($"Read: room for {destination.Length} values of a {x} matrix.");
        ReadKernel(x, destination);
    }

    /// <summary>Waits until a matrix is computed and returns it, row by row.</summary>
    public float[] Read(Matrix x)
    {
        var values = new float[x.Rows * x.Columns];
        ReadKernel(x, values);
        return values;
    }

    /// <summary>The point that <see cref="Release"/> returns to.</summary>
    protected internal abstract long Mark();

    /// <summary>Gives back everything allocated since a mark.</summary>
    protected internal abstract void Release(long mark);

    /// <summary>Copies host values to a matrix.</summary>
    protected abstract void UploadKernel(ReadOnlySpan<float> values, Matrix y);

    /// <summary>Copies a matrix to the host.</summary>
    protected abstract void ReadKernel(Matrix x, Span<float> destination);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the lane's memory.</summary>
    protected abstract void Dispose(bool disposing);

    /// <summary>Gives back, when disposed, everything its lane has allocated since it was opened.</summary>
    public readonly ref struct Scope(Backend owner, long mark)
    {
        /// <summary>Ends the scope.</summary>
        public void Dispose() => owner.Release(mark);
    }
}
