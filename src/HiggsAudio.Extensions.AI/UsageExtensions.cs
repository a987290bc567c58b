using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI;

/// <summary>The engine's usage as that of Microsoft.Extensions.AI.</summary>
internal static class UsageExtensions
{
    /// <param name="usage">The engine's usage.</param>
    /// <param name="audioFrames">Frames of audio that were made (25 a second).</param>
    public static UsageDetails ToDetails(this Usage usage, int? audioFrames) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.TotalTokens,
        CachedInputTokenCount = usage.CachedTokens,
        OutputAudioTokenCount = audioFrames,
    };
}
