using System.Text.Json;
using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI;

/// <summary>
/// What <see cref="TextToSpeechOptions.RawRepresentationFactory"/> may give <see cref="HiggsAudioRemoteClient"/>: what servers of some kinds take beside the voice and
/// the text. Null is not sent. Immutable.
/// </summary>
public sealed record HiggsAudioRemoteSpeechOptions
{
    /// <summary>A recording of the voice, as a WAV file, for <see cref="HiggsAudioServerDialect.VllmOmni"/> and <see cref="HiggsAudioServerDialect.SglangOmni"/>.</summary>
    public ReadOnlyMemory<byte>? ReferenceAudio { get; init; }

    /// <summary>What is said in <see cref="ReferenceAudio"/>.</summary>
    public string? ReferenceText { get; init; }

    /// <summary>How to speak, in words, where a server takes it.</summary>
    public string? Instructions { get; init; }

    /// <summary>Members of the request's JSON that have no property here, by name.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Extra { get; init; }
}
