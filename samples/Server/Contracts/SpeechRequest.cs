namespace HiggsAudio.Server.Contracts;

/// <summary>A text to be spoken: OpenAI's members, with those of Boson's vLLM and of vllm-omni.</summary>
internal sealed record SpeechRequest
{
    /// <summary>The text. It may hold [SPEAKER0] tags, sound events such as [laugh], and pauses such as [pause 0.5].</summary>
    public string? Input { get; init; }

    /// <summary>The model's name; the server has one.</summary>
    public string? Model { get; init; }

    /// <summary>A voice of /v1/audio/voices; several, separated by commas, for SPEAKER0, SPEAKER1 and so on.</summary>
    public string? Voice { get; init; }

    /// <summary>How to speak; becomes part of the scene.</summary>
    public string? Instructions { get; init; }

    /// <summary>Where and how the sound is recorded.</summary>
    public string? Scene { get; init; }

    /// <summary>wav (default) or pcm (16 bit, little-endian, mono).</summary>
    public string? ResponseFormat { get; init; }

    /// <summary>How many times as fast the sound is, 0.5 to 2; the pitch stays.</summary>
    public float? Speed { get; init; }

    /// <summary>0 to 2; 0 takes the likeliest always.</summary>
    public float? Temperature { get; init; }

    /// <summary>Above 0, up to 1.</summary>
    public float? TopP { get; init; }

    /// <summary>Draws from so many most likely; 0 or -1 from all.</summary>
    public int? TopK { get; init; }

    /// <summary>The same seed gives the same sound.</summary>
    public long? Seed { get; init; }

    /// <summary>Most steps (25 a second) of each chunk of the text.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>As max_tokens.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>audio: bytes as they are made; sse: events with Base64.</summary>
    public string? StreamFormat { get; init; }

    /// <summary>true is stream_format sse.</summary>
    public bool? Stream { get; init; }

    /// <summary>A voice for this request alone: a WAV file as data: URL.</summary>
    public string? RefAudio { get; init; }

    /// <summary>What is said in ref_audio, word for word.</summary>
    public string? RefText { get; init; }

    /// <summary>Frames (40 ms) of a piece of a stream.</summary>
    public int? AudioChunkSize { get; init; }

    /// <summary>Frames (40 ms) of the first piece of a stream.</summary>
    public int? InitialCodecChunkFrames { get; init; }
}
