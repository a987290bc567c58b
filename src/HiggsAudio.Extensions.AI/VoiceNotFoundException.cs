namespace HiggsAudio.Extensions.AI;

/// <summary>There is no voice of the name that a caller asked for.</summary>
public sealed class VoiceNotFoundException : ArgumentException
{
    private const int MostListed = 50;

    /// <param name="voiceId">What was asked for.</param>
    /// <param name="voices">The voices that there are.</param>
    public VoiceNotFoundException(string voiceId, IReadOnlyList<string> voices)
        : base($"There is no voice '{voiceId}'; {List(voices)}.") => (VoiceId, Voices) = (voiceId, voices);

    /// <summary>What was asked for.</summary>
    public string VoiceId { get; }

    /// <summary>The voices that there are.</summary>
    public IReadOnlyList<string> Voices { get; }

    private static string List(IReadOnlyList<string> voices) => voices.Count == 0
        ? "there are none"
        : $"there are {string.Join(", ", voices.Take(MostListed))}{(voices.Count > MostListed ? $" and {voices.Count - MostListed} more" : "")}";
}
