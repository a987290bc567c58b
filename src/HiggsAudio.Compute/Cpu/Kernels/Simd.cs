using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Vectors of one width, so that a kernel is written once and compiled for each of them. All operations but the sum work lane by lane and
/// round alike in all widths: a value does not depend on the lane it is in.
/// </summary>
/// <typeparam name="V">The vector.</typeparam>
internal unsafe interface ISimd<V> where V : struct
{
    /// <summary>Floats of a vector.</summary>
    static abstract int Width { get; }

    /// <summary>Vector registers of the processor: decides how large a tile a kernel keeps in them.</summary>
    static abstract int Registers { get; }

    static abstract V Load(float* source);

    static abstract void Store(float* destination, V value);

    static abstract V Broadcast(float value);

    static abstract V Add(V a, V b);

    /// <summary>a * b + c, rounded once where the processor can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>The sum of the elements.</summary>
    static abstract float Sum(V value);

    /// <summary>The sums of the elements of four vectors.</summary>
    static abstract Vector128<float> Sums(V a, V b, V c, V d);

    /// <summary>Puts the even ones of two vectors of floats before the odd ones, in place.</summary>
    static abstract void EvenFirst(float* pairs);

    /// <summary>The bfloat16 values in the lower halves of <see cref="Width"/> words.</summary>
    static abstract V LowerHalves(byte* words);

    /// <summary>The bfloat16 values in the upper halves of <see cref="Width"/> words.</summary>
    static abstract V UpperHalves(byte* words);

    /// <summary>Widens <see cref="Width"/> bfloat16 values.</summary>
    static abstract V LoadBFloat16(ushort* source);

    /// <summary>Converts <see cref="Width"/> 8-bit integers.</summary>
    static abstract V LoadInt8(sbyte* source);

    /// <summary>The largest element; undefined if one is NaN.</summary>
    static abstract float Largest(V value);

    static abstract V Subtract(V a, V b);

    static abstract V Multiply(V a, V b);

    static abstract V Divide(V a, V b);

    /// <summary>The smaller one; <paramref name="b"/> if it is NaN.</summary>
    static abstract V Min(V a, V b);

    /// <summary>The larger one; <paramref name="b"/> if it is NaN.</summary>
    static abstract V Max(V a, V b);

    static abstract V Abs(V a);

    /// <summary>a &gt; b ? x : y.</summary>
    static abstract V WhereGreater(V a, V b, V x, V y);

    static abstract bool AnyGreater(V a, V b);

    /// <summary>2ⁿ for an integer n from −127 (which gives 0) to 127, given as the float n + 1.5 · 2²³, whose low bits are n.</summary>
    static abstract V PowerOfTwo(V shifted);
}

/// <summary>Single floats, for machines without vectors.</summary>
internal readonly unsafe struct Simd32 : ISimd<float>
{
    public static int Width => 1;

    public static int Registers => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(float* source) => *source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, float value) => *destination = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Broadcast(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float a, float b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAdd(float a, float b, float c) => float.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sums(float a, float b, float c, float d) => Vector128.Create(a, b, c, d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void EvenFirst(float* pairs)
    {
        // An even one and an odd one.
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LowerHalves(byte* words) => BitConverter.UInt32BitsToSingle(*(uint*)words << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float UpperHalves(byte* words) => BitConverter.UInt32BitsToSingle(*(uint*)words & 0xFFFF0000);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadBFloat16(ushort* source) => BitConverter.UInt32BitsToSingle((uint)*source << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadInt8(sbyte* source) => *source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Subtract(float a, float b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Multiply(float a, float b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Divide(float a, float b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Min(float a, float b) => a < b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float a, float b) => a > b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Abs(float a) => MathF.Abs(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WhereGreater(float a, float b, float x, float y) => a > b ? x : y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool AnyGreater(float a, float b) => a > b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float PowerOfTwo(float shifted) => BitConverter.Int32BitsToSingle((BitConverter.SingleToInt32Bits(shifted) << 23) + 0x3F800000);
}
