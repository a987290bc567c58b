namespace HiggsAudio.Compute.Checkpoints;

/// <summary>A checkpoint (weights or their configuration) cannot be used: broken, incomplete, or not the model that was expected.</summary>
public sealed class CheckpointException : IOException
{
    /// <summary>Names the file, the tensor if it is about one, and what is wrong.</summary>
    public CheckpointException(string path, string? tensor, string problem, Exception? inner = null)
        : base(tensor is null ? $"{path}: {problem}" : $"{path}: tensor '{tensor}': {problem}", inner)
    {
        Path = path;
        Tensor = tensor;
    }

    /// <summary>The file or folder.</summary>
    public string Path { get; }

    /// <summary>The tensor, if the problem is with one.</summary>
    public string? Tensor { get; }
}
