using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI;

/// <summary>
/// What <see cref="ChatOptions.RawRepresentationFactory"/> may give <see cref="HiggsAudioChatClient"/>: how to generate, and what sound is encoded as. It
/// replaces the registration's defaults. Immutable.
/// </summary>
public sealed record HiggsAudioChatOptions
{
    /// <summary>How to generate.</summary>
    public GenerationOptions Generation { get; init; } = new();

    /// <summary>The format of sound, as <see cref="TextToSpeechOptions.AudioFormat"/>: null for wav, and pcm where the answer is streamed.</summary>
    public string? AudioFormat { get; init; }

    /// <summary>How sound is cut into pieces where the answer is streamed.</summary>
    public StreamOptions Streaming { get; init; } = new();
}
