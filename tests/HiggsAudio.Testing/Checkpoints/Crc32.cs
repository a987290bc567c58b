namespace HiggsAudio.Testing.Checkpoints;

/// <summary>The checksum of zip files (polynomial 0xEDB88320), eight bytes at a time.</summary>
public static class Crc32
{
    private static readonly uint[] Tables = MakeTables();

    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            ulong word = BitConverter.ToUInt64(bytes) ^ crc;
            crc = 0;
            for (int i = 0; i < 8; i++)
                crc ^= Tables[(7 - i) * 256 + (int)(word >> 8 * i & 255)];
        }
        foreach (byte b in bytes)
            crc = crc >> 8 ^ Tables[(crc ^ b) & 255];
        return ~crc;
    }

    private static uint[] MakeTables()
    {
        var tables = new uint[8 * 256];
        for (uint b = 0; b < 256; b++)
        {
            uint crc = b;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
            tables[b] = crc;
        }
        for (int i = 256; i < tables.Length; i++)
            tables[i] = tables[i - 256] >> 8 ^ tables[tables[i - 256] & 255];
        return tables;
    }
}
