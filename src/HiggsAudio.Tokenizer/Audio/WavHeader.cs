using System.Buffers.Binary;

namespace HiggsAudio.Audio;

/// <summary>The part of a mono WAV file before its samples.</summary>
internal static class WavHeader
{
    private const int Ds64Length = 36, MaximumLength = 58 + Ds64Length;

    /// <summary>Bytes of a sample.</summary>
    public static int BytesPerSample(WavFormat format) => format == WavFormat.Pcm16 ? 2 : 4;

    /// <summary>Whether a file of so many samples needs 64-bit sizes.</summary>
    public static bool IsLarge(WavFormat format, long samples) => samples * BytesPerSample(format) + MaximumLength >= uint.MaxValue;

    /// <summary>Refuses a sampling rate or format that does not exist.</summary>
    public static void Check(int samplingRate, WavFormat format)
    {
        Resampler.CheckRate(samplingRate, nameof(samplingRate));
        if (format is not (WavFormat.Pcm16 or WavFormat.Float32))
            throw new ArgumentOutOfRangeException(nameof(format), format, "The format of a WAV file is Pcm16 or Float32.");
    }

    /// <summary>Writes the header: RIFF, or RF64 (EBU Tech 3306) for 4 GiB and more.</summary>
    /// <param name="stream">Where to write.</param>
    /// <param name="samplingRate">The rate in Hz.</param>
    /// <param name="format">How samples are written.</param>
    /// <param name="samples">The number of samples; null when it is not known.</param>
    public static void Write(Stream stream, int samplingRate, WavFormat format, long? samples)
    {
        bool large = samples is { } count && IsLarge(format, count), isFloat = format == WavFormat.Float32;
        int bytesPerSample = BytesPerSample(format), length = (isFloat ? 58 : 44) + (large ? Ds64Length : 0);
        long dataSize = (samples ?? 0) * bytesPerSample, riffSize = length - 8 + dataSize;
        bool unknown = samples is null || large;

        var header = new Fields(stackalloc byte[length]);
        header.Add(large ? "RF64"u8 : "RIFF"u8);
        header.Add(unknown ? uint.MaxValue : (uint)riffSize);
        header.Add("WAVE"u8);
        if (large)
        {
            header.Add("ds64"u8);
            header.Add((uint)(Ds64Length - 8));
            header.Add((ulong)riffSize);
            header.Add((ulong)dataSize);
            header.Add((ulong)samples!.Value);
            header.Add(0u); // no table
        }
        header.Add("fmt "u8);
        header.Add(isFloat ? 18u : 16u);
        header.Add(isFloat ? (ushort)3 : (ushort)1);
        header.Add((ushort)1);
        header.Add((uint)samplingRate);
        header.Add((uint)(samplingRate * bytesPerSample));
        header.Add((ushort)bytesPerSample);
        header.Add((ushort)(8 * bytesPerSample));
        if (isFloat)
        {
            header.Add((ushort)0);
            header.Add("fact"u8);
            header.Add(4u);
            header.Add(unknown ? uint.MaxValue : (uint)samples!.Value);
        }
        header.Add("data"u8);
        header.Add(unknown ? uint.MaxValue : (uint)dataSize);
        stream.Write(header.Written);
    }

    /// <summary>Bytes that are filled field by field.</summary>
    private ref struct Fields(Span<byte> bytes)
    {
        private readonly Span<byte> _bytes = bytes;
        private int _length;

        public readonly ReadOnlySpan<byte> Written => _bytes[.._length];

        public void Add(ReadOnlySpan<byte> value)
        {
            value.CopyTo(_bytes[_length..]);
            _length += value.Length;
        }

        public void Add(ushort value)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes[_length..], value);
            _length += sizeof(ushort);
        }

        public void Add(uint value)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes[_length..], value);
            _length += sizeof(uint);
        }

        public void Add(ulong value)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_bytes[_length..], value);
            _length += sizeof(ulong);
        }
    }
}
