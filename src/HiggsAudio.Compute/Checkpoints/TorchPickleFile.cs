namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// A checkpoint as torch.save writes it since torch 1.6 (model.pth, pytorch_model.bin): a zip file of a pickle and one uncompressed entry
/// per storage. Entries are memory-mapped; the pickle is read by a machine that knows tensors and runs no code. The tensors are
/// those of the outermost dict. If that has none, those of its entry <c>state_dict</c>, or else <c>model</c>; their names do not get a
/// prefix. Other dicts in it (an optimizer's state, for example) and values that are not tensors are left out.
/// Tensors with strides are made contiguous in memory that the checkpoint owns, up to the size of the file in all.
/// </summary>
public sealed unsafe class TorchPickleFile : Checkpoint
{
    private static readonly string[] Wrappers = ["state_dict", "model"];

    private readonly MappedFile _file;
    private readonly List<NativeBlock> _copies = [];
    private readonly Dictionary<string, CheckpointTensor> _tensors = [];
    private readonly Dictionary<string, string> _metadata = [];
    private long _copied;

    /// <summary>Opens a file.</summary>
    /// <exception cref="CheckpointException">It cannot be read, is damaged, or holds anything but tensors and plain data.</exception>
    public TorchPickleFile(string path)
    {
        _file = MappedFile.Open(path);
        try
        {
            Dictionary<string, (long Start, long Length)> entries = ZipDirectory.Read(_file).Entries;
            string[] pickles = [.. entries.Keys.Where(name => name == "data.pkl" || name.EndsWith("/data.pkl", StringComparison.Ordinal))];
            if (pickles.Length != 1)
                throw Error(pickles.Length == 0 ? "has no data.pkl: not a torch file" : "has more than one data.pkl");
            string root = pickles[0][..^"data.pkl".Length];
            CheckByteOrder(entries, root);
            (long start, long length) = entries[pickles[0]];
            if (length > PickleMachine.MaxLength)
                throw Error($"data.pkl has {length} bytes, at most {PickleMachine.MaxLength} are read");
            foreach ((string name, TorchTensor tensor) in TensorsOf(PickleMachine.Load(path, _file.Bytes(start, (int)length))))
                if (!_tensors.TryAdd(name, Place(name, tensor, entries, root)))
                    throw Error("is there twice", name);
        }
        catch
        {
            Dispose(true);
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <summary>Empty: torch's format has no free text.</summary>
    public override IReadOnlyDictionary<string, string> Metadata => _metadata;

    private void CheckByteOrder(Dictionary<string, (long Start, long Length)> entries, string root)
    {
        if (entries.TryGetValue(root + "byteorder", out (long Start, long Length) order)
            && !_file.Bytes(order.Start, (int)Math.Min(order.Length, 16)).SequenceEqual("little"u8))
            throw Error("was saved on a big-endian machine, only little-endian files are read");
    }

    private List<(string Name, TorchTensor Tensor)> TensorsOf(object? root)
    {
        if (root is not PickleDictionary dictionary)
            throw Error("does not hold a dict of tensors");
        List<(string, TorchTensor)> tensors = TensorsIn(dictionary);
        foreach (string wrapper in Wrappers)
            foreach ((object? key, object? value) in dictionary.Items)
                if (tensors.Count == 0 && wrapper.Equals(key) && value is PickleDictionary wrapped)
                    tensors = TensorsIn(wrapped);
        if (tensors.Count == 0 && dictionary.Items.Count > 0)
            throw Error($"holds a dict without tensors, and none in its {string.Join(" or ", Wrappers)}");
        return tensors;
    }

    private List<(string, TorchTensor)> TensorsIn(PickleDictionary dictionary)
    {
        var tensors = new List<(string, TorchTensor)>();
        foreach ((object? key, object? value) in dictionary.Items)
            if (value is TorchTensor tensor)
                tensors.Add((key as string ?? throw Error("has a tensor whose key is not text"), tensor));
        return tensors;
    }

    private CheckpointTensor Place(string name, TorchTensor tensor, Dictionary<string, (long Start, long Length)> entries, string root)
    {
        TorchStorage storage = tensor.Storage;
        if (!entries.TryGetValue($"{root}data/{storage.Key}", out (long Start, long Length) entry))
            throw Error($"its storage {storage.Key} is missing in the file", name);
        int size = CheckpointTensor.SizeOf(tensor.Type);
        long held = storage.Type is null ? storage.Count / size : storage.Count;
        if (held > entry.Length / size)
            throw Error($"its storage {storage.Key} should have {held} elements of {size} bytes, it has {entry.Length} bytes", name);
        long count = CheckBounds(name, tensor, held);
        nint data = (nint)(_file.Address + entry.Start + (count == 0 ? 0 : tensor.Offset * size));
        if (count == 0 || IsContiguous(tensor))
            return new CheckpointTensor(name, Path, tensor.Type, tensor.Shape, data, _file.Handle);
        NativeBlock copy = MakeContiguous(name, tensor, (byte*)data, count, held);
        return new CheckpointTensor(name, Path, tensor.Type, tensor.Shape, copy.Address, copy);
    }

    // Returns the number of elements. All of them are within the storage.
    private long CheckBounds(string name, TorchTensor tensor, long held)
    {
        try
        {
            long count = 1, last = tensor.Offset;
            for (int d = 0; d < tensor.Shape.Length; d++)
            {
                if (tensor.Shape[d] < 0 || tensor.Strides[d] < 0)
                    throw Error("has a negative dimension or stride", name);
                count = checked(count * tensor.Shape[d]);
                last = checked(last + Math.Max(0, tensor.Shape[d] - 1) * tensor.Strides[d]);
            }
            checked
            {
                _ = count * CheckpointTensor.SizeOf(tensor.Type);
            }
            if (tensor.Offset < 0 || count > 0 && last >= held)
                throw Error($"needs elements {tensor.Offset} to {last} of a storage of {held}", name);
            return count;
        }
        catch (OverflowException)
        {
            throw Error($"[{string.Join(", ", tensor.Shape)}] is too large", name);
        }
    }

    private static bool IsContiguous(TorchTensor tensor)
    {
        long expected = 1;
        for (int d = tensor.Shape.Length - 1; d >= 0; expected *= tensor.Shape[d--])
            if (tensor.Shape[d] != 1 && tensor.Strides[d] != expected)
                return false;
        return true;
    }

    private NativeBlock MakeContiguous(string name, TorchTensor tensor, byte* source, long count, long held)
    {
        int size = CheckpointTensor.SizeOf(tensor.Type), rank = tensor.Shape.Length;
        _copied += count * size;
        if (count > held || _copied > _file.Length)
            throw Error("is a view that repeats elements: its copy would be larger than the file", name);
        var block = new NativeBlock(count * size);
        _copies.Add(block);
        var index = new long[rank];
        long from = 0;
        for (long i = 0; i < count; i++)
        {
            Buffer.MemoryCopy(source + from * size, (byte*)block.Address + i * size, size, size);
            for (int d = rank - 1; d >= 0; d--)
            {
                from += tensor.Strides[d];
                if (++index[d] < tensor.Shape[d])
                    break;
                from -= index[d] * tensor.Strides[d];
                index[d] = 0;
            }
        }
        return block;
    }

    private CheckpointException Error(string problem, string? tensor = null) => new(_file.Path, tensor, problem);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        foreach (NativeBlock copy in _copies)
            copy.Dispose();
    }
}
