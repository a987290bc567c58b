using HiggsAudio.Acoustic;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Semantic;

/// <summary>
/// The semantic model: HuBERT (arXiv:2106.07447; modeling_hubert.py with group norm and post-layer norm). It hears the whole clip: the
/// first convolution is normalised over all of it, and every frame attends to every other.
/// </summary>
internal sealed class Hubert
{
    private const float GroupNormEpsilon = 1e-5f;   // torch's default

    private readonly HubertSizes _sizes;
    private readonly float _epsilon;
    private readonly int[] _strides;
    private readonly Weight[] _convolutions;
    private readonly Weight?[] _convolutionBiases;
    private readonly Weight _groupNorm;
    private readonly Weight _groupNormBias;
    private readonly Weight? _featureNorm;
    private readonly Weight? _featureNormBias;
    private readonly Weight _projection;
    private readonly Weight _projectionBias;
    private readonly Weight[] _positions;
    private readonly Weight[] _positionBiases;
    private readonly Weight _norm;
    private readonly Weight _normBias;
    private readonly HubertLayer[] _layers;

    public Hubert(WeightReader reader, HubertSizes sizes, HubertConfig config)
    {
        (_sizes, _epsilon, _strides) = (sizes, config.LayerNormEpsilon, config.Strides);
        WeightReader extractor = reader.Scope("feature_extractor.conv_layers"), projection = reader.Scope("feature_projection");
        WeightReader encoder = reader.Scope("encoder");
        int[] widths = sizes.ConvolutionWidths;
        (int features, int width) = (widths[^1], sizes.Width);

        _convolutions = [.. widths.Select((w, i) => extractor.Conv1d($"{i}.conv", w, i == 0 ? 1 : widths[i - 1], sizes.ConvolutionKernels[i]))];
        _convolutionBiases = [.. widths.Select((w, i) => extractor.OptionalVector($"{i}.conv.bias", w))];
        _groupNorm = extractor.Vector("0.layer_norm.weight", widths[0]);
        _groupNormBias = extractor.Vector("0.layer_norm.bias", widths[0]);
        _featureNorm = projection.OptionalVector("layer_norm.weight", features);
        _featureNormBias = _featureNorm is null ? null : projection.Vector("layer_norm.bias", features);
        _projection = projection.Linear("projection", width, features);
        _projectionBias = projection.Vector("projection.bias", width);
        _positions = encoder.GroupedConv1d("pos_conv_embed.conv", width, width, sizes.PositionKernel, sizes.PositionGroups);
        _positionBiases = encoder.GroupedVector("pos_conv_embed.conv.bias", width, sizes.PositionGroups);
        _norm = encoder.Vector("layer_norm.weight", width);
        _normBias = encoder.Vector("layer_norm.bias", width);
        _layers = [.. Enumerable.Range(0, sizes.Layers)
            .Select(i => new HubertLayer(encoder.Scope($"layers.{i}"), width, sizes.FeedForwardWidth, config.Heads, _epsilon))];
    }

    /// <summary>More samples than this make an activation of more values than can be counted.</summary>
    public int MostSamples => (int)Math.Min(int.MaxValue - 10_000, (long)int.MaxValue / _sizes.ConvolutionWidths.Max() * _strides[0]) - 1000;

    /// <summary>Frames that a number of samples gives; 0 if they are too few.</summary>
    public int Frames(int samples)
    {
        int rows = samples;
        for (int i = 0; i < _convolutions.Length; i++)
            rows = ConvolutionShape(i).OutputRows(rows);
        return rows;
    }

    /// <summary>The mean of all hidden states: the input of the first layer, and the output of every layer.</summary>
    /// <param name="ops">The lane.</param>
    /// <param name="x">[samples, 1]</param>
    /// <param name="padding">Zero samples to imagine before and after.</param>
    /// <param name="cancellationToken">Ends the work between layers.</param>
    /// <returns>[Frames(samples + 2 * padding), width]</returns>
    public Matrix Forward(Backend ops, Matrix x, int padding, CancellationToken cancellationToken)
    {
        int frames = Frames(x.Rows + 2 * padding);
        Matrix mean = ops.Empty(frames, _sizes.Width);
        using var scope = ops.Scratch();
        Matrix hidden = ops.Empty(frames, _sizes.Width);
        ProjectFeatures(ops, x, padding, hidden);
        AddPositions(ops, hidden);
        ops.LayerNorm(hidden, _norm, _normBias, _epsilon, into: hidden);
        ops.Observe("hubert_hidden_first", 0, hidden);
        ops.Copy(hidden, into: mean);
        foreach (HubertLayer layer in _layers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            layer.Forward(ops, hidden);
            ops.Add(mean, hidden);
        }
        ops.Observe("hubert_hidden_last", _layers.Length, hidden);
        ops.Scale(mean, 1f / (_layers.Length + 1));
        ops.Observe("hubert_hidden_mean", 0, mean);
        return mean;
    }

    private void ProjectFeatures(Backend ops, Matrix x, int padding, Matrix hidden)
    {
        using var scope = ops.Scratch();
        Matrix features = ExtractFeatures(ops, x, padding);
        ops.Observe("hubert_conv_features", 0, features);
        if (_featureNorm is not null)
            ops.LayerNorm(features, _featureNorm, _featureNormBias!, _epsilon, into: features);
        ops.Linear(features, _projection, _projectionBias, into: hidden);
    }

    // Strided convolutions with GELU, the first one normalised per channel over the clip.
    private Matrix ExtractFeatures(Backend ops, Matrix x, int padding)
    {
        int[] widths = _sizes.ConvolutionWidths;
        Conv1dShape shape = ConvolutionShape(0) with { PaddingLeft = padding, PaddingRight = padding };
        long rows = shape.OutputRows(x.Rows), most = rows * widths[0], nextMost = 1;
        for (int i = 1; i < widths.Length; i++)
        {
            rows = ConvolutionShape(i).OutputRows((int)rows);
            nextMost = Math.Max(nextMost, rows * widths[i]);
        }
        Room current = new(ops, Math.Max(most, nextMost)), next = new(ops, nextMost);
        Matrix y = x;
        for (int i = 0; i < widths.Length; i++)
        {
            y = ops.Conv1d(y, _convolutions[i], _convolutionBiases[i], shape, into: current.As(shape.OutputRows(y.Rows), widths[i]));
            if (i == 0)
                ops.GroupNorm(y, widths[0], _groupNorm, _groupNormBias, GroupNormEpsilon, into: y);
            ops.Gelu(y, into: y);
            (current, next) = (next, current);
            shape = i + 1 < widths.Length ? ConvolutionShape(i + 1) : shape;
        }
        return y;
    }

    // hidden += gelu(convolution in groups over time): a wide, relative position embedding.
    private void AddPositions(Backend ops, Matrix hidden)
    {
        using var scope = ops.Scratch();
        Matrix positions = ops.Empty(hidden.Rows, hidden.Columns);
        (int groups, int kernel) = (_positions.Length, _sizes.PositionKernel);
        int size = hidden.Columns / groups;
        var shape = new Conv1dShape(kernel, PaddingLeft: kernel / 2, PaddingRight: (kernel - 1) / 2);   // an even kernel's last row is dropped
        for (int g = 0; g < groups; g++)
            ops.Conv1d(hidden.Slice(g * size, size), _positions[g], _positionBiases[g], shape, into: positions.Slice(g * size, size));
        ops.Gelu(positions, into: positions);
        ops.Add(hidden, positions);
    }

    private Conv1dShape ConvolutionShape(int i) => new(_sizes.ConvolutionKernels[i], _strides[i]);
}
