namespace HiggsAudio.Generation;

/// <summary>What the model is fed next.</summary>
internal enum StepInput
{
    /// <summary>The prompt, whole.</summary>
    Prompt,

    /// <summary>One text token.</summary>
    Text,

    /// <summary>One column of audio codes.</summary>
    Audio,
}

/// <summary>Which logits of the next forward are needed, of the last row.</summary>
internal enum StepLogits
{
    /// <summary>None; the forward itself is needed, for the KV cache.</summary>
    None,

    /// <summary>[vocabulary].</summary>
    Text,

    /// <summary>[codebooks, codebook size + 2].</summary>
    Audio,
}

/// <summary>What a step made.</summary>
internal enum StepResult
{
    /// <summary>A text token.</summary>
    Text,

    /// <summary>A segment began: its column of BOS.</summary>
    AudioInit,

    /// <summary>A column of audio codes.</summary>
    Audio,

    /// <summary>The last column of a segment; <c>&lt;|audio_eos|&gt;</c> is fed next.</summary>
    AudioEnd,
}
