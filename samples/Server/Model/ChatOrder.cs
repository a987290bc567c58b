using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Http;

namespace HiggsAudio.Server.Model;

/// <summary>A chat request whose values, but for the messages, are known to be good.</summary>
internal sealed record ChatOrder
{
    private const int MostStops = 16, LongestStop = 200;

    /// <summary>How to generate.</summary>
    public required GenerationOptions Generation { get; init; }

    /// <summary>How the sound is cut.</summary>
    public required StreamOptions Pieces { get; init; }

    /// <summary>Whether sound is wanted.</summary>
    public bool WithAudio { get; init; }

    /// <summary>How the sound of a whole answer is sent.</summary>
    public SoundFormat Format { get; init; }

    /// <summary>The voice's name.</summary>
    public string? Voice { get; init; }

    /// <summary>Whether the answer comes as events.</summary>
    public bool IsStream { get; init; }

    /// <summary>Whether a stream ends with what it cost.</summary>
    public bool IncludeUsage { get; init; }

    /// <summary>Checks a request.</summary>
    /// <exception cref="ApiException">A value is not one that is allowed.</exception>
    public static ChatOrder Read(ChatRequest request, ServerOptions options)
    {
        RefuseUnsupported(request);
        bool audio = ReadModalities(request.Modalities, out bool text);
        if (request.Audio is not null && !audio)
            throw ApiException.Invalid("audio needs \"audio\" among the modalities.", "modalities");
        if (request.Audio?.Voice?.Length > 1000)
            throw ApiException.Invalid("There is no such voice.", "audio.voice", "voice_not_found");
        (int?, string) tokens = request.MaxCompletionTokens is null ? (request.MaxTokens, "max_tokens") : (request.MaxCompletionTokens, "max_completion_tokens");
        GenerationOptions generation = Sampling.Read(request.Temperature, request.TopP, request.TopK, request.Seed, tokens, options.Limits);
        StreamOptions pieces = Sampling.ReadPieces(request.Audio?.AudioChunkSize, null, "audio.audio_chunk_size", "");
        bool stream = request.Stream == true;
        return new ChatOrder
        {
            Generation = generation with
            {
                ForceAudioGeneration = audio && (request.ForceAudioGeneration ?? (!text || options.IsNano)),
                StopStrings = [.. generation.StopStrings, .. ReadStops(request.Stop)],
            },
            Pieces = stream ? pieces : SpeechPlanner.WholePieces,
            WithAudio = audio,
            Format = Sound.Parse(request.Audio?.Format, "audio.format"),
            Voice = request.Audio?.Voice,
            IsStream = stream,
            IncludeUsage = request.StreamOptions?.IncludeUsage == true,
        };
    }

    private static bool ReadModalities(IReadOnlyList<string?>? modalities, out bool text)
    {
        text = modalities is null || modalities.Contains("text");
        if (modalities is [] || modalities?.Any(modality => modality is not ("text" or "audio")) == true)
            throw ApiException.Invalid("modalities is a list of \"text\" and \"audio\".", "modalities");
        return modalities?.Contains("audio") == true;
    }

    private static string[] ReadStops(StopTexts? stop)
    {
        if (stop is null)
            return [];
        if (stop.Texts.Count > MostStops || stop.Texts.Any(text => text is not { Length: > 0 and <= LongestStop }))
            throw ApiException.Invalid($"stop is a text, or a list of at most {MostStops}, of 1 to {LongestStop} characters.", "stop");
        return [.. stop.Texts!];
    }

    private static void RefuseUnsupported(ChatRequest request)
    {
        if (request.N is not (null or 1))
            throw Unsupported("n", "An answer at a time is made: n is 1.");
        if (request.Tools is { ValueKind: not System.Text.Json.JsonValueKind.Null } tools && !(tools.ValueKind == System.Text.Json.JsonValueKind.Array && tools.GetArrayLength() == 0))
            throw Unsupported("tools", "The model calls no tools.");
        if (request.Logprobs == true)
            throw Unsupported("logprobs", "Probabilities are not given.");
        if (request.FrequencyPenalty is not (null or 0))
            throw Unsupported("frequency_penalty", "There are no penalties.");
        if (request.PresencePenalty is not (null or 0))
            throw Unsupported("presence_penalty", "There are no penalties.");
    }

    private static ApiException Unsupported(string param, string message) => ApiException.Invalid(message, param, "unsupported_parameter");
}
