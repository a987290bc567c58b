namespace HiggsAudio;

/// <summary>How a text of any length is spoken. Immutable.</summary>
public sealed record SpeakOptions
{
    /// <summary>
    /// What the reference's examples/generation.py does: no division, all chunks as context, its sampling and trimming, and nothing that it has not
    /// (guards, pauses, fades). Set <see cref="Chunking"/> and <see cref="ChunkBufferSize"/> as its options.
    /// </summary>
    public static SpeakOptions Reference { get; } = new()
    {
        Generation = new GenerationOptions { Temperature = 1, TopK = 50, ReferenceTrimming = true },
        Chunking = new ChunkOptions { Method = ChunkMethod.None, MaxWords = 200 },
        ChunkBufferSize = null,
        PauseTags = false,
        FadeMilliseconds = 0,
        Guards = SpeechGuards.None,
    };

    /// <summary>
    /// How each chunk is generated; <see cref="GenerationOptions.MaxNewTokens"/> and <see cref="GenerationOptions.Seed"/> hold for each of them.
    /// By default a chunk is audio from the start and ends with its first segment.
    /// </summary>
    public GenerationOptions Generation { get; init; } = new() { ForceAudioGeneration = true, StopAtAudioEnd = true };

    /// <summary>Where and how the sound is recorded, such as "A quiet room."; null or empty for none.</summary>
    public string? Scene { get; init; }

    /// <summary>The voices of SPEAKER0, SPEAKER1 and so on: recordings or descriptions. Empty to let the model choose.</summary>
    public IReadOnlyList<SpeakerPrompt> Speakers { get; init; } = [];

    /// <summary>Whether recordings go into the system message rather than be earlier turns of the conversation. They do where any voice is a description.</summary>
    public bool ReferencesInSystemMessage { get; init; }

    /// <summary>
    /// Whether each speaker has a conversation of its own, with only its voice and its chunks and without tags. Voices then cannot mix, and a
    /// model that knows one voice at a time can speak dialogues; but a speaker does not hear what the others said. Needs chunks of one turn.
    /// </summary>
    public bool SeparateSpeakers { get; init; }

    /// <summary>Whether the text is cleaned first (<see cref="TranscriptNormalizer.Normalize"/>).</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Whether <c>&lt;break time="500ms"/&gt;</c> and <c>[pause 0.5]</c> in the text are silence, of at most 10 seconds, rather than be read.</summary>
    public bool PauseTags { get; init; } = true;

    /// <summary>Changes the text of each chunk just before the model reads it, such as into the spelling that a model was taught; null for none.</summary>
    public Func<string, string>? ChunkRewriter { get; init; }

    /// <summary>Where the text is divided into what the model reads at a time; by sentences by default.</summary>
    public ChunkOptions Chunking { get; init; } = new();

    /// <summary>
    /// How many of the last chunks, with the audio made of them, the model sees while it reads the next (the reference's
    /// generation_chunk_buffer_size), 0 or more: they keep voice and tone the same. Voices and scene are always kept. Null for as many as
    /// fit into <see cref="EngineOptions.MaxContextLength"/>, which gets slower the longer the text is.
    /// </summary>
    public int? ChunkBufferSize { get; init; } = 2;

    /// <summary>How the sound is cut into pieces, and how far the model may be ahead of the reader. Larger pieces cost less.</summary>
    public StreamOptions Streaming { get; init; } = new();

    /// <summary>How long sound fades in and out, in milliseconds, at the ends of the text and around pauses; 0 to 1000. Chunks are joined without.</summary>
    public double FadeMilliseconds { get; init; } = 5;

    /// <summary>
    /// The loudness of the whole in LUFS, −70 to 0 (see <see cref="Waveform.NormalizeLoudness"/>); null to leave it. It can only be measured at the end:
    /// all sound is kept until then, and comes in the last piece of a stream.
    /// </summary>
    public double? TargetLoudness { get; init; }

    /// <summary>Whether a chunk that went wrong is made again; off by default.</summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.Never;

    /// <summary>What ends a chunk that goes wrong.</summary>
    public SpeechGuards Guards { get; init; } = new();

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Generation.Validate();
        Streaming.Validate();
        Retry.Validate();
        Guards.Validate();
        Chunking.Validate();
        Require(Speakers is not null && !Speakers.Contains(null!), nameof(Speakers), "a list without null", "null");
        Require(ChunkBufferSize is null or >= 0, nameof(ChunkBufferSize), "null, 0 or more", ChunkBufferSize);
        Require(FadeMilliseconds is >= 0 and <= 1000, nameof(FadeMilliseconds), "between 0 and 1000", FadeMilliseconds);
        Require(TargetLoudness is null or (>= -70 and <= 0), nameof(TargetLoudness), "null, or between -70 and 0", TargetLoudness);
        bool oneTurn = Chunking.MaxTurns == 1 && (Chunking.Method is ChunkMethod.Sentence or ChunkMethod.Speaker);
        Require(!SeparateSpeakers || oneTurn, nameof(SeparateSpeakers), "false unless chunks are sentences or turns of one speaker", SeparateSpeakers);
    }

    private static void Require(bool satisfied, string name, string expected, object? found) =>
        OptionRange.Require(satisfied, nameof(SpeakOptions), name, expected, found);
}
