namespace HiggsAudio;

/// <summary>What an answer cost, in steps of the model: text tokens and columns of audio codes.</summary>
/// <param name="PromptTokens">Length of the prompt, with each clip of audio counted by its columns.</param>
/// <param name="CompletionTokens">Steps made: text tokens and columns of audio codes, the delay pattern's included.</param>
/// <param name="CachedTokens">How much of the prompt was not computed again.</param>
public readonly record struct Usage(int PromptTokens, int CompletionTokens, int CachedTokens = 0)
{
    /// <summary>Prompt and completion together.</summary>
    public int TotalTokens => PromptTokens + CompletionTokens;
}
