using HiggsAudio.Compute;

namespace HiggsAudio.Acoustic;

/// <summary>Some rows of an activation.</summary>
/// <param name="First">The first of them.</param>
/// <param name="End">The one after the last.</param>
internal readonly record struct RowRange(int First, int End)
{
    public int Rows => End - First;

    /// <summary>The rows of a convolution's input that these rows of its result depend on.</summary>
    /// <param name="shape">The geometry, of stride 1.</param>
    /// <param name="rows">How many rows there are.</param>
    public RowRange Before(Conv1dShape shape, int rows) => new(Math.Max(0, First - shape.PaddingLeft), Math.Min(rows, End + shape.PaddingRight));

    /// <summary>The rows of a transposed convolution's input that these rows of its result depend on.</summary>
    /// <param name="shape">The geometry.</param>
    /// <param name="rows">How many rows the input has.</param>
    public RowRange Before(ConvTranspose1dShape shape, int rows) =>
        new(Math.Max(0, (First + shape.Padding) / shape.Stride - shape.Taps + 1), Math.Min(rows, (End - 1 + shape.Padding) / shape.Stride + 1));

    /// <summary>These rows of a matrix.</summary>
    /// <param name="x">The matrix.</param>
    /// <param name="its">The rows that it has.</param>
    public Matrix Of(Matrix x, RowRange its) => x[(First - its.First)..(End - its.First)];
}
