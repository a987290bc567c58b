namespace HiggsAudio.Generation;

/// <summary>
/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): random bits that are a function of a
/// counter and a key, so that there is no state to keep, and any draw can be made again or left out.
/// </summary>
internal static class Philox
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57, Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>The block of 128 random bits of a counter.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Block(uint c0, uint c1, uint c2, uint c3, ulong key)
    {
        (uint k0, uint k1) = ((uint)key, (uint)(key >> 32));
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)Multiplier0 * c0, p1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            unchecked
            {
                k0 += Weyl0;
                k1 += Weyl1;
            }
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>A number from 0 up to but not 1, in steps of 2^-53, of the first half of a counter's block.</summary>
    public static double Uniform(uint c0, uint c1, uint c2, uint c3, ulong key)
    {
        (uint x0, uint x1, _, _) = Block(c0, c1, c2, c3, key);
        return (((ulong)x1 << 32 | x0) >> 11) * (1.0 / (1UL << 53));
    }
}
