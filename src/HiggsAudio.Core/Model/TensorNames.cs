using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>
/// The names of the language model's tensors. Canonical are those of the legacy layout, the heads without their prefix:
/// <c>embed_tokens</c>, <c>audio_codebook_embeddings</c>, <c>layers.N.…</c>, <c>norm</c>, <c>text_lm_head</c>, <c>audio_lm_head</c>.
/// </summary>
internal static class TensorNames
{
    /// <summary>The canonical name of a stored tensor of either layout; null for tensors that are not needed for inference.</summary>
    public static string? Canonical(string stored)
    {
        string name = stored.StartsWith("model.", StringComparison.Ordinal) ? stored["model.".Length..] : stored;
        name = Rename(name, "embed_audio_tokens.embed_audio_tokens.", "audio_codebook_embeddings.");
        name = Rename(name, "audio_decoder_proj.", "");
        return IsIgnored(name) ? null : name;
    }

    /// <summary>Says which other model a checkpoint holds, if it is one that is easily mistaken for the language model.</summary>
    /// <exception cref="CheckpointException">It holds another model.</exception>
    public static void RefuseOtherModels(Checkpoint checkpoint)
    {
        foreach (string name in checkpoint.Tensors.Keys)
        {
            string? other = name.StartsWith("tied.embedding.", StringComparison.Ordinal) || name.StartsWith("body.layers.", StringComparison.Ordinal)
                ? "Higgs Audio v3, another architecture"
                : name.StartsWith("quantizer.", StringComparison.Ordinal) || name.StartsWith("semantic_model.", StringComparison.Ordinal)
                ? "the codec (audio tokenizer)"
                : null;
            if (other is not null)
                throw new CheckpointException(checkpoint.Path, name, $"belongs to {other}; the language model of Higgs Audio v2 was expected");
        }
    }

    /// <summary>
    /// A weight that fine-tuning may have split by rows into <c>{name}.{kind}_frozen.weight</c> and <c>{name}.{kind}_trainable.weight</c>.
    /// </summary>
    public static Weight Splittable(WeightReader weights, string name, string kind, int rows, int columns, WeightUse use)
    {
        (string frozen, string trainable) = Parts(name, kind);
        if (!weights.Has(frozen))
            return weights.Stacked([$"{name}.weight"], [rows], columns, use);
        int first = (int)Math.Clamp(RowsOf(weights, frozen), 0, rows);
        return weights.Stacked([frozen, trainable], [first, rows - first], columns, use, madeName: $"{name}.weight");
    }

    /// <summary>The stored rows of such a weight; 0 if it is missing.</summary>
    public static long RowsOfSplittable(WeightReader weights, string name, string kind)
    {
        (string frozen, string trainable) = Parts(name, kind);
        return RowsOf(weights, $"{name}.weight") is var whole and > 0 ? whole : RowsOf(weights, frozen) + RowsOf(weights, trainable);
    }

    private static (string Frozen, string Trainable) Parts(string name, string kind) => ($"{name}.{kind}_frozen.weight", $"{name}.{kind}_trainable.weight");

    private static long RowsOf(WeightReader weights, string name) =>
        weights.Has(name) && weights.ShapeOf(name) is { Length: > 0 } shape ? shape[0] : 0;

    private static string Rename(string name, string prefix, string replacement) =>
        name.StartsWith(prefix, StringComparison.Ordinal) ? replacement + name[prefix.Length..] : name;

    // Buffers that some exports store, training's loss weights, and the Whisper tower, which inference does not run (audio is given as codes).
    private static bool IsIgnored(string name) =>
        name is "audio_codebook_weights" or "embed_audio_tokens.audio_tokens_offsets"
        || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)
        || name.StartsWith("audio_tower.", StringComparison.Ordinal)
        || name.StartsWith("audio_encoder_proj.", StringComparison.Ordinal);
}
