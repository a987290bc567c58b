using System.Runtime.CompilerServices;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Cuda.Memory;

namespace HiggsAudio.Cuda.Weights;

/// <summary>
/// Brings weights to the GPU through two pinned buffers: while one is copied, the other is filled on all cores. Nothing is ever whole in host memory. One caller at a time.
/// </summary>
internal sealed unsafe class WeightUploader(CudaContext context, CpuThreads threads) : IDisposable
{
    private const long StagingBytes = 16 << 20;
    private const int PanelRows = QuantizedPanels.Outputs, Piece = 4096;

    private readonly Staging?[] _staging = new Staging?[2];
    private int _next;

    private sealed class Staging(CudaContext context, long bytes) : IDisposable
    {
        public PinnedBlock Block { get; } = new(context, bytes);

        public CudaStream Stream { get; } = new(context);

        public void Dispose()
        {
            Stream.Dispose();
            Block.Dispose();
        }
    }

    /// <summary>Uploads floats or bfloat16 values, row by row.</summary>
    public void Upload<TSource>(TSource source, int rows, int columns, int stride, WeightFormat format, nint to) where TSource : struct, IWeightSource
    {
        int size = format == WeightFormat.BFloat16 ? sizeof(ushort) : sizeof(float);
        long rowBytes = (long)stride * size;
        int count = RowsAtOnce(rows, rowBytes, 1);
        for (int first = 0; first < rows; first += count)
        {
            int some = Math.Min(count, rows - first);
            Staging staging = Next(some * rowBytes);
            threads.Run(new RowsJob<TSource>(source, first, columns, stride, format, staging.Block.Data), some);
            staging.Stream.CopyToDevice(to + (nint)(first * rowBytes), staging.Block.Data, some * rowBytes);
        }
        Settle();
    }

    /// <summary>Uploads bytes as they are: rows without padding.</summary>
    public void UploadBytes(byte* from, long bytes, nint to)
    {
        for (long start = 0; start < bytes; start += StagingBytes)
        {
            long some = Math.Min(StagingBytes, bytes - start);
            Staging staging = Next(some);
            threads.Run(new BytesJob(from + start, some, staging.Block.Data), (int)((some + BytesJob.Piece - 1) / BytesJob.Piece));
            staging.Stream.CopyToDevice(to + (nint)start, staging.Block.Data, some);
        }
        Settle();
    }

    /// <summary>Quantizes values on the host, as the CPU device does, and uploads codes and scales.</summary>
    public void Quantize<TSource>(TSource source, int rows, int columns, WeightFormat format, nint codes, nint scales) where TSource : struct, IWeightSource
    {
        int count = RowsAtOnce(rows, RowBytes(columns, format), PanelRows);
        void* panels = CpuMemory.Allocate(QuantizedPanels.Bytes(count, columns, format));
        try
        {
            for (int first = 0; first < rows; first += count)
            {
                int some = Math.Min(count, rows - first);
                QuantizedPanels.Pack(threads, new RowsFrom<TSource>(source, (long)first * columns), some, columns, format, panels);
                UploadPanels((byte*)panels, first, some, columns, format, codes, scales);
            }
            Settle();
        }
        finally
        {
            CpuMemory.Free(panels);
        }
    }

    /// <summary>Uploads what is quantized already, in the CPU's panels.</summary>
    public void UploadPanels(byte* panels, int rows, int columns, WeightFormat format, nint codes, nint scales)
    {
        int count = RowsAtOnce(rows, RowBytes(columns, format), PanelRows);
        for (int first = 0; first < rows; first += count)
            UploadPanels(panels + first / PanelRows * QuantizedPanels.PanelBytes(format, columns), first, Math.Min(count, rows - first), columns, format, codes, scales);
        Settle();
    }

    public void Dispose()
    {
        for (int i = 0; i < _staging.Length; i++)
        {
            _staging[i]?.Dispose();
            _staging[i] = null;
        }
    }

    private void UploadPanels(byte* panels, int first, int rows, int columns, WeightFormat format, nint codes, nint scales)
    {
        long codeBytes = QuantizedRows.CodeBytes(columns, format), scaleBytes = QuantizedRows.ScaleBytes(columns);
        Staging staging = Next(rows * (codeBytes + scaleBytes));
        byte* to = staging.Block.Data, scalesTo = to + rows * codeBytes;
        threads.Run(new PanelsJob(panels, columns, format, to, scalesTo), rows);
        staging.Stream.CopyToDevice(codes + (nint)(first * codeBytes), to, rows * codeBytes);
        staging.Stream.CopyToDevice(scales + (nint)(first * scaleBytes), scalesTo, rows * scaleBytes);
    }

    private static long RowBytes(int columns, WeightFormat format) => QuantizedRows.CodeBytes(columns, format) + QuantizedRows.ScaleBytes(columns);

    private static int RowsAtOnce(int rows, long rowBytes, int multiple)
    {
        long fit = Math.Min(rows, StagingBytes / Math.Max(1, rowBytes));
        return (int)Math.Max(multiple, (fit + multiple - 1) / multiple * multiple);
    }

    // The buffer that was filled first; what it held is on the GPU.
    private Staging Next(long bytes)
    {
        context.Use();
        _next = 1 - _next;
        Staging? staging = _staging[_next];
        if (staging is not null && staging.Block.Bytes >= bytes)
        {
            staging.Stream.Synchronize();
            return staging;
        }
        staging?.Dispose();
        _staging[_next] = null;
        return _staging[_next] = new Staging(context, Math.Max(bytes, StagingBytes));
    }

    private void Settle()
    {
        context.Use();
        foreach (Staging? staging in _staging)
            staging?.Stream.Synchronize();
    }

    private readonly struct RowsFrom<TSource>(TSource source, long offset) : IWeightSource where TSource : struct, IWeightSource
    {
        public void Read(long start, Span<float> values) => source.Read(offset + start, values);
    }

    private readonly struct RowsJob<TSource>(TSource source, int first, int columns, int stride, WeightFormat format, byte* data) : IChunkedJob where TSource : struct, IWeightSource
    {
        private readonly byte* _data = data;

        [SkipLocalsInit]
        public void Execute(int row)
        {
            Span<float> piece = stackalloc float[Piece];
            for (int start = 0; start < stride; start += Piece)
            {
                Span<float> values = piece[..Math.Min(Piece, stride - start)];
                int read = Math.Clamp(columns - start, 0, values.Length);
                if (read > 0)
                    source.Read((long)(first + row) * columns + start, values[..read]);
                values[read..].Clear();
                long at = (long)row * stride + start;
                if (format != WeightFormat.BFloat16)
                    values.CopyTo(new Span<float>((float*)_data + at, values.Length));
                else
                    for (int i = 0; i < values.Length; i++)
                        ((ushort*)_data)[at + i] = BFloat16.Round(values[i]);
            }
        }
    }

    private readonly struct BytesJob(byte* from, long bytes, byte* to) : IChunkedJob
    {
        public const long Piece = 256 << 10;

        private readonly byte* _from = from, _to = to;

        public void Execute(int chunk)
        {
            long start = chunk * Piece, some = Math.Min(Piece, bytes - start);
            Buffer.MemoryCopy(_from + start, _to + start, some, some);
        }
    }

    private readonly struct PanelsJob(byte* panels, int columns, WeightFormat format, byte* codes, byte* scales) : IChunkedJob
    {
        private readonly byte* _panels = panels, _codes = codes, _scales = scales;

        public void Execute(int row) => QuantizedRows.FromPanels(format, _panels, columns, row,
            _codes + row * QuantizedRows.CodeBytes(columns, format), (ushort*)(_scales + row * QuantizedRows.ScaleBytes(columns)));
    }
}
