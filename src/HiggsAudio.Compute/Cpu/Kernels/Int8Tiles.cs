using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Tiles of <see cref="WeightFormat.Int8"/>: bytes without sign (code = value + 128) widened to words, products summed exactly in 32 bits
/// from −128 times the sum of the inputs on. Inputs are words, those of bytes 0 and 2 before those of 1 and 3.
/// </summary>
internal readonly unsafe struct Int8Tiles<N, I, V> : IQuantizedTiles where N : struct, IIntegerSimd<I, V> where I : struct where V : struct
{
    private const int BlockBytes = 512, LineBytes = 64;

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
            for (int block = 0; block < 2; block++, line += BlockBytes, x += 18)
            {
                Prefetch(line);
                float* y = t.Sums;
                for (int v = 0; v < LineBytes; v += N.Width * sizeof(int), y += N.Width)
                {
                    byte* q = line + v;
                    int* g = x + 2;
                    I a = N.Broadcast(x[1]), b = default;
                    for (int* end = g + 16; g < end; g += 2, q += LineBytes)
                    {
                        I bytes = N.Load(q);
                        a = N.Add(a, N.MultiplyWords(N.EvenBytes(bytes), N.Broadcast(g[0])));
                        b = N.Add(b, N.MultiplyWords(N.OddBytes(bytes), N.Broadcast(g[1])));
                    }
                    N.Accumulate(N.Add(a, b), N.Scales(w + v, block), *(float*)x, y);
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
            for (int block = 0; block < 2; block++, line += BlockBytes, x += 72)
            {
                Prefetch(line);
                float* y = t.Sums;
                for (int v = 0; v < LineBytes; v += N.Width * sizeof(int), y += N.Width)
                {
                    byte* q = line + v;
                    int* g = x + 8;
                    I a0 = N.Broadcast(x[4]), a1 = N.Broadcast(x[5]), a2 = N.Broadcast(x[6]), a3 = N.Broadcast(x[7]);
                    for (int* end = g + 64; g < end; g += 8, q += LineBytes)
                    {
                        I bytes = N.Load(q), even = N.EvenBytes(bytes), odd = N.OddBytes(bytes);
                        a0 = N.Add(a0, N.MultiplyWords(even, N.Broadcast(g[0])));
                        a0 = N.Add(a0, N.MultiplyWords(odd, N.Broadcast(g[4])));
                        a1 = N.Add(a1, N.MultiplyWords(even, N.Broadcast(g[1])));
                        a1 = N.Add(a1, N.MultiplyWords(odd, N.Broadcast(g[5])));
                        a2 = N.Add(a2, N.MultiplyWords(even, N.Broadcast(g[2])));
                        a2 = N.Add(a2, N.MultiplyWords(odd, N.Broadcast(g[6])));
                        a3 = N.Add(a3, N.MultiplyWords(even, N.Broadcast(g[3])));
                        a3 = N.Add(a3, N.MultiplyWords(odd, N.Broadcast(g[7])));
                    }
                    V scales = N.Scales(w + v, block);
                    N.Accumulate(a0, scales, ((float*)x)[0], y + 0);
                    N.Accumulate(a1, scales, ((float*)x)[1], y + 16);
                    N.Accumulate(a2, scales, ((float*)x)[2], y + 32);
                    N.Accumulate(a3, scales, ((float*)x)[3], y + 48);
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
            for (int block = 0; block < 2; block++, line += BlockBytes, x += 144)
            {
                Prefetch(line);
                float* y = t.Sums;
                for (int v = 0; v < LineBytes; v += N.Width * sizeof(int), y += N.Width)
                {
                    byte* q = line + v;
                    int* g = x + 16;
                    I a0 = N.Broadcast(x[8]), a1 = N.Broadcast(x[9]), a2 = N.Broadcast(x[10]), a3 = N.Broadcast(x[11]), a4 = N.Broadcast(x[12]), a5 = N.Broadcast(x[13]), a6 = N.Broadcast(x[14]), a7 = N.Broadcast(x[15]);
                    for (int* end = g + 128; g < end; g += 16, q += LineBytes)
                    {
                        I bytes = N.Load(q), even = N.EvenBytes(bytes), odd = N.OddBytes(bytes);
                        a0 = N.Add(a0, N.MultiplyWords(even, N.Broadcast(g[0])));
                        a0 = N.Add(a0, N.MultiplyWords(odd, N.Broadcast(g[8])));
                        a1 = N.Add(a1, N.MultiplyWords(even, N.Broadcast(g[1])));
                        a1 = N.Add(a1, N.MultiplyWords(odd, N.Broadcast(g[9])));
                        a2 = N.Add(a2, N.MultiplyWords(even, N.Broadcast(g[2])));
                        a2 = N.Add(a2, N.MultiplyWords(odd, N.Broadcast(g[10])));
                        a3 = N.Add(a3, N.MultiplyWords(even, N.Broadcast(g[3])));
                        a3 = N.Add(a3, N.MultiplyWords(odd, N.Broadcast(g[11])));
                        a4 = N.Add(a4, N.MultiplyWords(even, N.Broadcast(g[4])));
                        a4 = N.Add(a4, N.MultiplyWords(odd, N.Broadcast(g[12])));
                        a5 = N.Add(a5, N.MultiplyWords(even, N.Broadcast(g[5])));
                        a5 = N.Add(a5, N.MultiplyWords(odd, N.Broadcast(g[13])));
                        a6 = N.Add(a6, N.MultiplyWords(even, N.Broadcast(g[6])));
                        a6 = N.Add(a6, N.MultiplyWords(odd, N.Broadcast(g[14])));
                        a7 = N.Add(a7, N.MultiplyWords(even, N.Broadcast(g[7])));
                        a7 = N.Add(a7, N.MultiplyWords(odd, N.Broadcast(g[15])));
                    }
                    V scales = N.Scales(w + v, block);
                    N.Accumulate(a0, scales, ((float*)x)[0], y + 0);
                    N.Accumulate(a1, scales, ((float*)x)[1], y + 16);
                    N.Accumulate(a2, scales, ((float*)x)[2], y + 32);
                    N.Accumulate(a3, scales, ((float*)x)[3], y + 48);
                    N.Accumulate(a4, scales, ((float*)x)[4], y + 64);
                    N.Accumulate(a5, scales, ((float*)x)[5], y + 80);
                    N.Accumulate(a6, scales, ((float*)x)[6], y + 96);
                    N.Accumulate(a7, scales, ((float*)x)[7], y + 112);
                }
            }
        }
    }
}
