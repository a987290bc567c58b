using System.Buffers.Binary;

namespace HiggsAudio.Audio;

/// <summary>What a WAV file's "fmt " chunk says: how samples are coded.</summary>
internal readonly record struct WavSampleFormat(WavCoding Coding, int BytesPerSample, int Channels, int SamplingRate)
{
    private const int MinimumLength = 16, ExtensibleLength = 40, ExtensibleTag = 0xFFFE;

    /// <summary>Bytes of the chunk that are looked at.</summary>
    public const int MaximumLength = ExtensibleLength;

    /// <summary>Bytes of one sample of every channel.</summary>
    public int BytesPerFrame => BytesPerSample * Channels;

    /// <summary>Reads the chunk.</summary>
    /// <exception cref="AudioFormatException">The chunk is too short, contradicts itself, or the coding is not supported.</exception>
    public static WavSampleFormat Parse(ReadOnlySpan<byte> chunk)
    {
        if (chunk.Length < MinimumLength)
            throw new AudioFormatException($"WAV: expected a 'fmt ' chunk of at least {MinimumLength} bytes, found {chunk.Length}.");
        int tag = BinaryPrimitives.ReadUInt16LittleEndian(chunk);
        int channels = BinaryPrimitives.ReadUInt16LittleEndian(chunk[2..]);
        uint rate = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
        int bytesPerFrame = BinaryPrimitives.ReadUInt16LittleEndian(chunk[12..]);
        int bits = BinaryPrimitives.ReadUInt16LittleEndian(chunk[14..]);
        if (tag == ExtensibleTag)
            tag = SubFormat(chunk);

        WavCoding coding = tag switch
        {
            1 => WavCoding.Pcm,
            3 => WavCoding.Float,
            6 => WavCoding.ALaw,
            7 => WavCoding.MuLaw,
            _ => throw new AudioFormatException($"WAV: expected PCM, floating-point, A-law or µ-law samples, found {Name(tag)}."),
        };
        if (channels == 0)
            throw new AudioFormatException("WAV: expected at least 1 channel, found 0.");
        if (rate is 0 or > Resampler.MaxSamplingRate)
            throw new AudioFormatException($"WAV: expected a sampling rate of 1 to {Resampler.MaxSamplingRate} Hz, found {rate}.");
        int bytes = bytesPerFrame == 0 ? (bits + 7) / 8 : bytesPerFrame % channels == 0 ? bytesPerFrame / channels : 0;
        bool supported = coding switch
        {
            WavCoding.Pcm => bytes is >= 1 and <= 4 && bits >= 1 && bits <= 8 * bytes,
            WavCoding.Float => bytes is 4 or 8 && bits == 8 * bytes,
            _ => bytes == 1 && bits == 8,
        };
        if (!supported)
            throw new AudioFormatException($"WAV: {coding} samples of {bits} bits, {channels} channels in {bytesPerFrame} bytes, are not supported: " +
                "expected PCM of 1 to 32 bits, floating point of 32 or 64, A-law or µ-law of 8.");
        return new WavSampleFormat(coding, bytes, channels, (int)rate);
    }

    /// <summary>The coding of WAVE_FORMAT_EXTENSIBLE: a GUID that is a tag and the same 14 bytes.</summary>
    private static int SubFormat(ReadOnlySpan<byte> chunk)
    {
        if (chunk.Length < ExtensibleLength)
            throw new AudioFormatException($"WAV: expected an extensible 'fmt ' chunk of at least {ExtensibleLength} bytes, found {chunk.Length}.");
        var format = new Guid(chunk[24..40]);
        ReadOnlySpan<byte> waveform = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
        ReadOnlySpan<byte> ambisonic = [0, 0, 0x21, 0x07, 0xD3, 0x11, 0x86, 0x44, 0xC8, 0xC1, 0xCA, 0, 0, 0];
        return chunk[26..40].SequenceEqual(waveform) || chunk[26..40].SequenceEqual(ambisonic)
            ? BinaryPrimitives.ReadUInt16LittleEndian(chunk[24..])
            : throw new AudioFormatException($"WAV: expected PCM or floating-point samples, found the unknown sub-format {format}.");
    }

    private static string Name(int tag) => tag switch
    {
        0x02 or 0x11 => "ADPCM",
        0x31 => "GSM 6.10",
        0x50 or 0x55 => "MPEG audio (MP3)",
        0xFF or 0x1600 or 0x1610 => "AAC",
        0x161 or 0x162 or 0x163 => "Windows Media audio",
        _ => $"the unknown format 0x{tag:X4}",
    };

    /// <summary>Decodes samples; full scale is ±1.</summary>
    public void Decode(ReadOnlySpan<byte> source, Span<float> samples)
    {
        switch (Coding, BytesPerSample)
        {
            case (WavCoding.Pcm, 1):
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = (source[i] - 128) * (1f / 128);
                break;
            case (WavCoding.Pcm, 2):
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = BinaryPrimitives.ReadInt16LittleEndian(source[(2 * i)..]) * (1f / 32768);
                break;
            case (WavCoding.Pcm, 3):
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = (source[3 * i] << 8 | source[3 * i + 1] << 16 | source[3 * i + 2] << 24) * (1f / 2147483648);
                break;
            case (WavCoding.Pcm, 4):
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = BinaryPrimitives.ReadInt32LittleEndian(source[(4 * i)..]) * (1f / 2147483648);
                break;
            case (WavCoding.Float, 4):
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = BinaryPrimitives.ReadSingleLittleEndian(source[(4 * i)..]);
                break;
            case (WavCoding.Float, _):
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = (float)BinaryPrimitives.ReadDoubleLittleEndian(source[(8 * i)..]);
                break;
            case (WavCoding.ALaw, _):
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = ALaw(source[i]) * (1f / 32768);
                break;
            default:
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = MuLaw(source[i]) * (1f / 32768);
                break;
        }
    }

    /// <summary>ITU-T G.711 A-law: a sign, 3 bits of exponent and 4 of mantissa, every other bit inverted.</summary>
    private static int ALaw(byte code)
    {
        int bits = code ^ 0x55, exponent = bits >> 4 & 7, mantissa = bits & 15;
        int magnitude = exponent == 0 ? 2 * mantissa + 1 : 2 * mantissa + 33 << exponent - 1;
        return (bits & 0x80) != 0 ? 8 * magnitude : -8 * magnitude;
    }

    /// <summary>ITU-T G.711 µ-law: like A-law, all bits inverted, with a bias of 33 instead of an exponent for small values.</summary>
    private static int MuLaw(byte code)
    {
        int bits = ~code, exponent = bits >> 4 & 7, mantissa = bits & 15;
        int magnitude = (2 * mantissa + 33 << exponent) - 33;
        return (bits & 0x80) != 0 ? -4 * magnitude : 4 * magnitude;
    }
}

/// <summary>How a sample is coded.</summary>
internal enum WavCoding
{
    /// <summary>Integers: unsigned up to 8 bits, signed above.</summary>
    Pcm,

    /// <summary>IEEE 754.</summary>
    Float,

    /// <summary>ITU-T G.711, Europe.</summary>
    ALaw,

    /// <summary>ITU-T G.711, North America and Japan.</summary>
    MuLaw,
}
