using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Compute.Cpu;

/// <summary>The cores of this machine.</summary>
public sealed unsafe class CpuDevice : Device
{
    private readonly Lock _lock = new();
    private readonly List<CpuWeight> _weights = [];
    private readonly List<nint> _memory = [];
    private bool _disposed;

    /// <param name="threads">Threads that an operation uses, its caller's included; 0 for one per core.</param>
    public CpuDevice(int threads = 0) => Threads = new CpuThreads(threads);

    /// <inheritdoc/>
    public override string Name => "cpu";

    internal CpuThreads Threads { get; }

    /// <inheritdoc/>
    public override Weight CreateWeight(ReadOnlySpan<CheckpointTensor> parts, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        long count = 0;
        foreach (CheckpointTensor part in parts)
            count += part.Count;
        CheckCount(count, rows, columns);
        if (use == WeightUse.Vector)
            format = WeightFormat.Float32;

        WeightFormat stored = FormatOf(parts);
        if (parts.Length == 1 && stored != WeightFormat.AsStored && (format == stored || format == WeightFormat.AsStored) && use != WeightUse.Vector)
            return Keep(new CpuWeight(rows, columns, stored, WeightLayout.Rows, (void*)parts[0].Address), null);
        if (format == WeightFormat.AsStored)
            format = stored == WeightFormat.BFloat16 ? stored : WeightFormat.Float32;

        void* data = Allocate(count, format);
        const int Piece = 1 << 16;
        var piece = new float[Math.Min(count, Piece)];
        long done = 0;
        foreach (CheckpointTensor part in parts)
            for (long start = 0; start < part.Count; start += Piece)
            {
                Span<float> values = piece.AsSpan(0, (int)Math.Min(Piece, part.Count - start));
                part.CopyTo(values, start);
                Store(values, data, done, format);
                done += values.Length;
            }
        return Keep(new CpuWeight(rows, columns, format, WeightLayout.Rows, data), data);
    }

    /// <inheritdoc/>
    public override Weight CreateWeight(ReadOnlySpan<float> values, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        CheckCount(values.Length, rows, columns);
        if (format == WeightFormat.AsStored || use == WeightUse.Vector)
            format = WeightFormat.Float32;
        void* data = Allocate(values.Length, format);
        Store(values, data, 0, format);
        return Keep(new CpuWeight(rows, columns, format, WeightLayout.Rows, data), data);
    }

    /// <inheritdoc/>
    public override KvCache CreateKvCache(KvCacheShape shape) => new CpuKvCache(shape);

    /// <inheritdoc/>
    public override Backend CreateLane() => new CpuBackend(this);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            foreach (CpuWeight weight in _weights)
                weight.Close();
            foreach (nint data in _memory)
                CpuMemory.Free((void*)data);
        }
        if (disposing)
            Threads.Dispose();
    }

    private static void* Allocate(long count, WeightFormat format) =>
        CpuMemory.Allocate(count * (format == WeightFormat.BFloat16 ? sizeof(ushort) : sizeof(float)));

    private static void Store(ReadOnlySpan<float> values, void* data, long start, WeightFormat format)
    {
        if (format == WeightFormat.BFloat16)
            for (int i = 0; i < values.Length; i++)
                ((ushort*)data)[start + i] = BFloat16.Round(values[i]);
        else
            values.CopyTo(new Span<float>((float*)data + start, values.Length));
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
