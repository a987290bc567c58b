namespace HiggsAudio;

/// <summary>
/// Sound in a <see cref="Message"/>: a file, the bytes of one, a waveform, or codes of the codec. In an assistant's message it is what that voice said
/// (the way to clone a voice), in a user's or the system's it is something to listen to.
/// </summary>
public sealed class AudioContent : MessageContent
{
    private AudioContent(TimeSpan? offset = null, TimeSpan? duration = null)
    {
        if (offset is { } start)
            ArgumentOutOfRangeException.ThrowIfLessThan(start, TimeSpan.Zero, nameof(offset));
        if (duration is { } length)
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(length, TimeSpan.Zero, nameof(duration));
        (Offset, Duration) = (offset, duration);
    }

    /// <summary>The path of an audio file, if the sound is one.</summary>
    public string? AudioUrl { get; private init; }

    /// <summary>The bytes of an audio file, if the sound is those.</summary>
    public ReadOnlyMemory<byte>? RawAudio { get; private init; }

    /// <summary>The sound itself, if it is in memory.</summary>
    public Waveform? Waveform { get; private init; }

    /// <summary>The sound as codes, if it has been encoded already.</summary>
    public AudioCodes? Codes { get; private init; }

    /// <summary>Where in the file the sound starts, if not at its start.</summary>
    public TimeSpan? Offset { get; }

    /// <summary>How much of the file is the sound, if not all the rest.</summary>
    public TimeSpan? Duration { get; }

    /// <summary>Sound that is still to come: it has a place in the prompt, and whoever uses the prompt has the codes.</summary>
    public static AudioContent Placeholder { get; } = new();

    /// <summary>Sound from a file. It is read when the message is used.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">Where in it the sound starts; null for its start.</param>
    /// <param name="duration">How much of it to take; null for all the rest.</param>
    /// <exception cref="ArgumentException">The path is empty, the offset negative, or the duration not above zero.</exception>
    public static AudioContent FromFile(string path, TimeSpan? offset = null, TimeSpan? duration = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new AudioContent(offset, duration) { AudioUrl = path };
    }

    /// <summary>Sound from the bytes of an audio file, which must not change afterwards.</summary>
    /// <param name="bytes">The bytes of the file.</param>
    /// <param name="offset">Where in it the sound starts; null for its start.</param>
    /// <param name="duration">How much of it to take; null for all the rest.</param>
    /// <exception cref="ArgumentException">There are no bytes, the offset is negative, or the duration not above zero.</exception>
    public static AudioContent FromBytes(ReadOnlyMemory<byte> bytes, TimeSpan? offset = null, TimeSpan? duration = null) =>
        bytes.IsEmpty
            ? throw new ArgumentException("An audio file has at least one byte.", nameof(bytes))
            : new AudioContent(offset, duration) { RawAudio = bytes };

    /// <summary>Sound from the bytes of an audio file in Base64.</summary>
    /// <param name="base64">The bytes.</param>
    /// <param name="offset">Where in it the sound starts; null for its start.</param>
    /// <param name="duration">How much of it to take; null for all the rest.</param>
    /// <exception cref="ArgumentException">It is not Base64, the offset is negative, or the duration not above zero.</exception>
    public static AudioContent FromBase64(string base64, TimeSpan? offset = null, TimeSpan? duration = null)
    {
        ArgumentNullException.ThrowIfNull(base64);
        try
        {
            return FromBytes(Convert.FromBase64String(base64), offset, duration);
        }
        catch (FormatException exception)
        {
            throw new ArgumentException("The audio is not Base64.", nameof(base64), exception);
        }
    }

    /// <summary>Sound that is in memory.</summary>
    /// <param name="waveform">The samples, of any sampling rate.</param>
    public static AudioContent FromWaveform(Waveform waveform)
    {
        ArgumentNullException.ThrowIfNull(waveform);
        return new AudioContent { Waveform = waveform };
    }

    /// <summary>Sound that has been encoded already.</summary>
    /// <param name="codes">The codes, [codebooks, frames], without BOS, EOS and delay.</param>
    public static AudioContent FromCodes(AudioCodes codes)
    {
        ArgumentNullException.ThrowIfNull(codes);
        return new AudioContent { Codes = codes };
    }
}
