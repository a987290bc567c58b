namespace HiggsAudio.Server.Contracts;

/// <summary>The voices.</summary>
/// <param name="Voices">Names, in alphabetical order.</param>
/// <param name="UploadedVoices">Those of them that were uploaded.</param>
internal sealed record VoiceList(IReadOnlyList<string> Voices, IReadOnlyList<UploadedVoice> UploadedVoices);

/// <summary>A voice that was uploaded.</summary>
internal sealed record UploadedVoice
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What was given as the speaker's consent.</summary>
    public string? Consent { get; init; }

    /// <summary>When it was uploaded, in seconds since 1970.</summary>
    public long CreatedAt { get; init; }

    /// <summary>Bytes of the recording.</summary>
    public long FileSize { get; init; }

    /// <summary>audio/wav.</summary>
    public string MimeType { get; init; } = "audio/wav";

    /// <summary>What is said in the recording.</summary>
    public string? RefText { get; init; }

    /// <summary>What the voice is like.</summary>
    public string? SpeakerDescription { get; init; }
}

/// <summary>A voice was uploaded.</summary>
/// <param name="Success">true.</param>
/// <param name="Voice">The voice.</param>
internal sealed record VoiceUploaded(bool Success, UploadedVoice Voice);

/// <summary>A voice was deleted.</summary>
/// <param name="Success">true.</param>
/// <param name="Message">For a person.</param>
internal sealed record VoiceDeleted(bool Success, string Message);
