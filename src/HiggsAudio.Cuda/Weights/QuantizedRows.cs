using HiggsAudio.Compute;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio.Cuda.Weights;

/// <summary>
/// How quantized weights lie in device memory: row by row, a row in groups of 128 inputs, bfloat16 scales [row][4 a group] apart from the codes. The codes lie as the lanes of
/// a warp want them: 8 bits, signed, byte t * 16 + b * 8 + i of 64 is input b * 32 + t * 8 + i (t of 4, b of 2, i of 8); 4 bits, byte t * 16 + b * 4 + i of 64
/// has input b * 32 + t * 8 + i of 128 in its lower half, and the input 4 further in the upper (t and b of 4, i of 4).
/// </summary>
internal static unsafe class QuantizedRows
{
    /// <summary>Inputs of a group, blocks of it.</summary>
    public const int Inputs = 128, Blocks = Inputs / BlockQuantization.Size;

    public static int Groups(int columns) => (int)(((long)columns + Inputs - 1) / Inputs);

    /// <summary>Bytes of a row's codes.</summary>
    public static long CodeBytes(int columns, WeightFormat format) => (long)Groups(columns) * (format == WeightFormat.Int8 ? Inputs : Inputs / 2);

    /// <summary>Bytes of a row's scales.</summary>
    public static long ScaleBytes(int columns) => (long)Groups(columns) * Blocks * sizeof(ushort);

    /// <summary>Takes a row out of panels of the CPU's layout.</summary>
    /// <param name="format">Int8 or Int4.</param>
    /// <param name="panels">The panels.</param>
    /// <param name="columns">Inputs of a row.</param>
    /// <param name="row">The row, counted from the first panel's first.</param>
    /// <param name="codes"><see cref="CodeBytes"/> bytes.</param>
    /// <param name="scales">A scale a block.</param>
    public static void FromPanels(WeightFormat format, byte* panels, int columns, int row, byte* codes, ushort* scales)
    {
        Span<byte> group = stackalloc byte[Inputs];
        int groups = Groups(columns), blocks = (columns + BlockQuantization.Size - 1) / BlockQuantization.Size;
        for (int g = 0; g < groups; g++)
        {
            group.Fill((byte)BlockQuantization.Offset(format));
            for (int b = 0; b < Blocks; b++)
                scales[g * Blocks + b] = g * Blocks + b < blocks
                    ? QuantizedPanels.ReadBlock(format, panels, columns, row, g * Blocks + b, group.Slice(b * BlockQuantization.Size, BlockQuantization.Size))
                    : (ushort)0;
            if (format == WeightFormat.Int8)
                StoreEightBits(group, codes + g * Inputs);
            else
                StoreFourBits(group, codes + g * (Inputs / 2));
        }
    }

    private static void StoreEightBits(ReadOnlySpan<byte> group, byte* to)
    {
        for (int half = 0; half < Inputs; half += 64)
            for (int t = 0; t < 4; t++)
                for (int b = 0; b < 2; b++)
                    for (int i = 0; i < 8; i++)
                        to[half + t * 16 + b * 8 + i] = (byte)(group[half + b * 32 + t * 8 + i] - BlockQuantization.Int8Offset);
    }

    private static void StoreFourBits(ReadOnlySpan<byte> group, byte* to)
    {
        for (int t = 0; t < 4; t++)
            for (int b = 0; b < 4; b++)
                for (int i = 0; i < 4; i++)
                    to[t * 16 + b * 4 + i] = (byte)(group[b * 32 + t * 8 + i] | group[b * 32 + t * 8 + 4 + i] << 4);
    }
}
