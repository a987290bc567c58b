using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Testing.RandomModels;

/// <summary>The two layouts in which the models are published.</summary>
public enum CheckpointLayout
{
    /// <summary>The reference's (boson_multimodal).</summary>
    Legacy,

    /// <summary>That of the transformers library.</summary>
    HuggingFace,
}

/// <summary>What the values of a random tensor are.</summary>
public enum RandomFill
{
    /// <summary>Normally distributed around 0.</summary>
    Normal,

    /// <summary>All the same.</summary>
    Constant,

    /// <summary>Weight norm's gain: the norms of another tensor, so that folding gives that tensor.</summary>
    NormOf,
}

/// <summary>A tensor of a random checkpoint. Its values follow from the seed and its legacy name, so both layouts hold the same network.</summary>
/// <param name="Name">Its name in the layout.</param>
/// <param name="Source">Its legacy name; for <see cref="RandomFill.NormOf"/> that of the other tensor.</param>
/// <param name="Type">32-bit float or bfloat16.</param>
/// <param name="Shape">Dimensions.</param>
/// <param name="Fill">What its values are.</param>
/// <param name="Scale">Standard deviation (of the other tensor for norms), or the constant.</param>
/// <param name="Of">The shape of the other tensor, for norms.</param>
public sealed record RandomTensor(string Name, string Source, TensorType Type, long[] Shape, RandomFill Fill, float Scale, long[]? Of = null)
{
    public TensorPlan Plan => new(Name, Type, Shape);

    public long Count => Shape.Aggregate(1L, (product, d) => product * d);
}
