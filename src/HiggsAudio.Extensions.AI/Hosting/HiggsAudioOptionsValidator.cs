using Microsoft.Extensions.Options;

namespace HiggsAudio.Extensions.AI.Hosting;

/// <summary>Checks the options of one registration.</summary>
/// <param name="name">The options' name: the key of the registration, or empty.</param>
/// <param name="hasEngine">Whether the engine was handed in, so that nothing is loaded.</param>
internal sealed class HiggsAudioOptionsValidator(string name, bool hasEngine) : IValidateOptions<HiggsAudioOptions>
{
    public ValidateOptionsResult Validate(string? optionsName, HiggsAudioOptions options)
    {
        if (optionsName != name)
            return ValidateOptionsResult.Skip;
        var problems = new List<string>();
        if (!hasEngine && options.EngineFactory is null)
        {
            RequireSource(problems, nameof(HiggsAudioOptions.Model), options.Model, "bosonai/higgs-audio-v2-generation-3B-base");
            RequireSource(problems, nameof(HiggsAudioOptions.Codec), options.Codec, "bosonai/higgs-audio-v2-tokenizer");
        }
        if (options.MaxQueuedRequests < 0)
            problems.Add($"{Name(nameof(HiggsAudioOptions.MaxQueuedRequests))} must be 0 or more, found {options.MaxQueuedRequests}.");
        if (!Enum.IsDefined(options.Loading))
            problems.Add($"{Name(nameof(HiggsAudioOptions.Loading))} must be a member of the enumeration, found {options.Loading}.");
        if (options.VoicesFolder is not null && !Directory.Exists(options.VoicesFolder))
            problems.Add($"{Name(nameof(HiggsAudioOptions.VoicesFolder))}: there is no folder '{options.VoicesFolder}'.");
        foreach ((string voice, string description) in options.VoiceDescriptions)
            if (string.IsNullOrWhiteSpace(voice) || string.IsNullOrWhiteSpace(description))
                problems.Add($"{Name(nameof(HiggsAudioOptions.VoiceDescriptions))}: the name or the description of '{voice}' is empty.");
        Check(problems, () => options.ToEngineOptions().Validate());
        Check(problems, () => options.ToSpeakOptions().Validate());
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    // A path that cannot be a repository's name must exist.
    private static void RequireSource(List<string> problems, string property, string? value, string published)
    {
        if (string.IsNullOrWhiteSpace(value))
        {
            problems.Add($"{Name(property)} is not set: name a folder, or a repository of the Hub such as {published}, or set " +
                $"{nameof(HiggsAudioOptions.EngineFactory)} to make the engine another way. The weights are not part of this package.");
        }
        else if ((Path.IsPathRooted(value) || value[0] == '.') && !Directory.Exists(value))
            problems.Add($"{Name(property)}: there is no folder '{value}'.");
    }

    private static void Check(List<string> problems, Action validate)
    {
        try
        {
            validate();
        }
        catch (ArgumentException problem)
        {
            problems.Add(problem.Message);
        }
    }

    private static string Name(string property) => $"{HiggsAudioOptions.SectionName}:{property}";
}
