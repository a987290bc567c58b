using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Tiles of <see cref="WeightFormat.Int4"/>: halves of bytes without sign (code = value + 8) times bytes; a block's sums fit in words
/// (16 * 15 * 127 &lt; 2^15). Inputs are bytes.
/// </summary>
internal readonly unsafe struct Int4Tiles<N, I, V> : IQuantizedTiles where N : struct, IIntegerSimd<I, V> where I : struct where V : struct
{
    private const int BlockBytes = 256, LineBytes = 64;

    public static void Multiply(in QuantizedTile tile, int rows)
    {
        switch (rows)
        {
            case 1: Tile1(tile); break;
            case 4: Tile4(tile); break;
            default: Tile8(tile); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* lines)
    {
        if (Sse.IsSupported)
            for (int i = 0; i < BlockBytes; i += LineBytes)
                Sse.Prefetch0(lines + i + Kernels.Prefetch.Distance);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in QuantizedTile t)
    {
        byte* w = t.Weights;
        int* x = t.X;
        for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes + 2 * BlockBytes)
        {
            byte* line = w + QuantizedPanels.ScaleBytes;
            for (int block = 0; block < 2; block++, line += BlockBytes, x += 10)
            {
                Prefetch(line);
                float* y = t.Sums;
                for (int v = 0; v < LineBytes; v += N.Width * sizeof(int), y += N.Width)
                {
                    byte* q = line + v;
                    int* g = x + 2;
                    I a = default, b = default;
                    for (int* end = g + 8; g < end; g += 2, q += LineBytes)
                    {
                        I bytes = N.Load(q);
                        a = N.AddWords(a, N.MultiplyBytes(N.LowerHalves(bytes), N.Broadcast(g[0])));
                        b = N.AddWords(b, N.MultiplyBytes(N.UpperHalves(bytes), N.Broadcast(g[1])));
                    }
                    N.Accumulate(N.Add(N.SumWords(N.AddWords(a, b)), N.Broadcast(x[1])), N.Scales(w + v, block), *(float*)x, y);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in QuantizedTile t)
    {
        byte* w = t.Weights;
        int* x = t.X;
        for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes + 2 * BlockBytes)
        {
            byte* line = w + QuantizedPanels.ScaleBytes;
            for (int block = 0; block < 2; block++, line += BlockBytes, x += 40)
            {
                Prefetch(line);
                float* y = t.Sums;
                for (int v = 0; v < LineBytes; v += N.Width * sizeof(int), y += N.Width)
                {
                    byte* q = line + v;
                    int* g = x + 8;
                    I a0 = default, a1 = default, a2 = default, a3 = default;
                    for (int* end = g + 32; g < end; g += 8, q += LineBytes)
                    {
                        I bytes = N.Load(q), lower = N.LowerHalves(bytes), upper = N.UpperHalves(bytes);
                        a0 = N.AddWords(a0, N.MultiplyBytes(lower, N.Broadcast(g[0])));
                        a0 = N.AddWords(a0, N.MultiplyBytes(upper, N.Broadcast(g[4])));
                        a1 = N.AddWords(a1, N.MultiplyBytes(lower, N.Broadcast(g[1])));
                        a1 = N.AddWords(a1, N.MultiplyBytes(upper, N.Broadcast(g[5])));
                        a2 = N.AddWords(a2, N.MultiplyBytes(lower, N.Broadcast(g[2])));
                        a2 = N.AddWords(a2, N.MultiplyBytes(upper, N.Broadcast(g[6])));
                        a3 = N.AddWords(a3, N.MultiplyBytes(lower, N.Broadcast(g[3])));
                        a3 = N.AddWords(a3, N.MultiplyBytes(upper, N.Broadcast(g[7])));
                    }
                    V scales = N.Scales(w + v, block);
                    N.Accumulate(N.Add(N.SumWords(a0), N.Broadcast(x[4])), scales, ((float*)x)[0], y + 0);
                    N.Accumulate(N.Add(N.SumWords(a1), N.Broadcast(x[5])), scales, ((float*)x)[1], y + 16);
                    N.Accumulate(N.Add(N.SumWords(a2), N.Broadcast(x[6])), scales, ((float*)x)[2], y + 32);
                    N.Accumulate(N.Add(N.SumWords(a3), N.Broadcast(x[7])), scales, ((float*)x)[3], y + 48);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(in QuantizedTile t)
    {
        byte* w = t.Weights;
        int* x = t.X;
        for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes + 2 * BlockBytes)
        {
            byte* line = w + QuantizedPanels.ScaleBytes;
            for (int block = 0; block < 2; block++, line += BlockBytes, x += 80)
            {
                Prefetch(line);
                float* y = t.Sums;
                for (int v = 0; v < LineBytes; v += N.Width * sizeof(int), y += N.Width)
                {
                    byte* q = line + v;
                    int* g = x + 16;
                    I a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default, a6 = default, a7 = default;
                    for (int* end = g + 64; g < end; g += 16, q += LineBytes)
                    {
                        I bytes = N.Load(q), lower = N.LowerHalves(bytes), upper = N.UpperHalves(bytes);
                        a0 = N.AddWords(a0, N.MultiplyBytes(lower, N.Broadcast(g[0])));
                        a0 = N.AddWords(a0, N.MultiplyBytes(upper, N.Broadcast(g[8])));
                        a1 = N.AddWords(a1, N.MultiplyBytes(lower, N.Broadcast(g[1])));
                        a1 = N.AddWords(a1, N.MultiplyBytes(upper, N.Broadcast(g[9])));
                        a2 = N.AddWords(a2, N.MultiplyBytes(lower, N.Broadcast(g[2])));
                        a2 = N.AddWords(a2, N.MultiplyBytes(upper, N.Broadcast(g[10])));
                        a3 = N.AddWords(a3, N.MultiplyBytes(lower, N.Broadcast(g[3])));
                        a3 = N.AddWords(a3, N.MultiplyBytes(upper, N.Broadcast(g[11])));
                        a4 = N.AddWords(a4, N.MultiplyBytes(lower, N.Broadcast(g[4])));
                        a4 = N.AddWords(a4, N.MultiplyBytes(upper, N.Broadcast(g[12])));
                        a5 = N.AddWords(a5, N.MultiplyBytes(lower, N.Broadcast(g[5])));
                        a5 = N.AddWords(a5, N.MultiplyBytes(upper, N.Broadcast(g[13])));
                        a6 = N.AddWords(a6, N.MultiplyBytes(lower, N.Broadcast(g[6])));
                        a6 = N.AddWords(a6, N.MultiplyBytes(upper, N.Broadcast(g[14])));
                        a7 = N.AddWords(a7, N.MultiplyBytes(lower, N.Broadcast(g[7])));
                        a7 = N.AddWords(a7, N.MultiplyBytes(upper, N.Broadcast(g[15])));
                    }
                    V scales = N.Scales(w + v, block);
                    N.Accumulate(N.Add(N.SumWords(a0), N.Broadcast(x[8])), scales, ((float*)x)[0], y + 0);
                    N.Accumulate(N.Add(N.SumWords(a1), N.Broadcast(x[9])), scales, ((float*)x)[1], y + 16);
                    N.Accumulate(N.Add(N.SumWords(a2), N.Broadcast(x[10])), scales, ((float*)x)[2], y + 32);
                    N.Accumulate(N.Add(N.SumWords(a3), N.Broadcast(x[11])), scales, ((float*)x)[3], y + 48);
                    N.Accumulate(N.Add(N.SumWords(a4), N.Broadcast(x[12])), scales, ((float*)x)[4], y + 64);
                    N.Accumulate(N.Add(N.SumWords(a5), N.Broadcast(x[13])), scales, ((float*)x)[5], y + 80);
                    N.Accumulate(N.Add(N.SumWords(a6), N.Broadcast(x[14])), scales, ((float*)x)[6], y + 96);
                    N.Accumulate(N.Add(N.SumWords(a7), N.Broadcast(x[15])), scales, ((float*)x)[7], y + 112);
                }
            }
        }
    }
}
