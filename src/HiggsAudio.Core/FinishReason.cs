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

    /// <summary>It was cut because the text cannot take so long to say: see <see cref="SpeechGuards.FrameBudgetMargin"/>.</summary>
    FrameBudget,

    /// <summary>It was cut because the same frames came again and again: see <see cref="GenerationOptions.MaxLoopFrames"/>.</summary>
    Loop,

    /// <summary>It was cut because there was nothing to hear for too long: see <see cref="SpeechGuards.MaxSilence"/>.</summary>
    Silence,

    /// <summary>The model ended a chunk of a text without any sound.</summary>
    NoAudio,
}
