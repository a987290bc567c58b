namespace HiggsAudio.Cuda.Execution;

/// <summary>An argument of a kernel: an address, a 32-bit integer or a 32-bit float, in the lowest bytes of a word.</summary>
/// <param name="Bits">The word.</param>
internal readonly record struct Argument(ulong Bits)
{
    public static implicit operator Argument(nint address) => new((ulong)address);

    public static implicit operator Argument(int value) => new((uint)value);

    public static implicit operator Argument(float value) => new(BitConverter.SingleToUInt32Bits(value));
}

/// <summary>Blocks of a launch, or threads of a block.</summary>
internal readonly record struct Extent(int X, int Y = 1, int Z = 1)
{
    public static implicit operator Extent(int x) => new(x);
}
