using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using HiggsAudio.Compute.Cpu.Kernels;

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

    private const int PieceInputs = 512;

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

    /// <summary>The values that some codes of an output stand for.</summary>
    public static void Read(WeightFormat format, byte* data, int columns, int row, int column, Span<float> values)
    {
        (int panel, int output) = Math.DivRem(row, Outputs);
        for (int i = 0; i < values.Length; i++, column++)
        {
            (int group, int input) = Math.DivRem(column, Inputs);
            (int block, input) = Math.DivRem(input, BlockQuantization.Size);
            byte* from = data + panel * PanelBytes(format, columns) + group * (long)(ScaleBytes + 2 * BlockBytes(format));
            float scale = BFloat16.ToSingle(((ushort*)from)[2 * output + block]);
            from += ScaleBytes + block * BlockBytes(format);
            int code = format == WeightFormat.Int8
                ? from[(input / 4 * Outputs + output) * 4 + input % 4]
                : from[(input / 8 * Outputs + output) * 4 + input % 4] >> input / 4 % 2 * 4 & 15;
            values[i] = (code - BlockQuantization.Offset(format)) * scale;
        }
    }

    /// <summary>The codes of a block of an output, as <see cref="BlockQuantization.Quantize"/> gives them, for devices with a layout of their own.</summary>
    /// <returns>The block's scale, bfloat16.</returns>
    public static ushort ReadBlock(WeightFormat format, byte* data, int columns, int row, int block, Span<byte> codes)
    {
        (int panel, int output) = Math.DivRem(row, Outputs);
        (int group, int half) = Math.DivRem(block, 2);
        byte* from = data + panel * PanelBytes(format, columns) + group * (long)(ScaleBytes + 2 * BlockBytes(format));
        ushort scale = ((ushort*)from)[2 * output + half];
        from += ScaleBytes + half * BlockBytes(format);
        for (int i = 0; i < BlockQuantization.Size; i++)
            codes[i] = format == WeightFormat.Int8
                ? from[(i / 4 * Outputs + output) * 4 + i % 4]
                : (byte)(from[(i / 8 * Outputs + output) * 4 + i % 4] >> i / 4 % 2 * 4 & 15);
        return scale;
    }

    private readonly struct PanelJob<TSource>(TSource source, int rows, int columns, WeightFormat format, byte* data) : IChunkedJob where TSource : struct, IWeightSource
    {
        private readonly byte* _data = data;

        [SkipLocalsInit]
        public void Execute(int panel)
        {
            float* piece = stackalloc float[Outputs * PieceInputs], group = stackalloc float[Outputs * Inputs];
            int first = panel * Outputs, outputs = Math.Min(Outputs, rows - first);
            byte* to = _data + panel * PanelBytes(format, columns);
            for (int start = 0; start < columns; start += PieceInputs)
            {
                int count = Math.Min(PieceInputs, columns - start);
                if (count < PieceInputs || outputs < Outputs)
                    new Span<float>(piece, Outputs * PieceInputs).Clear();
                for (int output = 0; output < outputs; output++)
                    source.Read((long)(first + output) * columns + start, new Span<float>(piece + output * PieceInputs, count));
                for (int input = 0; input < count; input += Inputs, to += ScaleBytes + 2 * BlockBytes(format))
                {
                    for (int output = 0; output < Outputs; output++)
                        for (int i = 0; i < Inputs; i++)
                            group[i * Outputs + output] = piece[output * PieceInputs + input + i];
                    for (int block = 0; block < 2; block++)
                        Store(group + block * BlockQuantization.Size * Outputs, to, block);
                }
            }
        }

        // 32 inputs of 16 outputs.
        [SkipLocalsInit]
        private void Store(float* values, byte* to, int block)
        {
            float* scales = stackalloc float[Outputs], codes = stackalloc float[BlockQuantization.Size * Outputs];
            Quantize(format == WeightFormat.Int8, values, scales, codes);
            for (int output = 0; output < Outputs; output++)
                ((ushort*)to)[2 * output + block] = BFloat16.Round(scales[output]);
            to += ScaleBytes + block * BlockBytes(format);
            int inputs = format == WeightFormat.Int8 ? 4 : 8;
            for (int input = 0; input < BlockQuantization.Size; input += inputs)
                for (int output = 0; output < Outputs; output += 4, to += 4 * sizeof(uint))
                {
                    Vector128<uint> words = FourBytes(codes + input * Outputs + output, BlockQuantization.Offset(format));
                    if (format == WeightFormat.Int4)
                        words |= FourBytes(codes + (input + 4) * Outputs + output, BlockQuantization.Offset(format)) << 4;
                    words.Store((uint*)to);
                }
        }
    }

    // The lowest bytes of four words, one below the other, plus the offset.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> FourBytes(float* words, int offset)
    {
        Vector128<uint> bytes = default, mask = Vector128.Create(0xFFu), offsets = Vector128.Create((uint)offset);
        for (int i = 0; i < 4; i++)
            bytes |= (Vector128.Load((uint*)words + i * Outputs) + offsets & mask) << 8 * i;
        return bytes;
    }

    private static void Quantize(bool eight, float* values, float* scales, float* codes)
    {
        if (Vector512.IsHardwareAccelerated)
            Quantize<Simd512, Vector512<float>>(eight, values, scales, codes);
        else if (Vector256.IsHardwareAccelerated)
            Quantize<Simd256, Vector256<float>>(eight, values, scales, codes);
        else if (Vector128.IsHardwareAccelerated)
            Quantize<Simd128, Vector128<float>>(eight, values, scales, codes);
        else
            Quantize<Simd32, float>(eight, values, scales, codes);
    }

    private static void Quantize<TSimd, TVector>(bool eight, float* values, float* scales, float* codes) where TSimd : struct, ISimd<TVector> where TVector : unmanaged
    {
        for (int output = 0; output < Outputs; output += TSimd.Width)
            BlockQuantizer<TSimd, TVector>.Quantize(eight, values + output, Outputs, scales + output, codes + output);
    }
}
