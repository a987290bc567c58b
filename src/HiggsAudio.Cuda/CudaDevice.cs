using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Cuda.Caches;
using HiggsAudio.Cuda.Compilation;
using HiggsAudio.Cuda.Interop;
using HiggsAudio.Cuda.Memory;
using HiggsAudio.Cuda.Weights;

namespace HiggsAudio.Cuda;

/// <summary>One NVIDIA GPU. An engine makes its own where <c>EngineOptions.Device</c> is <c>cuda:0</c>.</summary>
public sealed unsafe class CudaDevice : Device
{
    private readonly Lock _lock = new();
    private readonly List<CudaWeight> _weights = [];
    private readonly List<(nint Data, long Bytes)> _memory = [];
    private readonly CpuThreads _threads;
    private readonly WeightUploader _uploader;
    private readonly CudaPagePool _pages;
    private long _scratchBytes;
    private bool _disposed;

    /// <summary>Opens a GPU.</summary>
    /// <param name="ordinal">Its number, from 0.</param>
    /// <param name="options">How it is used.</param>
    /// <param name="threads">Threads that convert weights while they are loaded; 0 for one per core.</param>
    /// <exception cref="CudaNotFoundException">There is no such GPU, or a library is missing.</exception>
    /// <exception cref="CudaException">The driver refused something.</exception>
    public CudaDevice(int ordinal = 0, CudaOptions? options = null, int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        Options = options ??= new CudaOptions();
        var driver = new CudaDriver(LibraryFinder.Load(LibraryFinder.Driver, options.DriverLibrary, []));
        var nvrtc = new Nvrtc(LibraryFinder.Load(LibraryFinder.Nvrtc, options.NvrtcLibrary, options.LibraryFolders));
        Context = new CudaContext(driver, ordinal);
        try
        {
            string? folder = options.KernelCacheFolder ?? KernelCache.DefaultFolder;
            Cache = new KernelCache(string.IsNullOrEmpty(folder) ? null : folder);
            Kernels = new KernelLibrary(Context, nvrtc, Cache);
            CacheOrder = new CacheOrder(Context);
            _pages = new CudaPagePool(Context, CacheOrder);
            Context.Trim = _pages.Trim;
            _threads = new CpuThreads(threads);
            _uploader = new WeightUploader(Context, _threads);
        }
        catch
        {
            Context.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Name => Context.Name;

    /// <summary>What the GPU is called.</summary>
    public string Model => Context.Model;

    /// <summary>Bytes of the GPU's memory: free, and all.</summary>
    public (long Free, long Total) Memory => Context.MemoryInfo();

    /// <inheritdoc/>
    public override long KvCacheBytes => _pages.Bytes;

    /// <inheritdoc/>
    public override long ScratchBytes => Interlocked.Read(ref _scratchBytes);

    internal CudaOptions Options { get; }

    /// <summary>Tests: lanes fill what they hand out with NaN, so that a kernel that reads what it should not shows.</summary>
    internal bool Poison { get; init; }

    internal CudaContext Context { get; }

    internal KernelLibrary Kernels { get; }

    internal KernelCache Cache { get; }

    internal CacheOrder CacheOrder { get; }

    /// <inheritdoc/>
    /// <exception cref="CudaOutOfMemoryException">The GPU has not that much memory.</exception>
    public override Weight CreateWeight(ReadOnlySpan<CheckpointTensor> parts, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        long count = 0;
        foreach (CheckpointTensor part in parts)
            count += part.Count;
        CheckCount(count, rows, columns);
        if (parts.Length == 1 && parts[0].Packing is { } packing && use == WeightUse.Linear)
        {
            if (format != WeightFormat.AsStored && format != packing.Format)
                throw new CheckpointException(parts[0].File, parts[0].Name, $"is kept as {packing.Format} in the file and cannot become {format}: load the original checkpoint, or ask for {WeightFormat.AsStored}");
            format = packing.Format;
            if (BlockQuantization.IsQuantized(format))
                return UploadPanels(parts[0], rows, columns, format);
        }
        WeightFormat stored = FormatOf(parts);
        if (format == WeightFormat.AsStored || BlockQuantization.IsQuantized(format) && use != WeightUse.Linear)
            format = stored;
        foreach (CheckpointTensor part in parts)
            part.Expect();
        bool asItIs = parts.Length == 1 && parts[0].Packing is null && parts[0].IsStored && format == stored && use != WeightUse.Vector && CudaWeight.StrideOf(columns, use) == columns;
        CudaWeight weight = asItIs ? UploadAsItIs(parts[0], rows, columns, use, format) : Make(new TensorSource(parts.ToArray()), rows, columns, use, format);
        foreach (CheckpointTensor part in parts)
            part.Forget();
        return weight;
    }

    /// <inheritdoc/>
    /// <exception cref="CudaOutOfMemoryException">The GPU has not that much memory.</exception>
    public override Weight CreateWeight(ReadOnlySpan<float> values, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        CheckCount(values.Length, rows, columns);
        fixed (float* source = values)
            return Make(new MemorySource(source), rows, columns, use, format);
    }

    /// <inheritdoc/>
    public override KvCache CreateKvCache(KvCacheShape shape) => new CudaKvCache(shape, _pages, CacheOrder);

    /// <inheritdoc/>
    public override Backend CreateLane() => new CudaBackend(this);

    /// <summary>Counts the scratch memory of lanes.</summary>
    internal void CountScratch(long bytes) => Interlocked.Add(ref _scratchBytes, bytes);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            Context.Settle();
            _uploader.Dispose();
            _threads.Dispose();
            _pages.Dispose();
            CacheOrder.Dispose();
            foreach (CudaWeight weight in _weights)
                weight.Close();
            foreach ((nint data, long bytes) in _memory)
                Context.Free(data, bytes);
            _memory.Clear();
            Kernels.Dispose();
            Context.Dispose();
        }
    }

    private CudaWeight UploadAsItIs(CheckpointTensor tensor, int rows, int columns, WeightUse use, WeightFormat format) =>
        Create(rows, columns, use, format, tensor.ByteLength, 0, (data, _) => _uploader.UploadBytes((byte*)tensor.Address, tensor.ByteLength, data));

    private CudaWeight UploadPanels(CheckpointTensor tensor, int rows, int columns, WeightFormat format) =>
        Create(rows, columns, WeightUse.Linear, format, rows * QuantizedRows.CodeBytes(columns, format), rows * QuantizedRows.ScaleBytes(columns),
            (codes, scales) => _uploader.UploadPanels((byte*)tensor.Address, rows, columns, format, codes, scales));

    private CudaWeight Make<TSource>(TSource source, int rows, int columns, WeightUse use, WeightFormat format) where TSource : struct, IWeightSource
    {
        if (BlockQuantization.IsQuantized(format) && use == WeightUse.Linear)
            return Create(rows, columns, use, format, rows * QuantizedRows.CodeBytes(columns, format), rows * QuantizedRows.ScaleBytes(columns),
                (codes, scales) => _uploader.Quantize(source, rows, columns, format, codes, scales));
        if (format != WeightFormat.BFloat16 || use == WeightUse.Vector)
            format = WeightFormat.Float32;
        int stride = CudaWeight.StrideOf(columns, use);
        return Create(rows, columns, use, format, (long)rows * stride * (format == WeightFormat.BFloat16 ? sizeof(ushort) : sizeof(float)), 0,
            (data, _) => _uploader.Upload(source, rows, columns, stride, format, data));
    }

    // Allocates a weight and fills it; gives the memory back if that fails.
    private CudaWeight Create(int rows, int columns, WeightUse use, WeightFormat format, long bytes, long scaleBytes, Action<nint, nint> fill)
    {
        const long Alignment = 256;
        long start = bytes + Alignment - 1 & -Alignment, all = start + scaleBytes;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            nint data = Context.Allocate(all);
            try
            {
                nint scales = scaleBytes == 0 ? 0 : data + (nint)start;
                fill(data, scales);
                var weight = new CudaWeight(this, rows, columns, format, use, data, scales);
                _weights.Add(weight);
                _memory.Add((data, all));
                return weight;
            }
            catch
            {
                Context.Free(data, all);
                throw;
            }
        }
    }

    private static WeightFormat FormatOf(ReadOnlySpan<CheckpointTensor> parts)
    {
        WeightFormat format = WeightFormat.AsStored;
        for (int i = 0; i < parts.Length; i++)
        {
            WeightFormat one = parts[i].Packing is { } packing ? packing.Format : parts[i].Type switch
            {
                TensorType.Float32 => WeightFormat.Float32,
                TensorType.BFloat16 => WeightFormat.BFloat16,
                _ => WeightFormat.AsStored,
            };
            if (one == WeightFormat.AsStored || i > 0 && one != format)
                return WeightFormat.Float32;
            format = one;
        }
        return format == WeightFormat.AsStored ? WeightFormat.Float32 : format;
    }

    private static void CheckCount(long count, int rows, int columns)
    {
        if (rows < 0 || columns < 0 || count != (long)rows * columns)
            throw new ArgumentException($"{count} values for a weight [{rows}, {columns}].");
    }
}
