namespace HiggsAudio.Serving;

/// <summary>Loads the sound of a conversation's audio.</summary>
internal static class AudioContentLoader
{
    /// <summary>The sound, cut to the content's offset and duration; null for a placeholder.</summary>
    /// <exception cref="AudioFormatException">The file is broken or of a kind that is not read.</exception>
    public static Waveform? Load(this AudioContent content)
    {
        Waveform? whole = content.Waveform
            ?? (content.RawAudio is { } bytes ? Waveform.Load(new MemoryStream(bytes.ToArray(), writable: false))
                : content.AudioUrl is null or "" or "placeholder" ? null
                : Waveform.Load(content.AudioUrl));
        if (whole is null || content is { Offset: null, Duration: null })
            return whole;
        TimeSpan offset = content.Offset ?? TimeSpan.Zero;
        if (offset >= whole.Duration)
            throw new ArgumentException($"The audio is {whole.Duration.TotalSeconds:0.###} s long, its offset {offset.TotalSeconds:0.###} s.");
        TimeSpan left = whole.Duration - offset;
        return whole.Slice(offset, content.Duration is { } duration && duration < left ? duration : left);
    }
}
