using HiggsAudio.Compute;
using HiggsAudio.Cuda.Caches;
using HiggsAudio.Cuda.Compilation;
using HiggsAudio.Cuda.Execution;
using HiggsAudio.Cuda.Memory;
using HiggsAudio.Cuda.Weights;

namespace HiggsAudio.Cuda;

/// <summary>
/// One lane of a <see cref="CudaDevice"/>: a stream, scratch memory, and a list of what is to be done. Operations write to the list; it is handed to the GPU
/// when a result is read (<see cref="Flush"/>), so that a step that comes again is one CUDA graph.
/// </summary>
internal sealed unsafe partial class CudaBackend : Backend
{
    private const int MostCommands = 2048, Graphs = 64;
    private const uint NotANumber = 0x7FC00000;

    private readonly CudaDevice _device;
    private readonly CudaContext _context;
    private readonly CudaStream _stream;
    private readonly CudaArena _arena;
    private readonly CommandList _commands = new();
    private readonly GraphCache _graphs;
    private readonly UploadRing _ring;
    private readonly List<CudaKvCache> _usedCaches = [];
    private readonly Action<CudaBackend> _submit = static lane => lane.Submit();
    private readonly Action _settle;
    private PinnedBlock? _results;
    private bool _disposed;

    public CudaBackend(CudaDevice device)
    {
        (_device, _context) = (device, device.Context);
        _stream = new CudaStream(_context);
        _settle = Settle;
        _arena = new CudaArena(_context, _settle, device.CountScratch);
        _graphs = new GraphCache(_context, Graphs);
        _ring = new UploadRing(_context);
    }

    public override Device Device => _device;

    public override long ScratchBytes => _arena.Bytes;

    /// <summary>Number of the list that is being written.</summary>
    internal long Pass { get; private set; }

    /// <summary>The lane's graphs.</summary>
    internal GraphCache GraphCache => _graphs;

    public override Matrix Empty(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        return new Matrix(Allocate((long)rows * columns * sizeof(float)), rows, columns, columns);
    }

    /// <summary>Hands what is written down to the GPU. Does not wait for it.</summary>
    internal void Flush()
    {
        LetGo();
        if (_commands.Count == 0)
            return;
        _context.Use();
        try
        {
            if (_usedCaches.Count > 0)
                _device.CacheOrder.Submit(_stream, this, _submit);
            else
                Submit();
        }
        finally
        {
            _commands.Clear();
            _usedCaches.Clear();
            Pass++;
        }
    }

    protected internal override long Mark() => _arena.Mark;

    // The outermost scope's end: nobody may read what the last commands made, but a cache may need it.
    protected internal override void Release(long mark)
    {
        _arena.Release(mark);
        if (mark == 0 && !_disposed)
            Flush();
    }

    protected override void Dispose(bool disposing)
    {
        if (_disposed || !disposing)
            return;
        try
        {
            Settle();
        }
        catch (CudaException)
        {
            // A kernel failed, and nobody read its result. Whoever computes on this GPU next is told.
        }
        _disposed = true;
        _device.CacheOrder.Forget(_stream);
        _arena.Dispose();
        _graphs.Dispose();
        _ring.Dispose();
        _results?.Dispose();
        foreach (AttentionTables? tables in _tables)
            tables?.Dispose();
        if (_counters != 0)
            _context.Free(_counters, _counterCount * sizeof(int));
        _stream.Dispose();
        _commands.Dispose();
    }

    protected override void UploadKernel(ReadOnlySpan<float> values, Matrix y)
    {
        for (int r = 0; r < y.Rows;)
        {
            int rows = y.RowStride == y.Columns ? y.Rows : 1;
            fixed (float* from = values[(r * y.Columns)..])
                Upload(y.Data + (nint)((long)r * y.RowStride * sizeof(float)), (byte*)from, (long)rows * y.Columns * sizeof(float));
            r += rows;
        }
    }

    protected override void ReadKernel(Matrix x, Span<float> destination)
    {
        if (x.Rows == 0 || x.Columns == 0)
            return;
        long mark = _arena.Mark;
        if (x.RowStride != x.Columns)
        {
            Matrix whole = Empty(x.Rows, x.Columns);
            CopyKernel(x, whole);
            x = whole;
        }
        fixed (float* to = destination)
            Download(x.Data, (byte*)to, (long)x.Rows * x.Columns * sizeof(float));
        _arena.Release(mark);
    }

    // Waits until the GPU has done everything that was written down.
    private void Settle()
    {
        Flush();
        _context.Use();
        _stream.Synchronize();
        _ring.Reset();
    }

    private void Submit()
    {
        if (_device.Options.UseGraphs)
            _graphs.Submit(_commands, _stream);
        else
            _commands.Submit(_context, _stream);
    }

    private nint Allocate(long bytes)
    {
        nint data = _arena.Allocate(bytes);
        if (_device.Poison && bytes > 0)
        {
            LetGo();
            _commands.Fill(data, NotANumber, bytes / sizeof(float));
        }
        return data;
    }

    private void Launch(KernelName kernel, Extent grid, Extent block, int sharedBytes, params ReadOnlySpan<Argument> arguments)
    {
        LetGo();
        if (_commands.Count >= MostCommands)
            Flush();
        _commands.Launch(_device.Kernels.Get(kernel, sharedBytes), grid, block, sharedBytes, arguments);
    }

    // Bytes that the caller may change as soon as this returns.
    private void Upload(nint to, byte* from, long bytes)
    {
        for (long start = 0; start < bytes;)
        {
            long some = Math.Min(UploadRing.Most, bytes - start);
            LetGo();
            byte* staging = Stage(some);
            Buffer.MemoryCopy(from + start, staging, some, some);
            _commands.Upload(to + (nint)start, staging, some);
            start += some;
        }
    }

    // Pinned memory to upload from.
    private byte* Stage(long bytes)
    {
        byte* staging = _ring.TryTake(bytes);
        if (staging != null)
            return staging;
        Settle();
        return _ring.TryTake(bytes);
    }

    private nint UploadIds(ReadOnlySpan<int> ids)
    {
        nint data = Allocate((long)ids.Length * sizeof(int));
        fixed (int* from = ids)
            Upload(data, (byte*)from, (long)ids.Length * sizeof(int));
        return data;
    }

    private void Download(nint from, byte* to, long bytes)
    {
        const long Piece = 1 << 20;
        Flush();
        _context.Use();
        _results ??= new PinnedBlock(_context, Piece);
        for (long start = 0; start < bytes; start += Piece)
        {
            long some = Math.Min(Piece, bytes - start);
            _stream.CopyToHost(_results.Data, from + (nint)start, some);
            _stream.Synchronize();
            Buffer.MemoryCopy(_results.Data, to + start, bytes - start, some);
        }
        _ring.Reset();
    }

    private CudaWeight Of(Weight weight) =>
        weight is CudaWeight own && own.Owner == _device ? own : throw new ArgumentException($"The weight {weight} was made by another device than the lane's.");

    private CudaWeight Floats(Weight weight) =>
        Of(weight) is { Format: WeightFormat.Float32 or WeightFormat.BFloat16 } floats ? floats : throw new ArgumentException($"The weight {weight} of a convolution has no floats.");

    private CudaWeight Table(Weight weight) =>
        Of(weight) is { Use: WeightUse.Table } table ? table : throw new ArgumentException($"The weight {weight} was not made as a table.");

    private nint Vector(Weight weight) =>
        Of(weight) is { Use: WeightUse.Vector } vector ? vector.Data : throw new ArgumentException($"The weight {weight} was not made as a vector.");

    private nint VectorOrNull(Weight? weight) => weight is null ? 0 : Vector(weight);
}
