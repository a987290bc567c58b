using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using N = HiggsAudio.Compute.Cpu.Kernels.IntegerSimd256;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Adds to every 32-bit integer four products of bytes: those without a sign in a, those with one in b.</summary>
internal interface IByteProducts
{
    static abstract Vector256<int> Add(Vector256<int> sums, Vector256<byte> a, Vector256<sbyte> b);
}

/// <summary>The instruction VPDPBUSD in its form for 256 bits. (.NET 10 has none for 512.)</summary>
internal readonly struct VnniProducts : IByteProducts
{
#pragma warning disable CA2252 // AvxVnni is marked as a preview in .NET 10; the switch that allows it would spread to every user of the library.
    public static bool IsSupported => AvxVnni.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> sums, Vector256<byte> a, Vector256<sbyte> b) => AvxVnni.MultiplyWideningAndAdd(sums, a, b);
#pragma warning restore CA2252
}

/// <summary>The same without that instruction: for tests of the tiles on processors that lack it.</summary>
internal readonly struct PortableProducts : IByteProducts
{
    public static Vector256<int> Add(Vector256<int> sums, Vector256<byte> a, Vector256<sbyte> b)
    {
        Vector256<short> even = (a.AsInt16() & Vector256.Create((short)0xFF)) * ((b.AsInt16() << 8) >> 8), odd = (a.AsUInt16() >> 8).AsInt16() * (b.AsInt16() >> 8);
        Vector256<int> pairs = ((even.AsInt32() << 16) >> 16) + (even.AsInt32() >> 16);
        return sums + pairs + ((odd.AsInt32() << 16) >> 16) + (odd.AsInt32() >> 16);
    }
}

/// <summary>
/// Tiles of <see cref="WeightFormat.Int8"/> for processors that multiply and add bytes in one instruction: codes without sign times bytes,
/// from −128 times the sum of the inputs on. The integers are those of <see cref="Int8Tiles{N, I, V}"/>, so the results have the same bits.
/// Sums of floats are kept in memory: the instruction's operands must be among the first sixteen registers.
/// </summary>
internal readonly unsafe struct Int8DotTiles<D> : IQuantizedTiles where D : struct, IByteProducts
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

    // Half of a block, for each half of the outputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* lines)
    {
        if (Sse.IsSupported)
            for (int i = 0; i < BlockBytes; i += 2 * LineBytes)
                Sse.Prefetch0(lines + i + Kernels.Prefetch.Distance);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in QuantizedTile t)
    {
        byte* w = t.Weights;
        int* x = t.X;
        Vector256<float> y = default, z = default;
        for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes)
        {
            byte* scales = w;
            for (int block = 0; block < 2; block++, w += BlockBytes, x += 10)
            {
                byte* q = w + QuantizedPanels.ScaleBytes;
                Vector256<int> a = Vector256.Create(x[1]), b = a;
                for (int i = 2; i < 10; i++, q += LineBytes)
                {
                    Kernels.Prefetch.Stream(q);
                    Vector256<sbyte> input = Vector256.Create(x[i]).AsSByte();
                    a = D.Add(a, Vector256.Load(q), input);
                    b = D.Add(b, Vector256.Load(q + LineBytes / 2), input);
                }
                y = N.Accumulate(a, N.Scales(scales, block), *(float*)x, y);
                z = N.Accumulate(b, N.Scales(scales + LineBytes / 2, block), *(float*)x, z);
            }
        }
        y.Store(t.Sums);
        z.Store(t.Sums + QuantizedPanels.Outputs / 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in QuantizedTile t)
    {
        byte* w = t.Weights;
        int* x = t.X;
        new Span<float>(t.Sums, 4 * QuantizedPanels.Outputs).Clear();
        for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes)
        {
            byte* scales = w;
            for (int block = 0; block < 2; block++, w += BlockBytes, x += 40)
                for (int half = 0; half < LineBytes; half += LineBytes / 2)
                {
                    Prefetch(w + half);
                    byte* q = w + QuantizedPanels.ScaleBytes + half;
                    int* g = x + 8;
                    Vector256<int> a0 = Vector256.Create(x[4]), a1 = Vector256.Create(x[5]), a2 = Vector256.Create(x[6]), a3 = Vector256.Create(x[7]);
                    for (int* end = g + 32; g < end; g += 4, q += LineBytes)
                    {
                        Vector256<byte> bytes = Vector256.Load(q);
                        a0 = D.Add(a0, bytes, Vector256.Create(g[0]).AsSByte());
                        a1 = D.Add(a1, bytes, Vector256.Create(g[1]).AsSByte());
                        a2 = D.Add(a2, bytes, Vector256.Create(g[2]).AsSByte());
                        a3 = D.Add(a3, bytes, Vector256.Create(g[3]).AsSByte());
                    }
                    Vector256<float> scale = N.Scales(scales + half, block);
                    float* y = t.Sums + half / sizeof(float);
                    N.Accumulate(a0, scale, ((float*)x)[0], Vector256.Load(y)).Store(y);
                    N.Accumulate(a1, scale, ((float*)x)[1], Vector256.Load(y + 16)).Store(y + 16);
                    N.Accumulate(a2, scale, ((float*)x)[2], Vector256.Load(y + 32)).Store(y + 32);
                    N.Accumulate(a3, scale, ((float*)x)[3], Vector256.Load(y + 48)).Store(y + 48);
                }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(in QuantizedTile t)
    {
        byte* w = t.Weights;
        int* x = t.X;
        new Span<float>(t.Sums, 8 * QuantizedPanels.Outputs).Clear();
        for (int group = 0; group < t.Groups; group++, w += QuantizedPanels.ScaleBytes)
        {
            byte* scales = w;
            for (int block = 0; block < 2; block++, w += BlockBytes, x += 80)
                for (int half = 0; half < LineBytes; half += LineBytes / 2)
                {
                    Prefetch(w + half);
                    byte* q = w + QuantizedPanels.ScaleBytes + half;
                    int* g = x + 16;
                    Vector256<int> a0 = Vector256.Create(x[8]), a1 = Vector256.Create(x[9]), a2 = Vector256.Create(x[10]), a3 = Vector256.Create(x[11]), a4 = Vector256.Create(x[12]), a5 = Vector256.Create(x[13]), a6 = Vector256.Create(x[14]), a7 = Vector256.Create(x[15]);
                    for (int* end = g + 64; g < end; g += 8, q += LineBytes)
                    {
                        Vector256<byte> bytes = Vector256.Load(q);
                        a0 = D.Add(a0, bytes, Vector256.Create(g[0]).AsSByte());
                        a1 = D.Add(a1, bytes, Vector256.Create(g[1]).AsSByte());
                        a2 = D.Add(a2, bytes, Vector256.Create(g[2]).AsSByte());
                        a3 = D.Add(a3, bytes, Vector256.Create(g[3]).AsSByte());
                        a4 = D.Add(a4, bytes, Vector256.Create(g[4]).AsSByte());
                        a5 = D.Add(a5, bytes, Vector256.Create(g[5]).AsSByte());
                        a6 = D.Add(a6, bytes, Vector256.Create(g[6]).AsSByte());
                        a7 = D.Add(a7, bytes, Vector256.Create(g[7]).AsSByte());
                    }
                    Vector256<float> scale = N.Scales(scales + half, block);
                    float* y = t.Sums + half / sizeof(float);
                    N.Accumulate(a0, scale, ((float*)x)[0], Vector256.Load(y)).Store(y);
                    N.Accumulate(a1, scale, ((float*)x)[1], Vector256.Load(y + 16)).Store(y + 16);
                    N.Accumulate(a2, scale, ((float*)x)[2], Vector256.Load(y + 32)).Store(y + 32);
                    N.Accumulate(a3, scale, ((float*)x)[3], Vector256.Load(y + 48)).Store(y + 48);
                    N.Accumulate(a4, scale, ((float*)x)[4], Vector256.Load(y + 64)).Store(y + 64);
                    N.Accumulate(a5, scale, ((float*)x)[5], Vector256.Load(y + 80)).Store(y + 80);
                    N.Accumulate(a6, scale, ((float*)x)[6], Vector256.Load(y + 96)).Store(y + 96);
                    N.Accumulate(a7, scale, ((float*)x)[7], Vector256.Load(y + 112)).Store(y + 112);
                }
        }
    }
}
