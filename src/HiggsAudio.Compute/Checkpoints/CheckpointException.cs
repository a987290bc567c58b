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

    internal static CheckpointException CannotOpen(string path, Exception inner) => new(path, null, inner switch
    {
        FileNotFoundException or DirectoryNotFoundException => "does not exist",
        UnauthorizedAccessException => "may not be read: access is denied",
        _ => $"cannot be opened: {inner.Message}",
    }, inner);

    /// <summary>Whether an exception is what the file system throws for a path it cannot open.</summary>
    internal static bool IsAccessError(Exception e) => e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException;
}
