using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Tiles of <see cref="WeightFormat.Int8"/>: bytes without sign (code = value + 128) widened to words, products summed exactly in 32 bits
/// from −128 times the sum of the inputs on. Inputs are words, those of bytes 0 and 2 before those of 1 and 3. Narrow vectors as in
/// <see cref="Int4Tiles{N, I, V}"/>.
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
    private static void Stream(byte* lines)
    {
        for (int i = 0; i < BlockBytes; i += LineBytes)
            Kernels.Prefetch.Stream(lines + i);
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
        for (int part = 0; part < LineBytes; part += N.Width * sizeof(int))
        {
            byte* w = t.Weights + part;
            int* x = t.X;
            V y = default;
            for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes + 2 * BlockBytes, x += 36)
            {
                Stream(w);
                y = N.Accumulate(Block(w + QuantizedPanels.ScaleBytes, x), N.Scales(w, 0), *(float*)x, y);
                Stream(w + BlockBytes);
                y = N.Accumulate(Block(w + QuantizedPanels.ScaleBytes + BlockBytes, x + 18), N.Scales(w, 1), *(float*)(x + 18), y);
            }
            N.Store(y, t.Sums + part / sizeof(float));
        }
    }

    // The eight lines of a block times one row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static I Block(byte* q, int* x) =>
        N.Add(N.Add(Lines(q, x + 2), N.Broadcast(x[1])), Lines(q + 4 * LineBytes, x + 10));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static I Lines(byte* q, int* x) =>
        N.Add(N.Add(Line(q, x), Line(q + LineBytes, x + 2)), N.Add(Line(q + 2 * LineBytes, x + 4), Line(q + 3 * LineBytes, x + 6)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static I Line(byte* q, int* x)
    {
        I bytes = N.Load(q);
        return N.Add(N.MultiplyWords(N.EvenBytes(bytes), N.Broadcast(x[0])), N.MultiplyWords(N.OddBytes(bytes), N.Broadcast(x[1])));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in QuantizedTile t)
    {
        for (int part = 0; part < LineBytes; part += N.Width * sizeof(int))
        {
            byte* w = t.Weights + part;
            int* x = t.X;
            V y0 = default, y1 = default, y2 = default, y3 = default;
            for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes)
            {
                byte* scaleWords = w;
                for (int block = 0; block < 2; block++, w += BlockBytes, x += 72)
                {
                    Prefetch(w);
                    byte* q = w + QuantizedPanels.ScaleBytes;
                    int* g = x + 8;
                    I a0 = N.Broadcast(x[4]), a1 = N.Broadcast(x[5]), a2 = N.Broadcast(x[6]), a3 = N.Broadcast(x[7]);
                    for (int* end = g + 64; g < end; g += 8, q += LineBytes)
                    {
                        I bytes = N.Load(q), even = N.EvenBytes(bytes), odd = N.OddBytes(bytes);
                        a0 = N.Add(a0, N.Add(N.MultiplyWords(even, N.Broadcast(g[0])), N.MultiplyWords(odd, N.Broadcast(g[4]))));
                        a1 = N.Add(a1, N.Add(N.MultiplyWords(even, N.Broadcast(g[1])), N.MultiplyWords(odd, N.Broadcast(g[5]))));
                        a2 = N.Add(a2, N.Add(N.MultiplyWords(even, N.Broadcast(g[2])), N.MultiplyWords(odd, N.Broadcast(g[6]))));
                        a3 = N.Add(a3, N.Add(N.MultiplyWords(even, N.Broadcast(g[3])), N.MultiplyWords(odd, N.Broadcast(g[7]))));
                    }
                    V scales = N.Scales(scaleWords, block);
                    y0 = N.Accumulate(a0, scales, ((float*)x)[0], y0);
                    y1 = N.Accumulate(a1, scales, ((float*)x)[1], y1);
                    y2 = N.Accumulate(a2, scales, ((float*)x)[2], y2);
                    y3 = N.Accumulate(a3, scales, ((float*)x)[3], y3);
                }
            }
            N.Store(y0, t.Sums + part / sizeof(float));
            N.Store(y1, t.Sums + part / sizeof(float) + 16);
            N.Store(y2, t.Sums + part / sizeof(float) + 32);
            N.Store(y3, t.Sums + part / sizeof(float) + 48);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(in QuantizedTile t)
    {
        for (int part = 0; part < LineBytes; part += N.Width * sizeof(int))
        {
            byte* w = t.Weights + part;
            int* x = t.X;
            V y0 = default, y1 = default, y2 = default, y3 = default, y4 = default, y5 = default, y6 = default, y7 = default;
            for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes)
            {
                byte* scaleWords = w;
                for (int block = 0; block < 2; block++, w += BlockBytes, x += 144)
                {
                    Prefetch(w);
                    byte* q = w + QuantizedPanels.ScaleBytes;
                    int* g = x + 16;
                    I a0 = N.Broadcast(x[8]), a1 = N.Broadcast(x[9]), a2 = N.Broadcast(x[10]), a3 = N.Broadcast(x[11]), a4 = N.Broadcast(x[12]), a5 = N.Broadcast(x[13]), a6 = N.Broadcast(x[14]), a7 = N.Broadcast(x[15]);
                    for (int* end = g + 128; g < end; g += 16, q += LineBytes)
                    {
                        I bytes = N.Load(q), even = N.EvenBytes(bytes), odd = N.OddBytes(bytes);
                        a0 = N.Add(a0, N.Add(N.MultiplyWords(even, N.Broadcast(g[0])), N.MultiplyWords(odd, N.Broadcast(g[8]))));
                        a1 = N.Add(a1, N.Add(N.MultiplyWords(even, N.Broadcast(g[1])), N.MultiplyWords(odd, N.Broadcast(g[9]))));
                        a2 = N.Add(a2, N.Add(N.MultiplyWords(even, N.Broadcast(g[2])), N.MultiplyWords(odd, N.Broadcast(g[10]))));
                        a3 = N.Add(a3, N.Add(N.MultiplyWords(even, N.Broadcast(g[3])), N.MultiplyWords(odd, N.Broadcast(g[11]))));
                        a4 = N.Add(a4, N.Add(N.MultiplyWords(even, N.Broadcast(g[4])), N.MultiplyWords(odd, N.Broadcast(g[12]))));
                        a5 = N.Add(a5, N.Add(N.MultiplyWords(even, N.Broadcast(g[5])), N.MultiplyWords(odd, N.Broadcast(g[13]))));
                        a6 = N.Add(a6, N.Add(N.MultiplyWords(even, N.Broadcast(g[6])), N.MultiplyWords(odd, N.Broadcast(g[14]))));
                        a7 = N.Add(a7, N.Add(N.MultiplyWords(even, N.Broadcast(g[7])), N.MultiplyWords(odd, N.Broadcast(g[15]))));
                    }
                    V scales = N.Scales(scaleWords, block);
                    y0 = N.Accumulate(a0, scales, ((float*)x)[0], y0);
                    y1 = N.Accumulate(a1, scales, ((float*)x)[1], y1);
                    y2 = N.Accumulate(a2, scales, ((float*)x)[2], y2);
                    y3 = N.Accumulate(a3, scales, ((float*)x)[3], y3);
                    y4 = N.Accumulate(a4, scales, ((float*)x)[4], y4);
                    y5 = N.Accumulate(a5, scales, ((float*)x)[5], y5);
                    y6 = N.Accumulate(a6, scales, ((float*)x)[6], y6);
                    y7 = N.Accumulate(a7, scales, ((float*)x)[7], y7);
                }
            }
            N.Store(y0, t.Sums + part / sizeof(float));
            N.Store(y1, t.Sums + part / sizeof(float) + 16);
            N.Store(y2, t.Sums + part / sizeof(float) + 32);
            N.Store(y3, t.Sums + part / sizeof(float) + 48);
            N.Store(y4, t.Sums + part / sizeof(float) + 64);
            N.Store(y5, t.Sums + part / sizeof(float) + 80);
            N.Store(y6, t.Sums + part / sizeof(float) + 96);
            N.Store(y7, t.Sums + part / sizeof(float) + 112);
        }
    }
}
