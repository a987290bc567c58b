using System.Text.RegularExpressions;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Testing.RandomModels;

/// <summary>
/// Collects the tensors of a codec under their names in one layout; the methods take legacy names. The transformers library's layout has
/// weight norm folded (except HuBERT's) and no mask embedding.
/// </summary>
/// <param name="layout">The layout.</param>
/// <param name="ratios">Number of blocks of the acoustic encoder and decoder.</param>
internal sealed partial class CodecTensorBuilder(CheckpointLayout layout, int ratios)
{
    private static readonly string[] UnitParts = ["snake1", "conv1", "snake2", "conv2"];

    public List<RandomTensor> Tensors { get; } = [];

    public void Normal(string name, long[] shape, float deviation) => Add(name, name, shape, RandomFill.Normal, deviation);

    public void Constant(string name, long[] shape, float value) => Add(name, name, shape, RandomFill.Constant, value);

    /// <summary>A weight [outputs, inputs …] that keeps the size of what it is multiplied with.</summary>
    public void Weight(string name, long[] shape) => Normal(name, shape, Deviation(shape[1..].Aggregate(1L, (product, d) => product * d)));

    public void Bias(string name, int width) => Normal(name, [width], 0.02f);

    public void Linear(string name, int outputs, int inputs)
    {
        Weight(name + ".weight", [outputs, inputs]);
        Bias(name + ".bias", outputs);
    }

    public void Norm(string name, int width)
    {
        Constant(name + ".weight", [width], 1);
        Bias(name + ".bias", width);
    }

    public void Alpha(string name, int width) => Constant(name + ".alpha", [1, width, 1], 1);

    public void ResidualUnit(string name, int width)
    {
        Alpha(name + "0", width);
        WeightNorm(name + "1", width, [width, width, 7]);
        Alpha(name + "2", width);
        WeightNorm(name + "3", width, [width, width, 1]);
    }

    /// <summary>A convolution with bias and weight norm over dimension 0.</summary>
    public void WeightNorm(string name, int outputs, long[] shape, long inputs = 0)
    {
        float deviation = Deviation(inputs > 0 ? inputs : shape[1] * shape[2]);
        Bias(name + ".bias", outputs);
        if (layout == CheckpointLayout.Legacy)
            Add(name + ".weight_g", name + ".weight_v", [shape[0], 1, 1], RandomFill.NormOf, deviation, shape);
        Add(layout == CheckpointLayout.Legacy ? name + ".weight_v" : name + ".weight", name + ".weight_v", shape, RandomFill.Normal, deviation);
    }

    /// <summary>A weight with weight norm over dimension 2, under torch's newer names.</summary>
    public void PositionConvolution(string name, long[] shape)
    {
        float deviation = Deviation(shape[1] * shape[2]);
        Add(name + "original0", name + "original1", [1, 1, shape[2]], RandomFill.NormOf, deviation, shape);
        Add(name + "original1", name + "original1", shape, RandomFill.Normal, deviation);
    }

    private static float Deviation(long inputs) => 1 / MathF.Sqrt(inputs);

    private void Add(string name, string source, long[] shape, RandomFill fill, float scale, long[]? of = null)
    {
        string? stored = layout == CheckpointLayout.Legacy ? name : HuggingFaceName(name);
        if (stored is not null)
            Tensors.Add(new RandomTensor(stored, source, TensorType.Float32, shape, fill, scale, of));
    }

    private string? HuggingFaceName(string name)
    {
        if (name == "semantic_model.masked_spec_embed")
            return null;
        if (Block().Match(name) is { Success: true } match)
            return BlockName(match.Groups[1].Value == "encoder.block", int.Parse(match.Groups[2].ValueSpan), match.Groups[3].Value);
        if (name.StartsWith("encoder_semantic.", StringComparison.Ordinal) || name.StartsWith("decoder_semantic.", StringComparison.Ordinal))
            return InnerConvolution().Replace(name, "$1.");
        return name.Replace("quantizer.vq.layers.", "quantizer.quantizers.").Replace("._codebook.", ".codebook.")
            .Replace("fc_prior.", "fc.").Replace("fc_post1.", "fc1.").Replace("fc_post2.", "fc2.");
    }

    private string BlockName(bool encoder, int block, string rest)
    {
        string side = encoder ? "acoustic_encoder." : "acoustic_decoder.";
        if (block == 0)
            return $"{side}conv1.{rest}";
        if (block > ratios)
            return $"{side}{(block == ratios + 1 ? "snake1" : "conv2")}.{rest}";
        string[] parts = rest.Split('.');          // block.K.block.J.x inside a residual unit, block.K.x outside
        int part = int.Parse(parts[1]);
        side += $"block.{block - 1}.";
        if (parts[2] == "block")
            return $"{side}res_unit{(encoder ? part + 1 : part - 1)}.{UnitParts[int.Parse(parts[3])]}.{parts[4]}";
        string outside = encoder ? part == 3 ? "snake1" : "conv1" : part == 0 ? "snake1" : "conv_t1";
        return $"{side}{outside}.{parts[2]}";
    }

    [GeneratedRegex(@"^(encoder\.block|decoder_2\.model)\.(\d+)\.(.*)$")]
    private static partial Regex Block();

    [GeneratedRegex(@"(conv\d?)\.conv\.")]
    private static partial Regex InnerConvolution();
}
