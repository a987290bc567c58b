using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>Another checkpoint's tensors under other names; a null name leaves a tensor out.</summary>
internal sealed class RenamedCheckpoint(Checkpoint checkpoint, Func<string, string?> rename, params (string Name, string Of)[] more) : Checkpoint
{
    public override string Path => checkpoint.Path;

    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; } =
        checkpoint.Tensors.Where(t => rename(t.Key) is not null).Select(t => (Name: rename(t.Key)!, Of: t.Key))
            .Concat(more).ToDictionary(t => t.Name, t => checkpoint.Tensors[t.Of]);

    public override IReadOnlyDictionary<string, string> Metadata => checkpoint.Metadata;

    /// <summary>The name that transformers' own layout has for a tensor of the legacy one.</summary>
    public static string ToNative(string legacy) => legacy switch
    {
        "audio_codebook_embeddings.weight" => "model.embed_audio_tokens.embed_audio_tokens.weight",
        _ when legacy.StartsWith("audio_decoder_proj.", StringComparison.Ordinal) => legacy["audio_decoder_proj.".Length..],
        _ => "model." + legacy,
    };

    protected override void Dispose(bool disposing)
    {
    }
}
