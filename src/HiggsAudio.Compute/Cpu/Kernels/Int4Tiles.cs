using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Tiles of <see cref="WeightFormat.Int4"/>: halves of bytes without sign (code = value + 8) times bytes; a block's sums fit in words
/// (16 * 15 * 127 &lt; 2^15). Inputs are bytes. Vectors narrower than a line of 16 outputs take one part of the lines after the other, so
/// that a row's sums stay in one register.
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
            for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes + 2 * BlockBytes, x += 20)
            {
                Stream(w);
                Stream(w + BlockBytes);
                y = N.Accumulate(Block(w + QuantizedPanels.ScaleBytes, x), N.Scales(w, 0), *(float*)x, y);
                y = N.Accumulate(Block(w + QuantizedPanels.ScaleBytes + BlockBytes, x + 10), N.Scales(w, 1), *(float*)(x + 10), y);
            }
            N.Store(y, t.Sums + part / sizeof(float));
        }
    }

    // The four lines of a block times one row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static I Block(byte* q, int* x)
    {
        I first = N.AddWords(Line(q, x + 2), Line(q + LineBytes, x + 4));
        I second = N.AddWords(Line(q + 2 * LineBytes, x + 6), Line(q + 3 * LineBytes, x + 8));
        return N.Add(N.SumWords(N.AddWords(first, second)), N.Broadcast(x[1]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static I Line(byte* q, int* x)
    {
        I bytes = N.Load(q);
        return N.AddWords(N.MultiplyBytes(N.LowerHalves(bytes), N.Broadcast(x[0])), N.MultiplyBytes(N.UpperHalves(bytes), N.Broadcast(x[1])));
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
                for (int block = 0; block < 2; block++, w += BlockBytes, x += 40)
                {
                    Prefetch(w);
                    byte* q = w + QuantizedPanels.ScaleBytes;
                    int* g = x + 8;
                    I a0 = default, a1 = default, a2 = default, a3 = default;
                    for (int* end = g + 32; g < end; g += 8, q += LineBytes)
                    {
                        I bytes = N.Load(q), lower = N.LowerHalves(bytes), upper = N.UpperHalves(bytes);
                        a0 = N.AddWords(a0, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[0])), N.MultiplyBytes(upper, N.Broadcast(g[4]))));
                        a1 = N.AddWords(a1, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[1])), N.MultiplyBytes(upper, N.Broadcast(g[5]))));
                        a2 = N.AddWords(a2, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[2])), N.MultiplyBytes(upper, N.Broadcast(g[6]))));
                        a3 = N.AddWords(a3, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[3])), N.MultiplyBytes(upper, N.Broadcast(g[7]))));
                    }
                    V scales = N.Scales(scaleWords, block);
                    y0 = N.Accumulate(N.Add(N.SumWords(a0), N.Broadcast(x[4])), scales, ((float*)x)[0], y0);
                    y1 = N.Accumulate(N.Add(N.SumWords(a1), N.Broadcast(x[5])), scales, ((float*)x)[1], y1);
                    y2 = N.Accumulate(N.Add(N.SumWords(a2), N.Broadcast(x[6])), scales, ((float*)x)[2], y2);
                    y3 = N.Accumulate(N.Add(N.SumWords(a3), N.Broadcast(x[7])), scales, ((float*)x)[3], y3);
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
                for (int block = 0; block < 2; block++, w += BlockBytes, x += 80)
                {
                    Prefetch(w);
                    byte* q = w + QuantizedPanels.ScaleBytes;
                    int* g = x + 16;
                    I a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default, a6 = default, a7 = default;
                    for (int* end = g + 64; g < end; g += 16, q += LineBytes)
                    {
                        I bytes = N.Load(q), lower = N.LowerHalves(bytes), upper = N.UpperHalves(bytes);
                        a0 = N.AddWords(a0, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[0])), N.MultiplyBytes(upper, N.Broadcast(g[8]))));
                        a1 = N.AddWords(a1, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[1])), N.MultiplyBytes(upper, N.Broadcast(g[9]))));
                        a2 = N.AddWords(a2, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[2])), N.MultiplyBytes(upper, N.Broadcast(g[10]))));
                        a3 = N.AddWords(a3, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[3])), N.MultiplyBytes(upper, N.Broadcast(g[11]))));
                        a4 = N.AddWords(a4, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[4])), N.MultiplyBytes(upper, N.Broadcast(g[12]))));
                        a5 = N.AddWords(a5, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[5])), N.MultiplyBytes(upper, N.Broadcast(g[13]))));
                        a6 = N.AddWords(a6, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[6])), N.MultiplyBytes(upper, N.Broadcast(g[14]))));
                        a7 = N.AddWords(a7, N.AddWords(N.MultiplyBytes(lower, N.Broadcast(g[7])), N.MultiplyBytes(upper, N.Broadcast(g[15]))));
                    }
                    V scales = N.Scales(scaleWords, block);
                    y0 = N.Accumulate(N.Add(N.SumWords(a0), N.Broadcast(x[8])), scales, ((float*)x)[0], y0);
                    y1 = N.Accumulate(N.Add(N.SumWords(a1), N.Broadcast(x[9])), scales, ((float*)x)[1], y1);
                    y2 = N.Accumulate(N.Add(N.SumWords(a2), N.Broadcast(x[10])), scales, ((float*)x)[2], y2);
                    y3 = N.Accumulate(N.Add(N.SumWords(a3), N.Broadcast(x[11])), scales, ((float*)x)[3], y3);
                    y4 = N.Accumulate(N.Add(N.SumWords(a4), N.Broadcast(x[12])), scales, ((float*)x)[4], y4);
                    y5 = N.Accumulate(N.Add(N.SumWords(a5), N.Broadcast(x[13])), scales, ((float*)x)[5], y5);
                    y6 = N.Accumulate(N.Add(N.SumWords(a6), N.Broadcast(x[14])), scales, ((float*)x)[6], y6);
                    y7 = N.Accumulate(N.Add(N.SumWords(a7), N.Broadcast(x[15])), scales, ((float*)x)[7], y7);
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
