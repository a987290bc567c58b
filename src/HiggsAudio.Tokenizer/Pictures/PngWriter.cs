using System.Buffers.Binary;
using System.IO.Compression;

namespace HiggsAudio.Pictures;

/// <summary>Writes PNG files (RFC 2083): 8 bits of red, green and blue, rows filtered where that makes them shorter.</summary>
internal static class PngWriter
{
    private static readonly uint[] CrcTable = [.. Enumerable.Range(0, 256).Select(CrcOfByte)];

    /// <summary>Writes a file.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="width">Pixels of a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="pixels">Red, green, blue, row by row from the top.</param>
    public static void Write(Stream stream, int width, int height, ReadOnlySpan<byte> pixels)
    {
        stream.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        (header[8], header[9]) = (8, 2);   // bits, and true colour; compression, filter and interlace are 0
        Chunk(stream, "IHDR"u8, header);
        Chunk(stream, "IDAT"u8, Compressed(width, height, pixels));
        Chunk(stream, "IEND"u8, []);
    }

    private static ReadOnlySpan<byte> Compressed(int width, int height, ReadOnlySpan<byte> pixels)
    {
        using var data = new MemoryStream();
        using (var deflate = new ZLibStream(data, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            int stride = width * 3;
            Span<byte> plain = new byte[1 + stride], sub = new byte[1 + stride], up = new byte[1 + stride];
            for (int y = 0; y < height; y++)
            {
                ReadOnlySpan<byte> row = pixels.Slice(y * stride, stride), above = y == 0 ? default : pixels.Slice((y - 1) * stride, stride);
                (plain[0], sub[0], up[0]) = (0, 1, 2);
                row.CopyTo(plain[1..]);
                for (int i = 0; i < stride; i++)
                {
                    sub[i + 1] = (byte)(row[i] - (i < 3 ? 0 : row[i - 3]));
                    up[i + 1] = (byte)(row[i] - (y == 0 ? 0 : above[i]));
                }
                int asSub = Cost(sub[1..]), asUp = Cost(up[1..]);
                deflate.Write(Cost(plain[1..]) <= Math.Min(asSub, asUp) ? plain : asSub <= asUp ? sub : up);
            }
        }
        return data.GetBuffer().AsSpan(0, (int)data.Length);
    }

    // The sum of magnitudes, by which encoders commonly choose.
    private static int Cost(ReadOnlySpan<byte> row)
    {
        int sum = 0;
        foreach (byte value in row)
            sum += Math.Abs((int)(sbyte)value);
        return sum;
    }

    private static void Chunk(Stream stream, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        stream.Write(number);
        stream.Write(type);
        stream.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(data, Crc(type, uint.MaxValue)));
        stream.Write(number);
    }

    private static uint Crc(ReadOnlySpan<byte> data, uint crc)
    {
        foreach (byte value in data)
            crc = CrcTable[(byte)crc ^ value] ^ crc >> 8;
        return crc;
    }

    private static uint CrcOfByte(int value)
    {
        uint crc = (uint)value;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) == 0 ? crc >> 1 : 0xEDB88320 ^ crc >> 1;
        return crc;
    }
}
