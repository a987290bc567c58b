namespace HiggsAudio.Audio;

/// <summary>Tells kinds of audio files apart by their first bytes, for error messages.</summary>
internal static class AudioFileKind
{
    /// <summary>Bytes that are enough to tell.</summary>
    public const int HeaderLength = 12;

    private const string Hint = "Convert it to WAV first, for example with: ffmpeg -i INPUT output.wav";

    /// <summary>Why a file with these first bytes is not read.</summary>
    public static AudioFormatException Refuse(ReadOnlySpan<byte> start)
    {
        if (start.Length < HeaderLength && "RIFF"u8.StartsWith(start[..Math.Min(4, start.Length)]))
            return new AudioFormatException($"Expected a WAV file, found {start.Length} bytes.");
        return Name(start) is { } name
            ? new AudioFormatException($"Expected a WAV file, found {name}. {Hint}")
            : new AudioFormatException($"Expected a WAV file, found data that begins with the bytes {Convert.ToHexString(start)}.");
    }

    private static readonly (int Offset, byte[] Magic, string Name)[] Kinds =
    [
        (0, [.."ID3"u8], "MP3 (MPEG audio)"),
        (0, [.."fLaC"u8], "FLAC"),
        (0, [.."OggS"u8], "Ogg (Vorbis, Opus or FLAC)"),
        (4, [.."ftyp"u8], "MP4 (AAC or ALAC)"),
        (0, [0x1A, 0x45, 0xDF, 0xA3], "Matroska or WebM"),
        (0, [0x30, 0x26, 0xB2, 0x75], "Windows Media (ASF)"),
        (0, [.."RIFX"u8], "big-endian WAV (RIFX)"),
        (0, [.."riff"u8], "Sony Wave64"),
        (0, [.."FORM"u8], "AIFF"),
        (0, [.."caff"u8], "Apple CAF"),
        (0, [..".snd"u8], "Sun AU"),
        (0, [.."wvpk"u8], "WavPack"),
        (0, [.."MAC "u8], "Monkey's Audio"),
        (0, [.."#!AMR"u8], "AMR"),
        (8, [.."AVI "u8], "an AVI video"),
        (8, [.."WEBP"u8], "a WebP picture"),
    ];

    private static string? Name(ReadOnlySpan<byte> start)
    {
        foreach ((int offset, byte[] magic, string name) in Kinds)
            if (start.Length >= offset && start[offset..].StartsWith(magic))
                return name;
        // Eleven sync bits, then a version, a layer and a bit rate that exist; AAC in ADTS has layer "0".
        bool mpeg = start.Length >= 3 && start[0] == 0xFF && (start[1] & 0xE0) == 0xE0 && (start[1] & 0x18) != 0x08 && start[2] >> 4 != 15;
        return !mpeg ? null : (start[1] & 0x06) == 0 ? "AAC" : "MP3 (MPEG audio)";
    }
}
