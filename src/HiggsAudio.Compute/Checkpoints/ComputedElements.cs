namespace HiggsAudio.Compute.Checkpoints;

/// <summary>Elements that are computed where they are read, of those that a file stores. Thread-safe.</summary>
internal abstract class ComputedElements(CheckpointTensor stored)
{
    /// <summary>The tensor that they are computed of.</summary>
    public CheckpointTensor Stored => stored;

    /// <summary>Computes as many elements as the destination holds, from <paramref name="start"/> on.</summary>
    public abstract void CopyTo(Span<float> destination, long start);

    /// <summary>All elements in memory, in the tensor's type, for devices that compute on them where they are.</summary>
    public abstract nint Address { get; }

    /// <summary>Says that all of them will be read soon.</summary>
    public virtual void Expect() => Stored.Expect();

    /// <summary>Says that they will not be read soon.</summary>
    public virtual void Forget() => Stored.Forget();
}
