using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// How a kernel reads the elements of a weight: always two vectors of floats at a time. For 32-bit floats they lie
/// <c>distance</c> bytes apart; for bfloat16 they are the lower and the upper halves of one vector of words.
/// </summary>
internal unsafe interface IWeightElements
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    static abstract V First<S, V>(byte* source) where S : struct, ISimd<V> where V : struct;

    static abstract V Second<S, V>(byte* source, int distance) where S : struct, ISimd<V> where V : struct;

    /// <summary>Asks for 32 elements of a panel that are needed soon.</summary>
    static abstract void PrefetchPanel(byte* source);

    /// <summary><see cref="Prefetch.Stream"/> for 32 elements of a panel.</summary>
    static abstract void StreamPanel(byte* source);
}

internal readonly unsafe struct Float32Elements : IWeightElements
{
    public static int Size => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* source, int distance) where S : struct, ISimd<V> where V : struct => S.Load((float*)(source + distance));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchPanel(byte* source)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(source);
            Sse.Prefetch0(source + 64);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StreamPanel(byte* source)
    {
        Prefetch.Stream(source);
        Prefetch.Stream(source + 64);
    }
}

internal readonly unsafe struct BFloat16Elements : IWeightElements
{
    public static int Size => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.LowerHalves(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* source, int distance) where S : struct, ISimd<V> where V : struct => S.UpperHalves(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchPanel(byte* source)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(source);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StreamPanel(byte* source) => Prefetch.Stream(source);
}

internal static unsafe class Prefetch
{
    /// <summary>Bytes that are asked for ahead of their use when a weight streams from memory.</summary>
    public const int Distance = 4096;

    // Bytes ahead when nothing but memory limits the speed: the processor's own prefetching is under way then, and needs little help.
    private const int StreamDistance = 1024;

    /// <summary>
    /// Asks for what follows a line of a weight that one row is multiplied with. Into the second cache: on Zen 4, asking for it into the first
    /// one costs a fifth of the bandwidth (benchmarks/results/2026-11-28-decode.md).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stream(byte* line) => IntoSecond(line + StreamDistance);

    /// <summary>Asks for a line, into the second cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void IntoSecond(byte* line)
    {
        if (Sse.IsSupported)
            Sse.Prefetch1(line);
    }
}
