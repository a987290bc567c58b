using System.Runtime.InteropServices;

namespace HiggsAudio.Compute.Cpu;

/// <summary>
/// How <see cref="WeightFormat.Int8"/> and <see cref="WeightFormat.Int4"/> lie in memory: [panel of 16 outputs][64 inputs], whole cache
/// lines read in order. 64 inputs are the bfloat16 scales of their two blocks (word j: those of output j, the first block's in the lower
/// half), then the codes of the first and of the second block: [4 inputs apart][16 outputs][4 inputs] bytes; in int4, a byte holds the code
/// of input i in its lower half and that of input i + 4 in its upper half. Outputs and inputs that do not exist are zeros.
/// </summary>
internal static unsafe class QuantizedPanels
{
    /// <summary>Outputs of a panel, inputs that belong together, bytes of their scales.</summary>
    public const int Outputs = 16, Inputs = 64, ScaleBytes = Outputs * sizeof(uint);

    private const int PieceInputs = 256;

    /// <summary>Bytes of the codes of a block.</summary>
    public static int BlockBytes(WeightFormat format) => Outputs * BlockQuantization.Size / (format == WeightFormat.Int8 ? 1 : 2);

    /// <summary>Groups of 64 inputs of a row.</summary>
    public static int Groups(int columns) => (int)(((long)columns + Inputs - 1) / Inputs);

    /// <summary>Bytes of a panel.</summary>
    public static long PanelBytes(WeightFormat format, int columns) => (long)Groups(columns) * (ScaleBytes + 2 * BlockBytes(format));

    public static int Panels(int rows) => (int)(((long)rows + Outputs - 1) / Outputs);

    /// <summary>Bytes that a weight takes.</summary>
    public static long Bytes(int rows, int columns, WeightFormat format) => checked(Panels(rows) * PanelBytes(format, columns));

    /// <summary>Quantizes a weight, panel by panel, on all threads: the values are never all in memory.</summary>
    public static void Pack<TSource>(CpuThreads threads, TSource source, int rows, int columns, WeightFormat format, void* data) where TSource : struct, IWeightSource =>
        threads.Run(new PanelJob<TSource>(source, rows, columns, format, (byte*)data), Panels(rows));

    private readonly struct PanelJob<TSource>(TSource source, int rows, int columns, WeightFormat format, byte* data) : IChunkedJob where TSource : struct, IWeightSource
    {
        private readonly byte* _data = data;

        public void Execute(int panel)
        {
            Span<float> piece = stackalloc float[Outputs * PieceInputs];
            int first = panel * Outputs, outputs = Math.Min(Outputs, rows - first);
            byte* to = _data + panel * PanelBytes(format, columns);
            for (int start = 0; start < columns; start += PieceInputs)
            {
                int count = Math.Min(PieceInputs, columns - start);
                if (count < PieceInputs || outputs < Outputs)
                    piece.Clear();
                for (int output = 0; output < outputs; output++)
                    source.Read((long)(first + output) * columns + start, piece.Slice(output * PieceInputs, count));
                for (int input = 0; input < count; input += Inputs, to += ScaleBytes + 2 * BlockBytes(format))
                    for (int output = 0; output < Outputs; output++)
                        Store(piece.Slice(output * PieceInputs + input, Inputs), to, output);
            }
        }

        // 64 inputs of one output.
        private void Store(ReadOnlySpan<float> values, byte* to, int output)
        {
            Span<byte> codes = stackalloc byte[BlockQuantization.Size];
            ReadOnlySpan<uint> fours = MemoryMarshal.Cast<byte, uint>(codes);
            for (int block = 0; block < 2; block++)
            {
                ushort scale = BlockQuantization.Quantize(format, values.Slice(block * BlockQuantization.Size, BlockQuantization.Size), codes);
                ((ushort*)to)[2 * output + block] = scale;
                var lines = (uint*)(to + ScaleBytes + block * BlockBytes(format)) + output;
                if (format == WeightFormat.Int8)
                    for (int i = 0; i < fours.Length; i++)
                        lines[i * Outputs] = fours[i];
                else
                    for (int i = 0; i < fours.Length; i += 2)
                        lines[i / 2 * Outputs] = fours[i] | fours[i + 1] << 4;
            }
        }
    }
}
