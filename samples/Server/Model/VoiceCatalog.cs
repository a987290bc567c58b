using HiggsAudio.Server.Http;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Model;

/// <summary>The voices of a request.</summary>
/// <param name="Speakers">How SPEAKER0, SPEAKER1 and so on sound; empty to let the model choose.</param>
/// <param name="Scene">Where they are recorded, if the voice says it.</param>
/// <param name="Frames">Frames of their recordings.</param>
internal sealed record ChosenVoices(IReadOnlyList<SpeakerPrompt> Speakers, string? Scene, int Frames);

/// <summary>
/// Voices by name: recordings of the library, described ones, and OpenAI's names, which stand for described ones so that programs written for OpenAI work.
/// </summary>
internal sealed class VoiceCatalog(VoiceLibrary library, IOptions<ServerOptions> options)
{
    private const int MostSpeakers = 8;
    private const string Feminine = "feminine", Masculine = "masculine", Default = "default";

    private static readonly Dictionary<string, string> Aliases = new(StringComparer.Ordinal)
    {
        ["alloy"] = Feminine,
        ["ash"] = Masculine,
        ["ballad"] = Masculine,
        ["cedar"] = Masculine,
        ["coral"] = Feminine,
        ["echo"] = Masculine,
        ["fable"] = Masculine,
        ["marin"] = Feminine,
        ["nova"] = Feminine,
        ["onyx"] = Masculine,
        ["sage"] = Feminine,
        ["shimmer"] = Feminine,
        ["verse"] = Masculine,
    };

    private readonly Dictionary<string, string> _described = Described(options.Value);

    /// <summary>The names, without OpenAI's.</summary>
    public IReadOnlyList<string> Names => [.. _described.Keys.Union(library.Names, StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <summary>Whether a name is taken by a voice that is not a recording.</summary>
    public bool IsReserved(string name) => name.Equals(Default, StringComparison.OrdinalIgnoreCase) || _described.ContainsKey(name) || Aliases.ContainsKey(name);

    /// <summary>The voices that a request names.</summary>
    /// <param name="names">A name, or several separated by commas; null or <c>default</c> for the model's choice.</param>
    /// <param name="param">The request's member, for the error.</param>
    /// <param name="cancellationToken">Ends the encoding of a recording.</param>
    /// <exception cref="ApiException">There is no such voice, or it cannot be read.</exception>
    public async Task<ChosenVoices> ChooseAsync(string? names, string param, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(names) || names == Default)
            return new ChosenVoices(options.Value.IsNano ? [SpeakerPrompt.FromProfile(Feminine)] : [], null, 0);
        string[] parts = names.Split(',', StringSplitOptions.TrimEntries);
        if (parts.Length > MostSpeakers)
            throw ApiException.Invalid($"A text has at most {MostSpeakers} voices, found {parts.Length}.", param);
        var speakers = new List<SpeakerPrompt>(parts.Length);
        string? scene = null;
        int frames = 0;
        IReadOnlyList<string> recordings = library.Names;
        foreach (string name in parts)
        {
            if (recordings.Contains(name, StringComparer.Ordinal))
            {
                Voice voice = await ReadAsync(name, param, cancellationToken);
                speakers.Add(voice.ToSpeakerPrompt());
                (scene, frames) = (scene ?? voice.Scene, frames + voice.Codes.Frames);
            }
            else if (_described.TryGetValue(Aliases.GetValueOrDefault(name, name), out string? description))
                speakers.Add(SpeakerPrompt.FromProfile(description));
            else
                throw Unknown(param);
        }
        return new ChosenVoices(speakers, scene, frames);
    }

    private async Task<Voice> ReadAsync(string name, string param, CancellationToken cancellationToken)
    {
        try
        {
            return await library.GetAsync(name, cancellationToken);
        }
        catch (ArgumentException)   // deleted a moment ago
        {
            throw Unknown(param);
        }
    }

    private ApiException Unknown(string param)
    {
        const int Most = 20;
        IReadOnlyList<string> known = Names;
        string rest = known.Count > Most ? $" and {known.Count - Most} more (GET /v1/audio/voices)" : "";
        return ApiException.Invalid($"There is no such voice; there are {string.Join(", ", known.Take(Most))}{rest}.", param, "voice_not_found");
    }

    private static Dictionary<string, string> Described(ServerOptions options)
    {
        IEnumerable<string> builtIn = options.IsNano ? NanoVoice.Voices : [Feminine, Masculine];
        var voices = builtIn.ToDictionary(name => name, StringComparer.Ordinal);
        if (!options.IsNano)
            foreach ((string name, string description) in options.DescribedVoices)
                voices[name] = description;
        return voices;
    }
}
