using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>
/// Which format each tensor of the language model is kept in. Embeddings and the audio head stay as they are stored: fewer bits in them made
/// other ports fall silent. With 4 bits in the layers, the text head, which is read for text steps only, has 8, and so have the projections of
/// the values: they are 3 % of what a step reads, and a ninth of the error (docs/performance.md).
/// </summary>
/// <param name="format">The format of the layers and the text head.</param>
/// <param name="overrides">Formats by canonical name of a tensor, or of a part of the model such as <c>layers.0.self_attn</c>; the longest name counts.</param>
internal sealed class QuantizationPlan(WeightFormat format, IReadOnlyDictionary<string, WeightFormat>? overrides = null)
{
    /// <summary>The format of a tensor.</summary>
    /// <param name="name">Its canonical name.</param>
    public WeightFormat FormatOf(string name)
    {
        string? longest = null;
        foreach (string part in overrides?.Keys ?? [])
            if (Covers(part, name) && part.Length > (longest?.Length ?? 0))
                longest = part;
        return longest is null ? Default(name) : overrides![longest];
    }

    /// <summary>Checks that every override is about a tensor of the checkpoint.</summary>
    /// <exception cref="ArgumentException">One is not; the message names it.</exception>
    public void Check(Checkpoint checkpoint)
    {
        foreach ((string part, WeightFormat wanted) in overrides ?? new Dictionary<string, WeightFormat>())
        {
            if (!Enum.IsDefined(wanted))
                throw new ArgumentException($"The weight format of '{part}' must be a member of the enumeration, found {wanted}.");
            if (!checkpoint.Tensors.Keys.Any(stored => TensorNames.Canonical(stored) is { } name && Covers(part, name)))
                throw new ArgumentException($"A weight format was given for '{part}', but '{checkpoint.Path}' has no tensor of that name.");
        }
    }

    private WeightFormat Default(string name) =>
        Covers("embed_tokens", name) || Covers("audio_codebook_embeddings", name) || Covers("audio_lm_head", name) ? WeightFormat.AsStored
        : format == WeightFormat.Int4 && (Covers("text_lm_head", name) || name.Contains(".v_proj.", StringComparison.Ordinal)) ? WeightFormat.Int8
        : format;

    private static bool Covers(string part, string name) =>
        name.StartsWith(part, StringComparison.Ordinal) && (name.Length == part.Length || name[part.Length] == '.');
}
