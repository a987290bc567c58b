namespace HiggsAudio.Compute.Cpu;

/// <summary>bfloat16: the upper half of a 32-bit float.</summary>
internal static class BFloat16
{
    /// <summary>The nearest bfloat16, ties to even; a NaN stays one.</summary>
    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)(bits + 0x7FFF + (bits >> 16 & 1) >> 16);
    }

    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
