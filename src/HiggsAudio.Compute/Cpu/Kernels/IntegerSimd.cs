using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Vectors of integers of one width. A vector is seen as 32-bit integers, of which an output of a weight has one each.</summary>
/// <typeparam name="I">The vector.</typeparam>
/// <typeparam name="V">The vector of as many floats.</typeparam>
internal unsafe interface IIntegerSimd<I, V> where I : struct where V : struct
{
    /// <summary>32-bit integers of a vector.</summary>
    static abstract int Width { get; }

    static abstract I Load(byte* source);

    static abstract I Broadcast(int value);

    static abstract I Add(I a, I b);

    static abstract I AddWords(I a, I b);

    /// <summary>Bytes 0 and 2 of every integer, without sign, as words.</summary>
    static abstract I EvenBytes(I bytes);

    /// <summary>Bytes 1 and 3 of every integer, without sign, as words.</summary>
    static abstract I OddBytes(I bytes);

    /// <summary>The lower halves of all bytes.</summary>
    static abstract I LowerHalves(I bytes);

    /// <summary>The upper halves of all bytes.</summary>
    static abstract I UpperHalves(I bytes);

    /// <summary>Products of words of 0 to 255 with words of −128 to 127, summed in pairs.</summary>
    static abstract I MultiplyWords(I a, I b);

    /// <summary>Products of bytes of 0 to 15 with bytes of −128 to 127, summed in pairs, as words.</summary>
    static abstract I MultiplyBytes(I a, I b);

    /// <summary>The sums of the two words of every integer.</summary>
    static abstract I SumWords(I words);

    /// <summary>Scales of the first (0) or second (1) block.</summary>
    static abstract V Scales(byte* words, int block);

    /// <summary>y + sums * (scales * factor); rounded after every operation, so that all widths give the same.</summary>
    static abstract V Accumulate(I sums, V scales, float factor, V y);

    static abstract void Store(V value, float* destination);
}

internal readonly unsafe struct IntegerSimd512 : IIntegerSimd<Vector512<int>, Vector512<float>>
{
    public static int Width => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Load(byte* source) => Vector512.Load((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Broadcast(int value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> a, Vector512<int> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddWords(Vector512<int> a, Vector512<int> b) => (a.AsInt16() + b.AsInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> EvenBytes(Vector512<int> bytes) => bytes & Vector512.Create(0x00FF00FF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> OddBytes(Vector512<int> bytes) => (bytes.AsUInt16() >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> LowerHalves(Vector512<int> bytes) => bytes & Vector512.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> UpperHalves(Vector512<int> bytes) => (bytes >>> 4) & Vector512.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> MultiplyWords(Vector512<int> a, Vector512<int> b) => Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> MultiplyBytes(Vector512<int> a, Vector512<int> b) => Avx512BW.MultiplyAddAdjacent(a.AsByte(), b.AsSByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> SumWords(Vector512<int> words) => Avx512BW.MultiplyAddAdjacent(words.AsInt16(), Vector512<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scales(byte* words, int block) => block == 0 ? Simd512.LowerHalves(words) : Simd512.UpperHalves(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Accumulate(Vector512<int> sums, Vector512<float> scales, float factor, Vector512<float> y) =>
        y + Vector512.ConvertToSingle(sums) * (scales * Vector512.Create(factor));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);
}

internal readonly unsafe struct IntegerSimd256 : IIntegerSimd<Vector256<int>, Vector256<float>>
{
    public static int Width => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Load(byte* source) => Vector256.Load((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Broadcast(int value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> a, Vector256<int> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddWords(Vector256<int> a, Vector256<int> b) => (a.AsInt16() + b.AsInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> EvenBytes(Vector256<int> bytes) => bytes & Vector256.Create(0x00FF00FF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> OddBytes(Vector256<int> bytes) => (bytes.AsUInt16() >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LowerHalves(Vector256<int> bytes) => bytes & Vector256.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> UpperHalves(Vector256<int> bytes) => (bytes >>> 4) & Vector256.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> MultiplyWords(Vector256<int> a, Vector256<int> b) => Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> MultiplyBytes(Vector256<int> a, Vector256<int> b) => Avx2.MultiplyAddAdjacent(a.AsByte(), b.AsSByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> SumWords(Vector256<int> words) => Avx2.MultiplyAddAdjacent(words.AsInt16(), Vector256<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scales(byte* words, int block) => block == 0 ? Simd256.LowerHalves(words) : Simd256.UpperHalves(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Accumulate(Vector256<int> sums, Vector256<float> scales, float factor, Vector256<float> y) =>
        y + Vector256.ConvertToSingle(sums) * (scales * Vector256.Create(factor));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);
}

/// <summary>Works on every processor: products of such small numbers fit in words.</summary>
internal readonly unsafe struct IntegerSimd128 : IIntegerSimd<Vector128<int>, Vector128<float>>
{
    public static int Width => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Load(byte* source) => Vector128.Load((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Broadcast(int value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Add(Vector128<int> a, Vector128<int> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> AddWords(Vector128<int> a, Vector128<int> b) => (a.AsInt16() + b.AsInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> EvenBytes(Vector128<int> bytes) => bytes & Vector128.Create(0x00FF00FF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> OddBytes(Vector128<int> bytes) => (bytes.AsUInt16() >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> LowerHalves(Vector128<int> bytes) => bytes & Vector128.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> UpperHalves(Vector128<int> bytes) => (bytes >>> 4) & Vector128.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> MultiplyWords(Vector128<int> a, Vector128<int> b) =>
        Sse2.IsSupported ? Sse2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()) : SumWords((a.AsInt16() * b.AsInt16()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> MultiplyBytes(Vector128<int> a, Vector128<int> b)
    {
        if (Ssse3.IsSupported)
            return Ssse3.MultiplyAddAdjacent(a.AsByte(), b.AsSByte()).AsInt32();
        Vector128<short> even = EvenBytes(a).AsInt16() * ((b.AsInt16() << 8) >> 8), odd = OddBytes(a).AsInt16() * (b.AsInt16() >> 8);
        return (even + odd).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> SumWords(Vector128<int> words) =>
        Sse2.IsSupported ? Sse2.MultiplyAddAdjacent(words.AsInt16(), Vector128<short>.One) : ((words << 16) >> 16) + (words >> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Scales(byte* words, int block) => block == 0 ? Simd128.LowerHalves(words) : Simd128.UpperHalves(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Accumulate(Vector128<int> sums, Vector128<float> scales, float factor, Vector128<float> y) =>
        y + Vector128.ConvertToSingle(sums) * (scales * Vector128.Create(factor));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);
}
