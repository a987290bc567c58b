using System.Text.Json;

namespace HiggsAudio.Server.Contracts;

/// <summary>A conversation to be continued: OpenAI's members, with top_k and the chunk sizes of Boson's vLLM.</summary>
internal sealed record ChatRequest
{
    /// <summary>The turns.</summary>
    public IReadOnlyList<ChatRequestMessage?>? Messages { get; init; }

    /// <summary>The model's name; the server has one.</summary>
    public string? Model { get; init; }

    /// <summary>text, audio, or both; by default text.</summary>
    public IReadOnlyList<string?>? Modalities { get; init; }

    /// <summary>The sound of the answer.</summary>
    public ChatAudioOptions? Audio { get; init; }

    /// <summary>Whether the answer begins with sound; by default if modalities is audio alone, and for the nano voice.</summary>
    public bool? ForceAudioGeneration { get; init; }

    /// <summary>0 to 2; 0 takes the likeliest always.</summary>
    public float? Temperature { get; init; }

    /// <summary>Above 0, up to 1.</summary>
    public float? TopP { get; init; }

    /// <summary>Draws from so many most likely; 0 or -1 from all.</summary>
    public int? TopK { get; init; }

    /// <summary>The same seed gives the same answer.</summary>
    public long? Seed { get; init; }

    /// <summary>Most steps: text tokens and columns of audio, 25 a second.</summary>
    public int? MaxCompletionTokens { get; init; }

    /// <summary>As max_completion_tokens.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Texts that end the answer: one, or a list.</summary>
    public StopTexts? Stop { get; init; }

    /// <summary>Whether the answer comes as events.</summary>
    public bool? Stream { get; init; }

    /// <summary>What else the stream holds.</summary>
    public ChatStreamOptions? StreamOptions { get; init; }

    /// <summary>How many answers; 1.</summary>
    public int? N { get; init; }

    /// <summary>Not supported.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Not supported.</summary>
    public bool? Logprobs { get; init; }

    /// <summary>Not supported but as 0.</summary>
    public float? FrequencyPenalty { get; init; }

    /// <summary>Not supported but as 0.</summary>
    public float? PresencePenalty { get; init; }
}

/// <summary>A turn.</summary>
internal sealed record ChatRequestMessage
{
    /// <summary>system, developer, user or assistant.</summary>
    public string? Role { get; init; }

    /// <summary>A text, or a list of parts.</summary>
    public ChatContent? Content { get; init; }

    /// <summary>An earlier answer's sound, by its id.</summary>
    public ChatAudioReference? Audio { get; init; }
}

/// <summary>A part of a turn.</summary>
internal sealed record ChatPart
{
    /// <summary>text or input_audio.</summary>
    public string? Type { get; init; }

    /// <summary>The text.</summary>
    public string? Text { get; init; }

    /// <summary>The sound.</summary>
    public ChatInputAudio? InputAudio { get; init; }
}

/// <summary>Sound that is sent.</summary>
internal sealed record ChatInputAudio
{
    /// <summary>The bytes; Base64.</summary>
    public byte[]? Data { get; init; }

    /// <summary>wav, or pcm16 (24 kHz, 16 bit, little-endian, mono).</summary>
    public string? Format { get; init; }
}

/// <summary>The sound of the answer.</summary>
internal sealed record ChatAudioOptions
{
    /// <summary>wav or pcm16; a stream is pcm16 always.</summary>
    public string? Format { get; init; }

    /// <summary>A voice of /v1/audio/voices.</summary>
    public string? Voice { get; init; }

    /// <summary>Frames (40 ms) of a piece of a stream.</summary>
    public int? AudioChunkSize { get; init; }
}

/// <summary>An earlier answer's sound.</summary>
internal sealed record ChatAudioReference
{
    /// <summary>The id that the answer came with.</summary>
    public string? Id { get; init; }
}

/// <summary>What else a stream holds.</summary>
internal sealed record ChatStreamOptions
{
    /// <summary>Whether the last event says what the answer cost.</summary>
    public bool? IncludeUsage { get; init; }
}
