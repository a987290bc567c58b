using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI;

/// <summary>The options of sampling that have no property in <see cref="TextToSpeechOptions"/>, by the names that servers give them.</summary>
internal static class SamplingProperties
{
    public const string Temperature = "temperature", TopP = "top_p", TopK = "top_k", Seed = "seed", MaxTokens = "max_tokens";

    /// <summary>The options with what the properties say.</summary>
    public static GenerationOptions Apply(GenerationOptions options, AdditionalPropertiesDictionary? properties) => properties is null ? options : options with
    {
        Temperature = Get<float>(properties, Temperature) ?? options.Temperature,
        TopP = Get<float>(properties, TopP) ?? options.TopP,
        TopK = Get<int>(properties, TopK) ?? options.TopK,
        Seed = Get<long>(properties, Seed) ?? options.Seed,
        MaxNewTokens = Get<int>(properties, MaxTokens) ?? options.MaxNewTokens,
    };

    /// <summary>A number among the properties; null if there is none of the name.</summary>
    /// <exception cref="ArgumentException">It is there, but no such number.</exception>
    public static T? Get<T>(AdditionalPropertiesDictionary? properties, string name) where T : struct
    {
        if (properties is null || !properties.TryGetValue(name, out object? value) || value is null)
            return null;
        return properties.TryGetValue(name, out T number)
            ? number
            : throw new ArgumentException($"The additional property '{name}' must be a number ({typeof(T).Name}), found '{value}'.");
    }
}
