using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Compute.Cpu;

/// <summary>The cores of this machine.</summary>
public sealed unsafe class CpuDevice : Device
{
    // With fewer, most of a panel would be empty.
    private const int FewestPanelOutputs = 16;

    private const long PopulatedPiece = 8 << 20;

    private readonly Lock _lock = new();
    private readonly List<CpuWeight> _weights = [];
    private readonly List<nint> _memory = [];
    private readonly List<(nint Address, long Bytes)> _mapped = [];
    private readonly CpuPageMemory _cacheMemory = new();
    private bool _disposed;

    /// <param name="threads">Threads that an operation uses, its caller's included; 0 for one per core.</param>
    public CpuDevice(int threads = 0) => Threads = new CpuThreads(threads);

    /// <inheritdoc/>
    public override string Name => "cpu";

    internal CpuThreads Threads { get; }

    /// <summary>What the lanes hold.</summary>
    internal CpuScratchCount Scratch { get; } = new();

    /// <inheritdoc/>
    /// <remarks>One tensor of 32-bit floats, bfloat16 or panels (<see cref="PackedCheckpoint"/>) that is wanted as stored stays in its file.</remarks>
    public override Weight CreateWeight(ReadOnlySpan<CheckpointTensor> parts, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        long count = 0;
        foreach (CheckpointTensor part in parts)
            count += part.Count;
        CheckCount(count, rows, columns);
        if (parts.Length == 1 && parts[0].Packing is { } packing && use == WeightUse.Linear)
            return Map(parts[0], packing, format);
        if (BlockQuantization.IsQuantized(format) && use != WeightUse.Linear)
            format = WeightFormat.AsStored;
        WeightFormat stored = FormatOf(parts);
        bool asStored = format == WeightFormat.AsStored || use == WeightUse.Table && format == stored;
        if (asStored && parts.Length == 1 && stored != WeightFormat.AsStored && use != WeightUse.Vector)
            return KeepMapped(new CpuWeight(rows, columns, stored, WeightLayout.Rows, (void*)parts[0].Address), use == WeightUse.Linear ? parts[0].ByteLength : 0);
        if (format == WeightFormat.AsStored)
            format = stored;
        var source = new TensorSource(parts.ToArray());
        foreach (CheckpointTensor part in parts)
            part.Expect();
        CpuWeight weight = BlockQuantization.IsQuantized(format) ? Quantize(source, rows, columns, format) : Make(source, rows, columns, use, format);
        foreach (CheckpointTensor part in parts)
            part.Forget();
        return weight;
    }

    /// <inheritdoc/>
    public override Weight CreateWeight(ReadOnlySpan<float> values, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        CheckCount(values.Length, rows, columns);
        fixed (float* source = values)
            return BlockQuantization.IsQuantized(format) && use == WeightUse.Linear
                ? Quantize(new MemorySource(source), rows, columns, format)
                : Make(new MemorySource(source), rows, columns, use, format);
    }

    /// <inheritdoc/>
    public override long KvCacheBytes => _cacheMemory.Bytes;

    /// <inheritdoc/>
    public override long ScratchBytes => Scratch.Bytes;

    /// <inheritdoc/>
    public override KvCache CreateKvCache(KvCacheShape shape) => new CpuKvCache(shape, _cacheMemory);

    /// <inheritdoc/>
    public override Backend CreateLane() => new CpuBackend(this);

    /// <inheritdoc/>
    /// <remarks>Linux only. Nothing is done if the weights are more than half of the memory there is.</remarks>
    public override void ReadAhead(CancellationToken cancellationToken)
    {
        (nint Address, long Bytes)[] mapped;
        lock (_lock)
            mapped = [.. _mapped];
        if (mapped.Sum(part => part.Bytes) > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2)
            return;
        foreach ((nint address, long bytes) in mapped)
        {
            if (!cancellationToken.IsCancellationRequested)
                CpuMemory.Expect((void*)address, bytes);
            for (long done = 0; done < bytes && !cancellationToken.IsCancellationRequested; done += PopulatedPiece)
                CpuMemory.Populate((byte*)address + done, Math.Min(PopulatedPiece, bytes - done));
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            if (disposing)
                Threads.Dispose();      // before what a worker may still read is freed
            foreach (CpuWeight weight in _weights)
                weight.Close();
            foreach (nint data in _memory)
                CpuMemory.Free((void*)data);
        }
    }

    // Panels of a file, where they are.
    private CpuWeight Map(CheckpointTensor tensor, Packing packing, WeightFormat format)
    {
        if (format != WeightFormat.AsStored && format != packing.Format)
            throw new CheckpointException(tensor.File, tensor.Name, $"is kept as {packing.Format} in the file and cannot become {format}: load the original checkpoint, or ask for {WeightFormat.AsStored}");
        return KeepMapped(new CpuWeight(packing.Rows, packing.Columns, packing.Format, packing.Layout, (void*)tensor.Address), tensor.ByteLength);
    }

    private CpuWeight Make<TSource>(TSource source, int rows, int columns, WeightUse use, WeightFormat format) where TSource : struct, IWeightSource
    {
        if (format != WeightFormat.BFloat16 || use == WeightUse.Vector)
            format = WeightFormat.Float32;
        WeightLayout layout = use == WeightUse.Linear && rows >= FewestPanelOutputs ? WeightLayout.Panels : WeightLayout.Rows;
        int size = format == WeightFormat.BFloat16 ? sizeof(ushort) : sizeof(float);
        void* data = CpuMemory.Allocate(checked(WeightPacking.Elements(rows, columns, layout) * size));
        try
        {
            WeightPacking.Pack(Threads, source, rows, columns, layout, format, data);
        }
        catch
        {
            CpuMemory.Free(data);
            throw;
        }
        return Keep(new CpuWeight(rows, columns, format, layout, data), data);
    }

    private CpuWeight Quantize<TSource>(TSource source, int rows, int columns, WeightFormat format) where TSource : struct, IWeightSource
    {
        void* data = CpuMemory.Allocate(QuantizedPanels.Bytes(rows, columns, format));
        try
        {
            QuantizedPanels.Pack(Threads, source, rows, columns, format, data);
        }
        catch
        {
            CpuMemory.Free(data);
            throw;
        }
        return Keep(new CpuWeight(rows, columns, format, WeightLayout.QuantizedPanels, data), data);
    }

    private static WeightFormat FormatOf(ReadOnlySpan<CheckpointTensor> parts)
    {
        WeightFormat format = WeightFormat.AsStored;
        for (int i = 0; i < parts.Length; i++)
        {
            WeightFormat one = parts[i].Type switch
            {
                TensorType.Float32 => WeightFormat.Float32,
                TensorType.BFloat16 => WeightFormat.BFloat16,
                _ => WeightFormat.AsStored,
            };
            if (one == WeightFormat.AsStored || i > 0 && one != format)
                return WeightFormat.AsStored;
            format = one;
        }
        return format;
    }

    private static void CheckCount(long count, int rows, int columns)
    {
        if (rows < 0 || columns < 0 || count != (long)rows * columns)
            throw new ArgumentException($"{count} values for a weight [{rows}, {columns}].");
    }

    private CpuWeight KeepMapped(CpuWeight weight, long bytesToReadAhead)
    {
        Keep(weight, null);
        if (bytesToReadAhead > 0)
            lock (_lock)
                _mapped.Add(((nint)weight.Data, bytesToReadAhead));
        return weight;
    }

    private CpuWeight Keep(CpuWeight weight, void* memory)
    {
        lock (_lock)
        {
            if (_disposed)
                CpuMemory.Free(memory);
            ObjectDisposedException.ThrowIf(_disposed, this);
            _weights.Add(weight);
            if (memory != null)
                _memory.Add((nint)memory);
            return weight;
        }
    }
}
