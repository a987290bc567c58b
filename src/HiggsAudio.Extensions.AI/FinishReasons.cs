using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI;

/// <summary>The engine's reasons as those of Microsoft.Extensions.AI.</summary>
internal static class FinishReasons
{
    /// <summary>The additional property that has the engine's own reason.</summary>
    public const string Property = "higgs_audio.finish_reason";

    public static ChatFinishReason ToChat(this FinishReason reason) => reason switch
    {
        FinishReason.Stop or FinishReason.AudioEnd => ChatFinishReason.Stop,
        FinishReason.Cancelled => new ChatFinishReason("cancelled"),
        _ => ChatFinishReason.Length,   // cut: by its length, or by a guard
    };
}
