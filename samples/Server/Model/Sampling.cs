using HiggsAudio.Server.Http;

namespace HiggsAudio.Server.Model;

/// <summary>Reads how to generate from a request's numbers.</summary>
internal static class Sampling
{
    private const float LeastTemperature = 0.001f, MostTemperature = 2;

    /// <summary>The options that the numbers ask for; the engine's own where there is none.</summary>
    /// <exception cref="ApiException">A number is out of its range.</exception>
    public static GenerationOptions Read(float? temperature, float? topP, int? topK, long? seed, (int? Value, string Name) maxTokens, LimitOptions limits)
    {
        if (temperature is { } t && !(t is 0 or (>= LeastTemperature and <= MostTemperature)))
            throw ApiException.Invalid("temperature must be 0, or between 0.001 and 2.", "temperature");
        if (topP is { } p && !(p is > 0 and <= 1))
            throw ApiException.Invalid("top_p must be above 0, and 1 or less.", "top_p");
        if (topK is < -1)
            throw ApiException.Invalid("top_k must be -1 or 0 (all), or more.", "top_k");
        if (maxTokens.Value is { } most && (most < 1 || most > limits.Tokens))
            throw ApiException.Invalid($"{maxTokens.Name} must be between 1 and {limits.Tokens}.", maxTokens.Name);
        var options = new GenerationOptions { Seed = seed, TopK = topK switch { null => 50, -1 => null, _ => topK } };
        return options with
        {
            Temperature = temperature ?? options.Temperature,
            TopP = topP ?? options.TopP,
            MaxNewTokens = maxTokens.Value ?? Math.Min(options.MaxNewTokens, limits.Tokens),
        };
    }

    /// <summary>Reads the frames of a stream's pieces.</summary>
    /// <exception cref="ApiException">A number is out of its range.</exception>
    public static StreamOptions ReadPieces(int? frames, int? firstFrames, string param, string firstParam)
    {
        const int Most = 250;
        if (frames is < 1 or > Most)
            throw ApiException.Invalid($"{param} must be between 1 and {Most}.", param);
        if (firstFrames is < 1 or > Most)
            throw ApiException.Invalid($"{firstParam} must be between 1 and {Most}.", firstParam);
        return new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = firstFrames ?? 4, ChunkFrames = frames ?? 15, LowLatencyStart = true } };
    }
}
