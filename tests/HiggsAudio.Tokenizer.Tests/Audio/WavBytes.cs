using System.Text;

namespace HiggsAudio.Tokenizer.Tests.Audio;

/// <summary>Makes WAV files byte by byte.</summary>
internal static class WavBytes
{
    public static readonly byte[] PcmGuid = new Guid("00000001-0000-0010-8000-00AA00389B71").ToByteArray();
    public static readonly byte[] FloatGuid = new Guid("00000003-0000-0010-8000-00AA00389B71").ToByteArray();

    public static byte[] Join(params byte[][] parts) => [.. parts.SelectMany(p => p)];

    public static byte[] Text(string text) => Encoding.Latin1.GetBytes(text);

    /// <summary>A chunk with its padding byte, if it needs one.</summary>
    public static byte[] Chunk(string id, byte[] content, uint? size = null) =>
        Join(Text(id), BitConverter.GetBytes(size ?? (uint)content.Length), content, new byte[content.Length & 1]);

    public static byte[] Riff(params byte[][] chunks) => Join(Text("RIFF"), BitConverter.GetBytes((uint)(4 + chunks.Sum(c => c.Length))), Text("WAVE"), Join(chunks));

    public static byte[] Format(int tag, int channels, int bits, int rate = 24000, int? bytesPerFrame = null)
    {
        int frame = bytesPerFrame ?? channels * ((bits + 7) / 8);
        return Chunk("fmt ", Join(Short(tag), Short(channels), BitConverter.GetBytes(rate), BitConverter.GetBytes(rate * frame), Short(frame), Short(bits)));
    }

    public static byte[] ExtensibleFormat(byte[] guid, int channels, int bits, int validBits, int rate = 24000)
    {
        int frame = channels * bits / 8;
        return Chunk("fmt ", Join(Short(0xFFFE), Short(channels), BitConverter.GetBytes(rate), BitConverter.GetBytes(rate * frame), Short(frame), Short(bits),
            Short(22), Short(validBits), BitConverter.GetBytes(0), guid));
    }

    public static byte[] Short(int value) => BitConverter.GetBytes((ushort)value);

    /// <summary>A 16-bit mono file.</summary>
    public static byte[] Pcm16(params short[] samples) => Riff(Format(1, 1, 16), Chunk("data", Data16(samples)));

    public static byte[] Data16(params short[] samples) => [.. samples.SelectMany(BitConverter.GetBytes)];
}

/// <summary>A stream that can neither seek nor tell its length, and gives a few bytes at a time.</summary>
internal sealed class Pipe(byte[] bytes) : Stream
{
    private readonly MemoryStream _inner = new(bytes);

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override int Read(byte[] buffer, int offset, int count) => _inner.Read(buffer, offset, Math.Min(count, 7));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>A stream that can only be written to.</summary>
internal sealed class Sink : Stream
{
    public MemoryStream Written { get; } = new();

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => Written.Write(buffer, offset, count);
}
