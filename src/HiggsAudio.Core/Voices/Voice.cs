using HiggsAudio.Voices;

namespace HiggsAudio;

/// <summary>
/// A voice to speak with: a recording, encoded once, and what is said in it. Immutable, small, and no one's to dispose: what an engine has
/// computed of it (the keys and values of its messages) is in the engine's prefix cache (<see cref="EngineOptions.PrefixCacheBytes"/>).
/// <code>
/// Voice belinda = await engine.CreateVoiceAsync("belinda.wav", "Twas the night before my birthday.");
/// belinda.Save("belinda.voice");
/// HiggsAudioResponse answer = await engine.GenerateAsync(belinda.Say("Hello!"), options);
/// </code>
/// </summary>
public sealed class Voice
{
    internal Voice(AudioCodes codes, int codebookSize, string transcript, string name, string? scene) =>
        (Codes, CodebookSize, Transcript, Name, Scene) = (codes, codebookSize, transcript, name, scene);

    /// <summary>What it is called; may be empty.</summary>
    public string Name { get; }

    /// <summary>What is said in the recording, word for word.</summary>
    public string Transcript { get; }

    /// <summary>Where and how it is recorded, such as "A quiet room."; null for nothing.</summary>
    public string? Scene { get; }

    /// <summary>The recording, encoded: [codebooks, frames].</summary>
    public AudioCodes Codes { get; }

    /// <summary>Codes are from 0 to this less one; with <see cref="Codes"/>' codebooks and frame rate it says which codecs the voice is for.</summary>
    public int CodebookSize { get; }

    /// <summary>A voice from codes that a codec has made.</summary>
    /// <param name="codes">The recording, encoded; at least one frame.</param>
    /// <param name="codec">The codec.</param>
    /// <param name="transcript">What is said in it, word for word.</param>
    /// <param name="name">What it is called.</param>
    /// <param name="scene">Where and how it is recorded.</param>
    /// <exception cref="ArgumentException">There is no frame, or the codes are not the codec's.</exception>
    public static Voice FromCodes(AudioCodes codes, AudioCodec codec, string transcript, string name = "", string? scene = null)
    {
        ArgumentNullException.ThrowIfNull(codec);
        ArgumentNullException.ThrowIfNull(transcript);
        ArgumentNullException.ThrowIfNull(name);
        codec.CheckCodes(codes);
        if (codes.Frames == 0)
            throw new ArgumentException("A voice needs at least one frame.", nameof(codes));
        return new Voice(new AudioCodes(codes.Codebooks, [.. codes.ToRows().SelectMany(row => row)], codec.FrameRate), codec.CodebookSize, transcript, name, scene);
    }

    /// <summary>
    /// The messages that make the model speak like it: a system message with the scene, if there is one, the transcript as the user's turn and
    /// the recording as the assistant's.
    /// </summary>
    /// <param name="scene">Another scene than <see cref="Scene"/>; empty for none.</param>
    public IReadOnlyList<Message> ToMessages(string? scene = null) => SpeakerPrompts.Messages(scene ?? Scene, [ToSpeakerPrompt()]);

    /// <summary>The conversation that makes the model say a text with it.</summary>
    /// <param name="text">What to say.</param>
    /// <param name="scene">Another scene than <see cref="Scene"/>; empty for none.</param>
    public ChatMLSample Say(string text, string? scene = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        return new ChatMLSample([.. ToMessages(scene), new Message(Message.User, text)]);
    }

    /// <summary>The voice as one of several speakers, see <see cref="SpeakerPrompts"/>.</summary>
    public SpeakerPrompt ToSpeakerPrompt() => SpeakerPrompt.FromAudio(AudioContent.FromCodes(Codes), Transcript);

    /// <summary>Writes the voice to a file, which appears, or is replaced, when it is complete.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">Nor may it be.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string temporary = $"{path}.{Path.GetRandomFileName()}";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
                Save(stream);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Writes the voice to a stream, which is left open.</summary>
    public void Save(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        stream.Write(VoiceFile.Write(this));
    }

    /// <summary>Reads a voice that was saved.</summary>
    /// <param name="path">The file.</param>
    /// <param name="codec">The codec it will be used with, to check that it is for it; null not to.</param>
    /// <exception cref="VoiceFormatException">The file is not a voice, broken, of a later version, or for another codec; the message says which.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Voice Load(string path, AudioCodec? codec = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using FileStream stream = File.OpenRead(path);
        return Load(stream, codec, path);
    }

    /// <summary>As <see cref="Load(string, AudioCodec?)"/>, from a stream, to its end.</summary>
    public static Voice Load(Stream stream, AudioCodec? codec = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return Load(stream, codec, null);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{(Name.Length > 0 ? Name : "a voice")}: {Codes}";

    private static Voice Load(Stream stream, AudioCodec? codec, string? source)
    {
        Voice voice = VoiceFile.Read(stream, source);
        if (codec is not null)
            voice.CheckIsFor(codec, source);
        return voice;
    }

    // The rate is compared as a file keeps it.
    private void CheckIsFor(AudioCodec codec, string? source)
    {
        if (Codes.Codebooks != codec.Codebooks || CodebookSize != codec.CodebookSize || Math.Abs(Codes.FrameRate!.Value - codec.FrameRate) > 1e-6 * codec.FrameRate)
        {
            throw new VoiceFormatException(source, FormattableString.Invariant(
                $"is for a codec of {Codes.Codebooks} codebooks of {CodebookSize} codes at {Codes.FrameRate} frames a second; this one has {codec.Codebooks} of {codec.CodebookSize} at {codec.FrameRate}"));
        }
    }
}

/// <summary>A voice's file is not what it has to be: not a voice, cut, changed, of a later version, or for another codec. The message says which.</summary>
public sealed class VoiceFormatException : IOException
{
    internal VoiceFormatException(string? source, string problem, Exception? inner = null)
        : base($"{(source is null ? "The voice" : $"The voice '{source}'")} {problem}.", inner)
    {
    }
}
