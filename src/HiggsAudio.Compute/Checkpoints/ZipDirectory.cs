using System.Buffers.Binary;
using System.Text;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// The entries of a zip file (APPNOTE.TXT 6.3, with zip64) whose data are stored uncompressed, so that they can be used in place.
/// Sums are not checked: that would read gigabytes that are mapped so as not to be read, and torch may leave them out.
/// </summary>
internal sealed class ZipDirectory
{
    private const int EndLength = 22;
    private const int EntryLength = 46;
    private const int LocalLength = 30;
    private const int MaxDirectoryLength = 64_000_000;

    private readonly MappedFile _file;

    private ZipDirectory(MappedFile file) => _file = file;

    /// <summary>Start and length of every entry's data, by name.</summary>
    public Dictionary<string, (long Start, long Length)> Entries { get; } = [];

    /// <exception cref="CheckpointException">It is not a zip file, is damaged, or has compressed or encrypted entries.</exception>
    public static ZipDirectory Read(MappedFile file)
    {
        var directory = new ZipDirectory(file);
        (long start, long length, long count) = directory.FindDirectory();
        if (start < 0 || length < 0 || length > file.Length - start)
            throw directory.Error("the zip directory is outside the file");
        if (length > MaxDirectoryLength || count < 0 || count > length / EntryLength)
            throw directory.Error($"a zip directory of {length} bytes cannot have {count} entries");
        ReadOnlySpan<byte> rest = file.Bytes(start, (int)length);
        for (long i = 0; i < count; i++)
            directory.ReadEntry(ref rest, start);
        return directory;
    }

    // The end record is the last of the file, before a comment of up to 64 KB; torch's files have no comment.
    private (long Start, long Length, long Count) FindDirectory()
    {
        int tailLength = (int)Math.Min(_file.Length, EndLength + ushort.MaxValue);
        ReadOnlySpan<byte> tail = _file.Bytes(_file.Length - tailLength, tailLength);
        for (int at = tailLength - EndLength; at >= 0; at--)
        {
            ReadOnlySpan<byte> end = tail[at..];
            if (!end.StartsWith("PK\x05\x06"u8) || UInt16(end, 20) != end.Length - EndLength)
                continue;
            long position = _file.Length - tailLength + at;
            if (position >= 20 && _file.Bytes(position - 20, 20) is var locator && locator.StartsWith("PK\x06\x07"u8))
                return ReadZip64End(Int64(locator, 8));
            if (UInt16(end, 4) != 0 || UInt16(end, 6) != 0 || UInt16(end, 8) != UInt16(end, 10))
                throw Error("is one part of a zip split over several files");
            return (UInt32(end, 16), UInt32(end, 12), UInt16(end, 10));
        }
        throw Error("has no zip directory: not a torch file, or cut off");
    }

    private (long Start, long Length, long Count) ReadZip64End(long position)
    {
        if (position < 0 || position > _file.Length - 56)
            throw Error("the zip64 end record is outside the file");
        ReadOnlySpan<byte> end = _file.Bytes(position, 56);
        if (!end.StartsWith("PK\x06\x06"u8) || UInt32(end, 16) != 0 || UInt32(end, 20) != 0 || Int64(end, 24) != Int64(end, 32))
            throw Error("the zip64 end record is damaged");
        return (Int64(end, 48), Int64(end, 40), Int64(end, 32));
    }

    private void ReadEntry(ref ReadOnlySpan<byte> rest, long directoryStart)
    {
        if (rest.Length < EntryLength || !rest.StartsWith("PK\x01\x02"u8))
            throw Error("the zip directory is damaged");
        int nameLength = UInt16(rest, 28), extraLength = UInt16(rest, 30), commentLength = UInt16(rest, 32);
        int whole = EntryLength + nameLength + extraLength + commentLength;
        if (whole > rest.Length)
            throw Error("the zip directory is damaged");
        ReadOnlySpan<byte> entry = rest[..EntryLength], nameBytes = rest.Slice(EntryLength, nameLength);
        string name = ReadName(nameBytes);
        if ((UInt16(entry, 8) & 1) != 0)
            throw Error($"zip entry '{name}' is encrypted");
        if (UInt16(entry, 10) != 0)
            throw Error($"zip entry '{name}' is compressed (method {UInt16(entry, 10)}); torch stores entries uncompressed: unpack it and pack it again without compression");
        (long packed, long length, long local) = ReadSizes(entry, rest.Slice(EntryLength + nameLength, extraLength), name);
        if (packed != length)
            throw Error($"zip entry '{name}' is stored, but has two sizes: {packed} and {length}");
        long start = DataStart(local, nameBytes, name);
        if (length < 0 || length > directoryStart - start)
            throw Error($"zip entry '{name}' of {length} bytes is outside the file");
        if (!Entries.TryAdd(name, (start, length)))
            throw Error($"zip entry '{name}' is there twice");
        rest = rest[whole..];
    }

    private (long Packed, long Length, long Local) ReadSizes(ReadOnlySpan<byte> entry, ReadOnlySpan<byte> extra, string name)
    {
        long packed = UInt32(entry, 20), length = UInt32(entry, 24), local = UInt32(entry, 42);
        if (packed != uint.MaxValue && length != uint.MaxValue && local != uint.MaxValue)
            return (packed, length, local);
        while (extra.Length >= 4)
        {
            int size = UInt16(extra, 2);
            if (size > extra.Length - 4)
                break;
            ReadOnlySpan<byte> field = extra.Slice(4, size);
            if (UInt16(extra, 0) == 1 && field.Length >= 8 * (One(length) + One(packed) + One(local)))
            {
                length = Wide(length, ref field);
                packed = Wide(packed, ref field);
                local = Wide(local, ref field);
                return (packed, length, local);
            }
            extra = extra[(4 + size)..];
        }
        throw Error($"zip entry '{name}' has no zip64 sizes");

        static int One(long value) => value == uint.MaxValue ? 1 : 0;

        static long Wide(long value, ref ReadOnlySpan<byte> field)
        {
            if (value != uint.MaxValue)
                return value;
            value = Int64(field, 0);
            field = field[8..];
            return value;
        }
    }

    // Sizes in the local header may be 0 (a data descriptor follows the data), so only its names and lengths count.
    private long DataStart(long local, ReadOnlySpan<byte> name, string text)
    {
        if (local < 0 || local > _file.Length - LocalLength)
            throw Error($"zip entry '{text}' is outside the file");
        ReadOnlySpan<byte> header = _file.Bytes(local, LocalLength);
        if (!header.StartsWith("PK\x03\x04"u8) || UInt16(header, 26) != name.Length || name.Length > _file.Length - local - LocalLength
            || !_file.Bytes(local + LocalLength, name.Length).SequenceEqual(name))
            throw Error($"zip entry '{text}' is not where the directory says");
        return local + LocalLength + name.Length + UInt16(header, 28);
    }

    private string ReadName(ReadOnlySpan<byte> name)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(name);
        }
        catch (DecoderFallbackException e)
        {
            throw new CheckpointException(_file.Path, null, "a zip entry's name is not UTF-8", e);
        }
    }

    private CheckpointException Error(string problem) => new(_file.Path, null, problem);

    private static int UInt16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static long UInt32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long Int64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
