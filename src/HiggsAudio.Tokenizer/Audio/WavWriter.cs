using System.Buffers;
using System.Buffers.Binary;
using HiggsAudio.Audio;

namespace HiggsAudio;

/// <summary>
/// Writes a mono WAV file while its samples are made. The header gets its sizes when the writer is disposed, if the stream can seek; else it
/// has the sizes that players know as "until the end" (0xFFFFFFFF).
/// </summary>
public sealed class WavWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private readonly long? _start;
    private bool _disposed;

    /// <summary>Writes the header to a stream, at its position.</summary>
    /// <param name="stream">Where to write.</param>
    /// <param name="samplingRate">1 to <see cref="Resampler.MaxSamplingRate"/> Hz.</param>
    /// <param name="format">How samples are written.</param>
    /// <param name="leaveOpen">Whether the stream stays open when the writer is disposed.</param>
    /// <exception cref="ArgumentOutOfRangeException">The sampling rate or the format is out of range.</exception>
    public WavWriter(Stream stream, int samplingRate, WavFormat format = WavFormat.Pcm16, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(stream);
        WavHeader.Check(samplingRate, format);
        (_stream, SamplingRate, Format, _leaveOpen) = (stream, samplingRate, format, leaveOpen);
        _start = stream.CanSeek ? stream.Position : null;
        WavHeader.Write(stream, samplingRate, format, samples: null);
    }

    /// <summary>Creates (or replaces) a file and writes the header.</summary>
    public WavWriter(string path, int samplingRate, WavFormat format = WavFormat.Pcm16)
        : this(Create(path, samplingRate, format), samplingRate, format)
    {
    }

    /// <summary>The sampling rate in Hz.</summary>
    public int SamplingRate { get; }

    /// <summary>How samples are written.</summary>
    public WavFormat Format { get; }

    /// <summary>Samples written so far.</summary>
    public long Length { get; private set; }

    /// <summary>Appends samples.</summary>
    /// <exception cref="ArgumentException">A sample is not a finite number; nothing is written.</exception>
    /// <exception cref="AudioFormatException">The file would be longer than its sizes can say, 4 GiB; nothing is written.</exception>
    public void Write(ReadOnlySpan<float> samples)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Waveform.CheckFinite(samples, nameof(samples));
        if (_start is not null && WavHeader.IsLarge(Format, Length + samples.Length))
            throw new AudioFormatException($"WAV: {Length + samples.Length} samples need more than the 4 GiB that the header of this file can describe.");
        WriteSamples(_stream, samples, Format);
        Length += samples.Length;
    }

    /// <summary>Passes what was written on to the stream's destination.</summary>
    public void Flush() => _stream.Flush();

    /// <summary>Completes the header, if the stream can seek, and closes the stream (unless told not to).</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        try
        {
            if (_start is { } start)
            {
                _stream.Position = start;
                WavHeader.Write(_stream, SamplingRate, Format, Length);
                _stream.Seek(Length * WavHeader.BytesPerSample(Format), SeekOrigin.Current);
            }
            _stream.Flush();
        }
        finally
        {
            if (!_leaveOpen)
                _stream.Dispose();
        }
    }

    private static FileStream Create(string path, int samplingRate, WavFormat format)
    {
        WavHeader.Check(samplingRate, format); // before a file is replaced
        return File.Create(path);
    }

    /// <summary>Writes samples without a header.</summary>
    internal static void WriteSamples(Stream stream, ReadOnlySpan<float> samples, WavFormat format)
    {
        const int Piece = 8192;
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Piece * sizeof(float));
        while (!samples.IsEmpty)
        {
            ReadOnlySpan<float> piece = samples[..Math.Min(Piece, samples.Length)];
            for (int i = 0; i < piece.Length; i++)
            {
                if (format == WavFormat.Float32)
                    BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(4 * i), piece[i]);
                else
                    BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(2 * i), (short)Math.Clamp(MathF.Round(piece[i] * 32768), -32768, 32767));
            }
            stream.Write(bytes, 0, piece.Length * WavHeader.BytesPerSample(format));
            samples = samples[piece.Length..];
        }
        ArrayPool<byte>.Shared.Return(bytes);
    }
}
