using System.Runtime.CompilerServices;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// How attention reads the elements of keys and values: in groups of 32 (slots of a key's feature, features of a value), as vectors of floats
/// of which one lies in the first half of the group and one 16 elements further.
/// </summary>
internal unsafe interface IKeyValueElements
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    /// <summary>Whether a slot's key and value have a scale each, to be multiplied with.</summary>
    static abstract bool IsScaled { get; }

    /// <summary>An element by itself.</summary>
    static abstract float Read(byte* source);

    /// <summary>The elements <paramref name="at"/> and on of a group, as many as the vector has; a multiple of that below 16.</summary>
    static abstract V First<S, V>(byte* group, int at) where S : struct, ISimd<V> where V : struct;

    /// <summary>The elements 16 further.</summary>
    static abstract V Second<S, V>(byte* group, int at) where S : struct, ISimd<V> where V : struct;
}

internal readonly unsafe struct Float32KeyValues : IKeyValueElements
{
    public static int Size => sizeof(float);

    public static bool IsScaled => false;

    public static float Read(byte* source) => *(float*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* group, int at) where S : struct, ISimd<V> where V : struct => S.Load((float*)group + at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* group, int at) where S : struct, ISimd<V> where V : struct => S.Load((float*)group + at + KeyValueGroup.Half);
}

/// <summary>Elements i and i + 16 of a group share a word: a shift makes floats of the ones, a mask of the others.</summary>
internal readonly unsafe struct BFloat16KeyValues : IKeyValueElements
{
    public static int Size => sizeof(ushort);

    public static bool IsScaled => false;

    public static float Read(byte* source) => BFloat16.ToSingle(*(ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* group, int at) where S : struct, ISimd<V> where V : struct => S.LowerHalves(group + at * sizeof(uint));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* group, int at) where S : struct, ISimd<V> where V : struct => S.UpperHalves(group + at * sizeof(uint));
}

internal readonly unsafe struct Int8KeyValues : IKeyValueElements
{
    public static int Size => sizeof(sbyte);

    public static bool IsScaled => true;

    public static float Read(byte* source) => *(sbyte*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* group, int at) where S : struct, ISimd<V> where V : struct => S.LoadInt8((sbyte*)group + at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* group, int at) where S : struct, ISimd<V> where V : struct => S.LoadInt8((sbyte*)group + at + KeyValueGroup.Half);
}

/// <summary>How the elements of a group lie in memory.</summary>
internal static class KeyValueGroup
{
    /// <summary>Elements of a group, and of its half.</summary>
    public const int Size = 32, Half = Size / 2;

    /// <summary>Where an element of a group is.</summary>
    public static int Place(KeyValueFormat format, int element) =>
        format == KeyValueFormat.BFloat16 ? element % Half * 2 + element / Half : element;
}

/// <summary>
/// Keys and values of one head: keys in strips of <see cref="CpuKvCache.StripSlots"/> slots that follow each other, [headDim][group of slots],
/// values row by row, in groups of features if they are whole groups. This is the one place where attention reads them.
/// </summary>
internal unsafe interface IKeyValueSource
{
    /// <summary>The strip of <see cref="AttentionBlock.Tile"/> slots from a multiple of it on.</summary>
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
