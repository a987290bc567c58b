using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Semantic;

/// <summary>x + conv1(elu(conv(elu(x)))) (semantic_module.py, ResidualUnit).</summary>
internal sealed class SemanticResidualUnit(WeightReader reader, int width, int kernel, int dilation)
{
    private readonly Weight _conv1 = reader.Conv1d("conv1", width, width, kernel);
    private readonly Weight? _conv1Bias = reader.OptionalVector("conv1.bias", width);
    private readonly Weight _conv2 = reader.Conv1d("conv2", width, width, 1);
    private readonly Weight? _conv2Bias = reader.OptionalVector("conv2.bias", width);

    /// <param name="ops">The lane.</param>
    /// <param name="x">[frames, width]; becomes the result.</param>
    public void Forward(Backend ops, Matrix x)
    {
        using var scope = ops.Scratch();
        Matrix y = ops.Elu(x);
        Matrix z = ops.Conv1d(y, _conv1, _conv1Bias, Conv1dShape.Same(kernel, dilation));
        ops.Elu(z, into: z);
        ops.Add(x, ops.Conv1d(z, _conv2, _conv2Bias, new Conv1dShape(1), into: y));
    }
}

/// <summary>Residual units and a convolution, all at the same rate (semantic_module.py, EncoderBlock with stride 1).</summary>
internal sealed class SemanticBlock(WeightReader reader, SemanticBlockSizes sizes, SemanticEncoderConfig config)
{
    private static readonly Conv1dShape Shape = Conv1dShape.Same(3);   // not the configuration's kernel, see EncoderBlock

    private readonly SemanticResidualUnit[] _units = [.. config.Dilations.Select((dilation, i) =>
        new SemanticResidualUnit(reader.Scope($"res_units.{i}"), sizes.Inputs, config.UnitKernel, dilation))];
    private readonly Weight _conv = reader.Conv1d("conv", sizes.Outputs, sizes.Inputs, Shape.Kernel);
    private readonly Weight? _convBias = reader.OptionalVector("conv.bias", sizes.Outputs);

    /// <param name="ops">The lane.</param>
    /// <param name="x">[frames, inputs]; left undefined.</param>
    /// <param name="into">Where to put the result.</param>
    /// <returns>[frames, outputs]</returns>
    public Matrix Forward(Backend ops, Matrix x, Matrix into = default)
    {
        foreach (SemanticResidualUnit unit in _units)
            unit.Forward(ops, x);
        return ops.Conv1d(x, _conv, _convBias, Shape, into);
    }
}

/// <summary>Refines the semantic model's frames before they meet the acoustic ones (X-Codec, arXiv:2408.17175; semantic_module.py, Encoder).</summary>
internal sealed class SemanticEncoder(WeightReader reader, SemanticEncoderSizes sizes, SemanticEncoderConfig config)
{
    private readonly Weight _conv = reader.Conv1d("conv", sizes.Width, sizes.Inputs, config.Kernel);
    private readonly Weight? _convBias = reader.OptionalVector("conv.bias", sizes.Width);
    private readonly SemanticBlock[] _blocks =
        [.. sizes.Blocks.Select((block, i) => new SemanticBlock(reader.Scope($"conv_blocks.{i}"), block, config))];

    /// <param name="ops">The lane.</param>
    /// <param name="x">[frames, inputs]</param>
    /// <param name="into">[frames, outputs]: where to put the result.</param>
    public void Forward(Backend ops, Matrix x, Matrix into)
    {
        using var scope = ops.Scratch();
        Conv1dShape shape = Conv1dShape.Same(config.Kernel);
        Matrix y = ops.Conv1d(x, _conv, _convBias, shape, _blocks.Length == 0 ? into : default);
        for (int i = 0; i < _blocks.Length; i++)
            y = _blocks[i].Forward(ops, y, i == _blocks.Length - 1 ? into : default);
    }
}
