using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using HiggsAudio.Testing.Checkpoints;

namespace HiggsAudio.Tokenizer.Tests.Pictures;

/// <summary>Reads PNG files of 8-bit true colour as the specification says, checking every checksum.</summary>
internal static class PngReader
{
    public static (int Width, int Height, byte[] Pixels) Read(byte[] file)
    {
        if (!file.AsSpan(0, 8).SequenceEqual<byte>([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
            throw new InvalidDataException("signature");
        using var data = new MemoryStream();
        (int width, int height, string last) = (0, 0, "");
        for (int at = 8; at < file.Length;)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            last = Encoding.ASCII.GetString(file, at + 4, 4);
            ReadOnlySpan<byte> content = file.AsSpan(at + 8, length);
            if (Crc32.Of(file.AsSpan(at + 4, 4 + length)) != BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at + 8 + length)))
                throw new InvalidDataException($"checksum of {last}");
            if (last == "IHDR")
            {
                (width, height) = (BinaryPrimitives.ReadInt32BigEndian(content), BinaryPrimitives.ReadInt32BigEndian(content[4..]));
                if (!content[8..].SequenceEqual<byte>([8, 2, 0, 0, 0]))
                    throw new InvalidDataException("not plain 8-bit true colour");
            }
            if (last == "IDAT")
                data.Write(content);
            at += 12 + length;
        }
        if (last != "IEND")
            throw new InvalidDataException("no end");
        data.Position = 0;
        return (width, height, Unfilter(data, width, height));
    }

    private static byte[] Unfilter(Stream data, int width, int height)
    {
        using var inflate = new ZLibStream(data, CompressionMode.Decompress);
        int stride = width * 3;
        var pixels = new byte[stride * height];
        for (int y = 0; y < height; y++)
        {
            int filter = inflate.ReadByte();
            Span<byte> row = pixels.AsSpan(y * stride, stride);
            inflate.ReadExactly(row);
            for (int i = 0; i < stride; i++)
                row[i] += filter switch
                {
                    0 => 0,
                    1 => i < 3 ? (byte)0 : row[i - 3],
                    2 => y == 0 ? (byte)0 : pixels[(y - 1) * stride + i],
                    _ => throw new InvalidDataException($"filter {filter}"),
                };
        }
        return inflate.ReadByte() < 0 ? pixels : throw new InvalidDataException("more rows than the header says");
    }
}
