namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// An open checkpoint: named tensors in one or more memory-mapped files. Closing it ends the life of its tensors' bytes. The files must
/// not be changed or cut while it is open: their bytes are read when they are used. Thread-safe, apart from closing it.
/// </summary>
public abstract class Checkpoint : IDisposable
{
    private static readonly string[] KnownFiles = ["model.safetensors.index.json", "model.safetensors", "model.pth", "pytorch_model.bin"];

    /// <summary>The file or folder it was opened from.</summary>
    public abstract string Path { get; }

    /// <summary>All tensors by their stored names.</summary>
    public abstract IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; }

    /// <summary>Free text that the file carries beside its tensors (safetensors' <c>__metadata__</c>).</summary>
    public abstract IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>
    /// Opens a checkpoint. A folder: the first of model.safetensors.index.json (shards), model.safetensors, model.pth and
    /// pytorch_model.bin in it. A file: by its content, safetensors or torch's zip format, or an index of shards if it ends in .json. A safetensors file of packed weights is a
    /// <see cref="PackedCheckpoint"/>.
    /// </summary>
    /// <exception cref="CheckpointException">There is none, it cannot be read, or it breaks its format; the inner exception is the file system's, if any.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string file = path;
        if (Directory.Exists(path))
            file = KnownFiles.Select(name => System.IO.Path.Combine(path, name)).FirstOrDefault(File.Exists)
                ?? throw new CheckpointException(path, null, $"the folder has none of {string.Join(", ", KnownFiles)}");
        return file.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? new ShardedCheckpoint(file) : PackedCheckpoint.Recognize(OpenFile(file));
    }

    /// <summary>Opens one file that holds tensors.</summary>
    internal static Checkpoint OpenFile(string path)
    {
        if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
            return new SafeTensorsFile(path);
        Span<byte> start = stackalloc byte[9];
        int length;
        using (MappedFile file = MappedFile.Open(path))
        {
            length = (int)Math.Min(start.Length, file.Length);
            file.Bytes(0, length).CopyTo(start);
        }
        if (start.StartsWith("PK"u8))
            return new TorchPickleFile(path);
        if (length == 9 && start[8] == '{')
            return new SafeTensorsFile(path);
        if (start[0] == 0x80)
            throw new CheckpointException(path, null, "is a bare pickle, as torch before 1.6 wrote; load it with a newer torch and save it again");
        throw new CheckpointException(path, null, "is neither a safetensors file nor a torch zip file");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the files.</summary>
    protected abstract void Dispose(bool disposing);
}
