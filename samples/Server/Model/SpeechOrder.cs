using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Http;

namespace HiggsAudio.Server.Model;

/// <summary>How an answer travels.</summary>
internal enum Delivery
{
    /// <summary>When it is complete.</summary>
    Whole,

    /// <summary>Bytes as they are made.</summary>
    Bytes,

    /// <summary>Events.</summary>
    Events,
}

/// <summary>A speech request whose values are known to be good.</summary>
internal sealed record SpeechOrder
{
    private const float LeastSpeed = 0.5f, MostSpeed = 2;

    /// <summary>The text.</summary>
    public required string Text { get; init; }

    /// <summary>Names of voices; null for the default.</summary>
    public string? Voice { get; init; }

    /// <summary>A voice for this request alone.</summary>
    public Waveform? Recording { get; init; }

    /// <summary>What is said in it.</summary>
    public string? Transcript { get; init; }

    /// <summary>The scene that the request names.</summary>
    public string? Scene { get; init; }

    /// <summary>How to speak.</summary>
    public string? Instructions { get; init; }

    /// <summary>How to generate.</summary>
    public required GenerationOptions Generation { get; init; }

    /// <summary>How a stream is cut.</summary>
    public required StreamOptions Pieces { get; init; }

    /// <summary>How the sound is sent.</summary>
    public SoundFormat Format { get; init; }

    /// <summary>How the answer travels.</summary>
    public Delivery Delivery { get; init; }

    /// <summary>How fast the sound is played.</summary>
    public float Speed { get; init; } = 1;

    /// <summary>Checks a request.</summary>
    /// <exception cref="ApiException">A value is missing, or not one that is allowed.</exception>
    public static SpeechOrder Read(SpeechRequest request, LimitOptions limits)
    {
        if (string.IsNullOrWhiteSpace(request.Input))
            throw ApiException.Invalid("input is the text to speak, and missing or empty.", "input", "missing_value");
        CheckLength(request.Input, "input", limits.TextCharacters);
        CheckLength(request.Instructions, "instructions", limits.TextCharacters);
        CheckLength(request.Scene, "scene", limits.TextCharacters);
        CheckLength(request.RefText, "ref_text", limits.TextCharacters);
        CheckLength(request.Voice, "voice", 1000);
        if (request.Speed is { } speed && !(speed is >= LeastSpeed and <= MostSpeed))
            throw ApiException.Invalid(FormattableString.Invariant($"speed must be between {LeastSpeed} and {MostSpeed}."), "speed");
        if (request.RefAudio is not null && string.IsNullOrWhiteSpace(request.RefText))
            throw ApiException.Invalid("ref_audio needs ref_text: what is said in it, word for word.", "ref_text", "missing_value");
        SoundFormat format = Sound.Parse(request.ResponseFormat, "response_format");
        return new SpeechOrder
        {
            Text = request.Input,
            Voice = request.Voice,
            Recording = request.RefAudio is null ? null : AudioInput.ReadDataUrl(request.RefAudio, limits.AudioSeconds, "ref_audio"),
            Transcript = request.RefText,
            Scene = request.Scene,
            Instructions = request.Instructions,
            Generation = Sampling.Read(request.Temperature, request.TopP, request.TopK, request.Seed,
                request.MaxTokens is null ? (request.MaxNewTokens, "max_new_tokens") : (request.MaxTokens, "max_tokens"), limits),
            Pieces = Sampling.ReadPieces(request.AudioChunkSize, request.InitialCodecChunkFrames, "audio_chunk_size", "initial_codec_chunk_frames"),
            Format = format,
            Delivery = ReadDelivery(request, format),
            Speed = request.Speed ?? 1,
        };
    }

    // Samples without a header are for those who play them at once, and come at once, as from OpenAI.
    private static Delivery ReadDelivery(SpeechRequest request, SoundFormat format) => (request.StreamFormat, request.Stream) switch
    {
        ("audio", _) => Delivery.Bytes,
        ("sse", _) or (null, true) => Delivery.Events,
        (null, false) => Delivery.Whole,
        (null, null) => format == SoundFormat.Pcm ? Delivery.Bytes : Delivery.Whole,
        _ => throw ApiException.Invalid("stream_format is audio or sse.", "stream_format"),
    };

    private static void CheckLength(string? text, string param, int most)
    {
        if (text?.Length > most)
            throw ApiException.Invalid($"{param} has {text.Length} characters; {most} are allowed.", param, "string_above_max_length");
    }
}
