namespace HiggsAudio;

/// <summary>Why an answer ended.</summary>
public enum FinishReason
{
    /// <summary>The model ended its turn, or a stop string appeared.</summary>
    Stop,

    /// <summary>The model ended an audio segment, and <see cref="GenerationOptions.StopAtAudioEnd"/> was set.</summary>
    AudioEnd,

    /// <summary>It was cut by <see cref="GenerationOptions.MaxNewTokens"/>; the last words may be missing.</summary>
    Length,

    /// <summary>The caller cancelled it.</summary>
    Cancelled,
}
