using System.Text;

namespace HiggsAudio.Testing.Checkpoints;

/// <summary>Writes zip files the way torch does: entries are stored, aligned, and have their sizes behind them and in the directory.</summary>
/// <param name="stream">Where to; anything that can be written.</param>
public sealed class StoredZipWriter(Stream stream)
{
    private const int SizesBehind = 1 << 3, Utf8Name = 1 << 11;

    private readonly List<Entry> _entries = [];
    private long _position;

    private sealed record Entry(byte[] Name, uint Crc, long Length, long Offset, int Method, int Flags);

    /// <summary>Data start at multiples of this.</summary>
    public int Alignment { get; init; } = 64;

    /// <summary>Whether sizes and offsets are written in zip64's extra fields, needed or not.</summary>
    public bool Zip64 { get; init; }

    /// <param name="name">Its path in the archive.</param>
    /// <param name="bytes">Its contents, written as they are.</param>
    /// <param name="method">What the entry claims to be compressed with; 0 is true.</param>
    /// <param name="flags">What the entry claims beyond the usual flags.</param>
    public void Add(string name, ReadOnlySpan<byte> bytes, int method = 0, int flags = 0)
    {
        var entry = new Entry(Encoding.UTF8.GetBytes(name), Crc32.Of(bytes), bytes.Length, _position, method, flags | SizesBehind | Utf8Name);
        _entries.Add(entry);
        int padding = (int)(Alignment - (_position + 30 + entry.Name.Length + 4) % Alignment) % Alignment;
        Write(w =>
        {
            w.Write("PK\x03\x04"u8);
            Common(w, entry);
            w.Write(new byte[12]);                    // sum and sizes are behind the data
            w.Write((ushort)entry.Name.Length);
            w.Write((ushort)(4 + padding));
            w.Write(entry.Name);
            w.Write("FB"u8);                          // torch's padding
            w.Write((ushort)padding);
            w.Write(new byte[padding]);
        });
        stream.Write(bytes);
        _position += bytes.Length;
        Write(w =>
        {
            w.Write("PK\x07\x08"u8);
            w.Write(entry.Crc);
            w.Write((uint)entry.Length);
            w.Write((uint)entry.Length);
        });
    }

    /// <summary>Writes the directory.</summary>
    public void Finish()
    {
        long start = _position;
        foreach (Entry entry in _entries)
            Write(w => Directory(w, entry));
        long length = _position - start, end64 = _position;
        bool wide = Zip64 || start > uint.MaxValue || _entries.Count >= ushort.MaxValue;
        if (wide)
            Write(w => End64(w, start, length, end64));
        Write(w =>
        {
            w.Write("PK\x05\x06"u8);
            w.Write(0);
            w.Write(wide ? ushort.MaxValue : (ushort)_entries.Count);
            w.Write(wide ? ushort.MaxValue : (ushort)_entries.Count);
            w.Write(wide ? uint.MaxValue : (uint)length);
            w.Write(wide ? uint.MaxValue : (uint)start);
            w.Write((ushort)0);
        });
    }

    private static void Common(BinaryWriter w, Entry entry)
    {
        w.Write((ushort)20);
        w.Write((ushort)entry.Flags);
        w.Write((ushort)entry.Method);
        w.Write(0x00210000);                          // 1 January 1980
    }

    private void Directory(BinaryWriter w, Entry entry)
    {
        bool wide = Zip64 || entry.Offset > uint.MaxValue;
        w.Write("PK\x01\x02"u8);
        w.Write((ushort)20);
        Common(w, entry);
        w.Write(entry.Crc);
        w.Write(wide ? uint.MaxValue : (uint)entry.Length);
        w.Write(wide ? uint.MaxValue : (uint)entry.Length);
        w.Write((ushort)entry.Name.Length);
        w.Write((ushort)(wide ? 28 : 0));
        w.Write(new byte[10]);                        // comment, disk, attributes
        w.Write(wide ? uint.MaxValue : (uint)entry.Offset);
        w.Write(entry.Name);
        if (!wide)
            return;
        w.Write((ushort)1);
        w.Write((ushort)24);
        w.Write(entry.Length);
        w.Write(entry.Length);
        w.Write(entry.Offset);
    }

    private void End64(BinaryWriter w, long start, long length, long end64)
    {
        w.Write("PK\x06\x06"u8);
        w.Write(44L);
        w.Write(45 << 16 | 45);
        w.Write(0L);
        w.Write((long)_entries.Count);
        w.Write((long)_entries.Count);
        w.Write(length);
        w.Write(start);
        w.Write("PK\x06\x07"u8);
        w.Write(0);
        w.Write(end64);
        w.Write(1);
    }

    private void Write(Action<BinaryWriter> write)
    {
        using var buffer = new MemoryStream();
        using var writer = new BinaryWriter(buffer);
        write(writer);
        stream.Write(buffer.GetBuffer(), 0, (int)buffer.Length);
        _position += buffer.Length;
    }
}
