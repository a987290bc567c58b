using HiggsAudio.Compute;

namespace HiggsAudio.Acoustic;

/// <summary>
/// Memory that holds one activation after another: a stack of layers needs as much as three of its largest activations, not their sum.
/// </summary>
internal readonly struct Room(Backend ops, long values)
{
    private readonly Matrix _all = ops.Empty(checked((int)values), 1);

    /// <summary>The room's start as a matrix with undefined contents.</summary>
    public Matrix As(int rows, int columns) => _all[..checked(rows * columns)].Reshape(rows, columns);
}
