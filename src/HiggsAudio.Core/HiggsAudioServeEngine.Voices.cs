using HiggsAudio.Generation;
using HiggsAudio.Prompts;
using HiggsAudio.Serving;

namespace HiggsAudio;

public sealed partial class HiggsAudioServeEngine
{
    /// <summary>Makes a voice of a recording: encodes it, once.</summary>
    /// <param name="recording">One voice; some 5 to 30 seconds, of any sampling rate.</param>
    /// <param name="transcript">What is said in it, word for word.</param>
    /// <param name="name">What to call the voice.</param>
    /// <param name="scene">Where and how it is recorded, such as "A quiet room."; null for nothing.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ArgumentException">The recording is empty or too long (about 20 minutes).</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public async Task<Voice> CreateVoiceAsync(Waveform recording, string transcript, string name = "", string? scene = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recording);
        ArgumentNullException.ThrowIfNull(transcript);
        ArgumentNullException.ThrowIfNull(name);
        ObjectDisposedException.ThrowIf(_disposed, this);
        AudioCodes codes = await Codec.EncodeAsync(recording, cancellationToken).ConfigureAwait(false);
        return Voice.FromCodes(codes, Codec, transcript, name, scene);
    }

    /// <summary>Makes a voice of an audio file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="transcript">What is said in it, word for word.</param>
    /// <param name="name">What to call the voice; null for the file's name.</param>
    /// <param name="scene">Where and how it is recorded.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="AudioFormatException">The file is broken or of a kind that is not read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <inheritdoc cref="CreateVoiceAsync(Waveform, string, string, string?, CancellationToken)" path="/exception"/>
    public Task<Voice> CreateVoiceAsync(string path, string transcript, string? name = null, string? scene = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return CreateVoiceAsync(Waveform.Load(path), transcript, name ?? Path.GetFileNameWithoutExtension(path), scene, cancellationToken);
    }

    /// <summary>Makes a voice of an audio file in a stream, which is left open.</summary>
    /// <inheritdoc cref="CreateVoiceAsync(Waveform, string, string, string?, CancellationToken)" path="/param"/>
    /// <inheritdoc cref="CreateVoiceAsync(string, string, string?, string?, CancellationToken)" path="/exception"/>
    public Task<Voice> CreateVoiceAsync(Stream recording, string transcript, string name = "", string? scene = null, CancellationToken cancellationToken = default) =>
        CreateVoiceAsync(Waveform.Load(recording), transcript, name, scene, cancellationToken);

    /// <summary>Reads a voice that was saved and checks that it is for this engine's codec.</summary>
    /// <param name="path">The file.</param>
    /// <inheritdoc cref="Voice.Load(string, AudioCodec?)" path="/exception"/>
    public Voice LoadVoice(string path) => Voice.Load(path, Codec);

    /// <summary>
    /// Computes a voice's messages now, so that the first answer with it starts sooner. Nothing else changes: the first answer would do it
    /// otherwise. In vain if <see cref="EngineOptions.PrefixCacheBytes"/> has no room for it.
    /// </summary>
    /// <param name="voice">The voice.</param>
    /// <param name="scene">Another scene than the voice's; empty for none.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public async Task PrepareVoiceAsync(Voice voice, string? scene = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(voice);
        // One step that draws nothing: the BOS with which audio begins.
        var sample = new ChatMLSample([.. voice.ToMessages(scene), new Message(Message.User)]);
        await GenerateAsync(sample, new GenerationOptions { ForceAudioGeneration = true, MaxNewTokens = 1 }, null, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Begins a conversation.</summary>
    /// <param name="messages">What comes first: a system message, a voice's messages (<see cref="Voice.ToMessages"/>), earlier turns; may be none.</param>
    /// <exception cref="ArgumentException">A message is null.</exception>
    public ChatSession CreateChatSession(params IEnumerable<Message> messages) => new(this, messages);

    /// <summary>Lets go of what is kept for a conversation.</summary>
    internal void Release(PrefixOwner owner) => _scheduler.Release(owner);

    /// <summary>The message with its audio encoded.</summary>
    internal Message WithCodes(Message message, int index, CancellationToken cancellationToken)
    {
        PromptRowKind kind = message.Role == Message.Assistant ? PromptRowKind.AudioOut : PromptRowKind.AudioIn;
        if (!message.Content.Any(content => content is AudioContent { Codes: null }))
            return message;
        MessageContent[] encoded = [.. message.Content.Select(content => content is AudioContent audio
            ? AudioContent.FromCodes(CodesOf(new PromptAudio(audio, kind, index), cancellationToken))
            : content)];
        return new Message(message.Role, encoded) { Recipient = message.Recipient };
    }

    /// <summary>An answer that has ended as the assistant's turn: its text without special tokens, and its audio, in order.</summary>
    internal Message ToMessage(Answer answer)
    {
        GenerationState state = answer.Request.State;
        var contents = new List<MessageContent>();
        var text = new List<int>();
        int segment = 0;
        foreach (int token in state.TextTokens)
        {
            if (token != _specialTokens.AudioOut || segment == state.Segments)
            {
                text.Add(token);
                continue;
            }
            AddText();
            int[,] frames = DelayPattern.Frames(state.Segment(segment++), Codec.CodebookSize);
            if (frames.GetLength(1) > 0)
                contents.Add(AudioContent.FromCodes(AudioCodes.FromArray(frames, Codec.FrameRate)));
        }
        AddText();
        return new Message(Message.Assistant, contents);

        void AddText()
        {
            string decoded = Tokenizer.Decode([.. text], skipSpecialTokens: true);
            text.Clear();
            if (decoded.Length > 0)
                contents.Add(decoded);
        }
    }
}
