using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Compute.Cpu;

/// <summary>Where the values of a weight come from, row by row.</summary>
internal interface IWeightSource
{
    void Read(long start, Span<float> values);
}

/// <summary>Values in memory.</summary>
internal readonly unsafe struct MemorySource(float* values) : IWeightSource
{
    private readonly float* _values = values;

    public void Read(long start, Span<float> values) => new ReadOnlySpan<float>(_values + start, values.Length).CopyTo(values);
}

/// <summary>Tensors of a checkpoint, one after the other.</summary>
internal readonly struct TensorSource(CheckpointTensor[] parts) : IWeightSource
{
    public void Read(long start, Span<float> values)
    {
        foreach (CheckpointTensor part in parts)
        {
            int count = (int)Math.Clamp(part.Count - start, 0, values.Length);
            if (count > 0)
            {
                part.CopyTo(values[..count], start);
                values = values[count..];
            }
            start = Math.Max(0, start - part.Count);
        }
    }
}

/// <summary>Brings the values of a weight into the layout and format in which it is kept.</summary>
internal static unsafe class WeightPacking
{
    /// <summary>Outputs of a panel.</summary>
    public const int PanelOutputs = 32;

    private const int PieceColumns = 128, Piece = 4096;

    /// <summary>Elements that a weight takes in memory.</summary>
    public static long Elements(int rows, int columns, WeightLayout layout) =>
        layout == WeightLayout.Panels ? ((long)rows + PanelOutputs - 1) / PanelOutputs * PanelOutputs * columns : (long)rows * columns;

    public static void Pack<TSource>(CpuThreads threads, TSource source, int rows, int columns, WeightLayout layout, WeightFormat format, void* data)
        where TSource : struct, IWeightSource
    {
        if (layout == WeightLayout.Panels)
            threads.Run(new PanelJob<TSource>(source, rows, columns, format, data), (rows + PanelOutputs - 1) / PanelOutputs);
        else
            threads.Run(new RowsJob<TSource>(source, (long)rows * columns, format, data), (int)(((long)rows * columns + Piece - 1) / Piece));
    }

    /// <summary>Some values of an output as floats.</summary>
    public static void Read(WeightLayout layout, WeightFormat format, void* data, int columns, int row, int column, Span<float> values)
    {
        (int panel, int output) = Math.DivRem(row, PanelOutputs);
        if (format == WeightFormat.BFloat16)
            output = 2 * (output % (PanelOutputs / 2)) + output / (PanelOutputs / 2);
        for (int i = 0; i < values.Length; i++, column++)
        {
            long at = layout == WeightLayout.Panels ? ((long)panel * columns + column) * PanelOutputs + output : (long)row * columns + column;
            values[i] = format == WeightFormat.BFloat16 ? BFloat16.ToSingle(((ushort*)data)[at]) : ((float*)data)[at];
        }
    }

    private static void Store(float value, WeightFormat format, void* data, long at)
    {
        if (format == WeightFormat.BFloat16)
            ((ushort*)data)[at] = BFloat16.Round(value);
        else
            ((float*)data)[at] = value;
    }

    private readonly struct RowsJob<TSource>(TSource source, long count, WeightFormat format, void* data) : IChunkedJob where TSource : struct, IWeightSource
    {
        private readonly void* _data = data;

        public void Execute(int chunk)
        {
            long start = (long)chunk * Piece;
            Span<float> values = stackalloc float[Piece];
            values = values[..(int)Math.Min(Piece, count - start)];
            source.Read(start, values);
            for (int i = 0; i < values.Length; i++)
                Store(values[i], format, _data, start + i);
        }
    }

    // One panel: [column][32 outputs]; in bfloat16, output j is the lower and j + 16 the upper half of word j.
    private readonly struct PanelJob<TSource>(TSource source, int rows, int columns, WeightFormat format, void* data) : IChunkedJob where TSource : struct, IWeightSource
    {
        private readonly void* _data = data;

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int panel)
        {
            uint* piece = stackalloc uint[PanelOutputs * PieceColumns];
            int first = panel * PanelOutputs, outputs = Math.Min(PanelOutputs, rows - first);
            if (outputs < PanelOutputs)
                new Span<uint>(piece, PanelOutputs * PieceColumns).Clear();
            int words = format == WeightFormat.BFloat16 ? PanelOutputs / 2 : PanelOutputs;
            uint* to = (uint*)_data + (long)panel * columns * words;
            for (int start = 0; start < columns; start += PieceColumns, to += PieceColumns * words)
            {
                int count = Math.Min(PieceColumns, columns - start);
                for (int output = 0; output < outputs; output++)
                    source.Read((long)(first + output) * columns + start, new Span<float>(piece + output * PieceColumns, count));
                if (format == WeightFormat.BFloat16)
                    for (int word = 0; word < words; word++)
                        Join(piece + word * PieceColumns, piece + (word + words) * PieceColumns);
                for (int c = 0; c < count; c++)
                    for (int word = 0; word < words; word++)
                        to[c * words + word] = piece[word * PieceColumns + c];
            }
        }

        // Two rows of floats to one of words: bfloat16 in the lower halves, and in the upper ones.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Join(uint* lower, uint* upper)
        {
            for (int c = 0; c < PieceColumns; c += Vector128<uint>.Count)
                (Round(Vector128.Load(lower + c)) >> 16 | Round(Vector128.Load(upper + c)) & Vector128.Create(0xFFFF0000)).Store(lower + c);
        }

        // As BFloat16.Round, in the upper half.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector128<uint> Round(Vector128<uint> bits)
        {
            Vector128<uint> rounded = bits + Vector128.Create(0x7FFFu) + (bits >> 16 & Vector128<uint>.One);
            return Vector128.ConditionalSelect(Vector128.Equals(bits.AsSingle(), bits.AsSingle()).AsUInt32(), rounded, bits | Vector128.Create(0x400000u));
        }
    }
}
