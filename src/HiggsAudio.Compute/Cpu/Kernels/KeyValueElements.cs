using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>How attention reads the elements of keys and values: as vectors of floats.</summary>
internal unsafe interface IKeyValueElements
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    /// <summary>Whether a slot's key and value have a scale each, to be multiplied with.</summary>
    static abstract bool IsScaled { get; }

    /// <summary>The next elements, as many as the vector has.</summary>
    static abstract V Load<S, V>(byte* source) where S : struct, ISimd<V> where V : struct;
}

internal readonly unsafe struct Float32KeyValues : IKeyValueElements
{
    public static int Size => sizeof(float);

    public static bool IsScaled => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.Load((float*)source);
}

internal readonly unsafe struct BFloat16KeyValues : IKeyValueElements
{
    public static int Size => sizeof(ushort);

    public static bool IsScaled => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.LoadBFloat16((ushort*)source);
}

internal readonly unsafe struct Int8KeyValues : IKeyValueElements
{
    public static int Size => sizeof(sbyte);

    public static bool IsScaled => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.LoadInt8((sbyte*)source);
}

/// <summary>
/// Keys and values of one head: keys in strips of <see cref="CpuKvCache.StripSlots"/> slots that follow each other, [headDim][slots], values
/// row by row. This is the one place where attention reads them.
/// </summary>
internal unsafe interface IKeyValueSource
{
    /// <summary>Strips of <see cref="AttentionBlock.Tile"/> slots, from a multiple of it on.</summary>
    byte* Keys(int slot);

    /// <summary>Values of the same slots.</summary>
    /// <param name="slot">The first slot.</param>
    /// <param name="stride">Elements between the starts of two rows.</param>
    byte* Values(int slot, out nint stride);

    /// <summary>Scales of the same slots' keys, if their format has them.</summary>
    float* KeyScales(int slot);

    /// <summary>Scales of the same slots' values, if their format has them.</summary>
    float* ValueScales(int slot);
}
