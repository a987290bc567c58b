using System.Buffers.Binary;

namespace HiggsAudio.Audio;

/// <summary>
/// Reads WAV files (RIFF, RF64 and BW64; EBU Tech 3306, ITU-R BS.2088) from any stream, in one pass, as mono.
/// <list type="bullet">
/// <item>Sizes in the file are only upper bounds: memory is taken for what the stream really holds.</item>
/// <item>A file that ends early gives the whole frames that are there, as other readers do.</item>
/// <item>A data size of 0xFFFFFFFF, or of 0 in a file whose RIFF size leaves nothing after it, is one that a streaming writer could not know:
/// the rest of the stream is samples.</item>
/// </list>
/// </summary>
internal static class WavFile
{
    private const uint Unknown = uint.MaxValue;
    private const int PieceLength = 65536;

    /// <summary>Reads a WAV file; several channels give their mean.</summary>
    /// <exception cref="AudioFormatException">It is not a WAV file, of a kind that is not supported, broken, too long, or holds a sample that is not a finite number.</exception>
    public static (float[] Samples, int SamplingRate) ReadMono(Stream stream)
    {
        var input = new Input(stream);
        Span<byte> header = stackalloc byte[AudioFileKind.HeaderLength];
        header = header[..input.Read(header)];
        bool large = header.StartsWith("RF64"u8) || header.StartsWith("BW64"u8);
        if (header.Length < AudioFileKind.HeaderLength || !(large || header.StartsWith("RIFF"u8)) || !header[8..].SequenceEqual("WAVE"u8))
            throw AudioFileKind.Refuse(header);
        uint riffSize = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);

        WavSampleFormat? format = null;
        byte[]? early = null; // data that came before its format
        long largeDataSize = long.MaxValue;
        Span<byte> chunk = stackalloc byte[WavSampleFormat.MaximumLength];
        while (input.Read(chunk[..8]) == 8)
        {
            uint size = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
            long remaining = size + (size & 1L);
            if (chunk.StartsWith("data"u8))
            {
                bool unknown = size == Unknown || size == 0 && (riffSize is 0 or Unknown || riffSize + 8L <= input.Position);
                remaining = !unknown ? size : large && size == Unknown ? largeDataSize : long.MaxValue;
                if (format is { } known)
                    return (Decode(input.Bytes(remaining), known, input.AtMost(remaining)), known.SamplingRate);
                early = ReadAll(input.Bytes(remaining));
                remaining = unknown ? 0 : size & 1;
            }
            else if (chunk.StartsWith("fmt "u8))
            {
                int length = input.Read(chunk[..(int)Math.Min(size, (uint)chunk.Length)]);
                format = WavSampleFormat.Parse(chunk[..length]);
                remaining -= length;
            }
            else if (large && chunk.StartsWith("ds64"u8) && size >= 16)
            {
                remaining -= input.Read(chunk[..16]);
                largeDataSize = (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(chunk[8..]), long.MaxValue);
            }
            if (format is { } late && early is not null)
                return (Decode(new Input(new MemoryStream(early)).Bytes(early.Length), late, early.Length), late.SamplingRate);
            input.Skip(remaining);
        }
        throw new AudioFormatException($"WAV: expected a 'fmt ' and a 'data' chunk, found {(format is null ? early is null ? "neither" : "no 'fmt '" : "no 'data'")}.");
    }

    /// <summary>Decodes frames of samples to their mean over the channels, in the order of additions that NumPy has.</summary>
    private static float[] Decode(Pieces source, WavSampleFormat format, long atMost)
    {
        const int FirstCapacity = 1 << 18;
        var output = new float[Math.Min(atMost / format.BytesPerFrame, FirstCapacity)];
        var bytes = new byte[Math.Max(1, PieceLength / format.BytesPerFrame) * format.BytesPerFrame];
        var values = new float[bytes.Length / format.BytesPerSample];
        int frames = 0;
        for (int read; (read = source.Read(bytes) / format.BytesPerFrame) > 0; frames += read)
        {
            if (frames + (long)read > Array.MaxLength)
                throw new AudioFormatException($"WAV: expected at most {Array.MaxLength} frames, found more.");
            if (frames + read > output.Length)
                Array.Resize(ref output, (int)Math.Min(Math.Max(2L * output.Length, frames + read), Array.MaxLength));
            Span<float> decoded = values.AsSpan(0, read * format.Channels);
            format.Decode(bytes, decoded);
            CheckFinite(decoded, format.Channels, frames);
            Mix(decoded, format.Channels, output.AsSpan(frames, read));
        }
        Array.Resize(ref output, frames);
        return output;
    }

    private static void Mix(ReadOnlySpan<float> values, int channels, Span<float> mono)
    {
        if (channels == 1)
        {
            values.CopyTo(mono);
            return;
        }
        for (int i = 0; i < mono.Length; i++)
        {
            float sum = 0;
            foreach (float value in values.Slice(i * channels, channels))
                sum += value;
            mono[i] = float.IsFinite(sum) ? sum / channels : Mean(values.Slice(i * channels, channels));
        }
    }

    /// <summary>The mean of values whose sum is out of range.</summary>
    private static float Mean(ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (float value in values)
            sum += value;
        return (float)(sum / values.Length);
    }

    private static void CheckFinite(ReadOnlySpan<float> values, int channels, long firstFrame)
    {
        int index = Waveform.IndexOfNonFinite(values);
        if (index >= 0)
            throw new AudioFormatException(
                $"WAV: expected finite samples, found {values[index]} in sample {firstFrame + index / channels} of channel {index % channels + 1}.");
    }

    private static byte[] ReadAll(Pieces source)
    {
        using var bytes = new MemoryStream();
        var piece = new byte[PieceLength];
        for (int read; (read = source.Read(piece)) > 0;)
        {
            if (bytes.Length + read > Array.MaxLength)
                throw new AudioFormatException($"WAV: expected at most {Array.MaxLength} bytes before the 'fmt ' chunk, found more.");
            bytes.Write(piece, 0, read);
        }
        return bytes.ToArray();
    }

    /// <summary>A stream that is read forward only.</summary>
    private sealed class Input(Stream stream)
    {
        public long Position { get; private set; }

        /// <summary>Fills a buffer, or as much of it as there is.</summary>
        public int Read(Span<byte> buffer)
        {
            int read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            Position += read;
            return read;
        }

        /// <summary>Passes over bytes, or what there is of them.</summary>
        public void Skip(long count)
        {
            Span<byte> buffer = stackalloc byte[4096];
            for (int read = 1; count > 0 && read > 0; count -= read)
                read = Read(buffer[..(int)Math.Min(count, buffer.Length)]);
        }

        /// <summary>An upper bound of what can be read of a number of bytes.</summary>
        public long AtMost(long count) => stream.CanSeek ? Math.Clamp(stream.Length - stream.Position, 0, count) : count;

        /// <summary>The next bytes.</summary>
        public Pieces Bytes(long count) => new(this, count);
    }

    /// <summary>A number of bytes of a stream, to be read piece by piece.</summary>
    private struct Pieces(Input input, long remaining)
    {
        private long _remaining = remaining;

        public int Read(Span<byte> buffer)
        {
            int read = input.Read(buffer[..(int)Math.Min(buffer.Length, _remaining)]);
            _remaining -= read;
            return read;
        }
    }
}
