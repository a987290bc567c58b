using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Semantic;

namespace HiggsAudio;

/// <summary>
/// The codec's tensors by their canonical names: tells the sizes of the network, which no configuration file has to state, and says
/// which tensor contradicts which key of those that do.
/// </summary>
internal sealed class CodecTensors
{
    // A width or kernel beyond this is a broken file, not a codec; products of two still fit an int's range of bytes to allocate.
    private const long LargestDimension = 1 << 16;

    // Plain, with weight norm under torch's two names, and the first group of a packed one.
    private static readonly string[] ConvolutionSuffixes = [".weight", ".weight_v", ".parametrizations.weight.original1", ".weight.0"];

    private readonly Dictionary<string, CheckpointTensor> _tensors = [];
    private readonly Checkpoint _checkpoint;

    public CodecTensors(Checkpoint checkpoint, AudioCodecConfig config, bool decodeOnly)
    {
        _checkpoint = checkpoint;
        foreach ((string stored, CheckpointTensor tensor) in checkpoint.Tensors)
            if (CodecTensorNames.Canonical(stored) is { } name)
                _tensors.TryAdd(name, tensor);
        RefuseOtherModels();
        Quantizer = ReadQuantizer(config);
        Decoder = ReadDecoder(config);
        if (decodeOnly)
            return;
        if (!_tensors.Keys.Any(name => name.StartsWith("acoustic_encoder.", StringComparison.Ordinal)))
            throw new CheckpointException(checkpoint.Path, null, "has no encoder: it can only decode (AudioCodecOptions.DecodeOnly)");
        (Encoder, Hubert, SemanticEncoder) = (ReadEncoder(config), ReadHubert(config.Hubert), ReadSemanticEncoder(config));
        CheckMerge(config);
    }

    public QuantizerSizes Quantizer { get; }

    public AcousticSizes Decoder { get; }

    public AcousticSizes? Encoder { get; }

    public HubertSizes? Hubert { get; }

    public SemanticEncoderSizes? SemanticEncoder { get; }

    private QuantizerSizes ReadQuantizer(AudioCodecConfig config)
    {
        (string embed, string projection, string post) = ("quantizer.quantizers.0.codebook.embed", "quantizer.quantizers.0.project_out.weight", "fc2.weight");
        ReadOnlySpan<long> first = Shape(embed, 2);
        int codebooks = Count(i => $"quantizer.quantizers.{i}.codebook.embed");
        Check(embed, "entries", first[0], config.CodebookSize);
        if (config.Codebooks is { } stated && stated.Value != codebooks)
            throw Error(embed, $"there are {codebooks} codebooks, but \"{stated.Key}\" is {stated.Value} in {config.Path}");
        Check(embed, "columns", first[1], config.CodebookWidth);
        long width = _tensors.ContainsKey(projection) ? Shape(projection, 2)[0] : first[1];
        if (Shape(post, 2)[1] != width)
            throw Error(post, $"has {Shape(post, 2)[1]} inputs, but the quantizer's width is {width}");
        return new QuantizerSizes(codebooks, (int)first[0], (int)first[1], (int)width);
    }

    private AcousticSizes ReadDecoder(AudioCodecConfig config)
    {
        string first = ConvolutionName("acoustic_decoder.conv1");
        ReadOnlySpan<long> shape = Shape(first, 3);
        Check(first, "outputs", shape[0], config.DecoderWidth);
        Check(first, "inputs", shape[1], config.LatentWidth);
        CheckRatios("acoustic_decoder.block", "conv_t1", config.UpsamplingRatios);
        if (shape[0] >> config.UpsamplingRatios.Length < 1)
            throw Error(first, $"{shape[0]} outputs cannot be halved {config.UpsamplingRatios.Length} times, once per ratio of {config.Path}");
        return new AcousticSizes((int)shape[0], (int)shape[1]);
    }

    private AcousticSizes ReadEncoder(AudioCodecConfig config)
    {
        (string first, string last) = (ConvolutionName("acoustic_encoder.conv1"), ConvolutionName("acoustic_encoder.conv2"));
        long width = Shape(first, 3)[0], latent = Shape(last, 3)[0];
        Check(first, "outputs", width, config.EncoderWidth);
        Check(last, "outputs", latent, config.LatentWidth);
        CheckRatios("acoustic_encoder.block", "conv1", config.DownsamplingRatios);
        return new AcousticSizes((int)width, (int)latent);
    }

    private void CheckRatios(string block, string convolution, int[] ratios)
    {
        for (int i = 0; i < ratios.Length; i++)
        {
            string name = ConvolutionName($"{block}.{i}.{convolution}");
            long kernel = Shape(name, 3)[2];
            if (kernel != 2 * ratios[i])
                throw Error(name, $"its kernel of {kernel} is not that of ratio {i}, {ratios[i]}: {2 * ratios[i]} was expected");
        }
        int blocks = Count(i => $"{block}.{i}.snake1.alpha");
        if (blocks != ratios.Length)
            throw Error($"{block}.0.snake1.alpha", $"there are {blocks} blocks, but the configuration has {ratios.Length} ratios");
    }

    private HubertSizes ReadHubert(HubertConfig config)
    {
        const string Features = "semantic_model.feature_extractor.conv_layers";
        const string Layer = "semantic_model.encoder.layers.0.feed_forward.intermediate_dense.weight";
        int convolutions = Count(i => $"{Features}.{i}.conv.weight"), layers = Count(i => $"semantic_model.encoder.layers.{i}.layer_norm.weight");
        if (convolutions != config.Strides.Length)
            throw Error($"{Features}.0.conv.weight", $"there are {convolutions} convolutions, but \"conv_stride\" has {config.Strides.Length} strides");
        var (widths, kernels) = (new int[convolutions], new int[convolutions]);
        for (int i = 0; i < convolutions; i++)
        {
            string name = $"{Features}.{i}.conv.weight";
            ReadOnlySpan<long> shape = Shape(name, 3);
            (widths[i], kernels[i]) = ((int)shape[0], (int)shape[2]);
            Check(name, "outputs", widths[i], Stated(config.ConvolutionWidths, "conv_dim", i));
            Check(name, "taps", kernels[i], Stated(config.ConvolutionKernels, "conv_kernel", i));
        }
        string position = ConvolutionName("semantic_model.encoder.pos_conv_embed.conv");
        ReadOnlySpan<long> positional = Shape(position, 3);
        (long width, long perGroup) = (positional[0], positional[1]);
        if (width % perGroup != 0 || width % config.Heads != 0)
            throw Error(position, $"{width} features are not whole groups of {perGroup}, or not {config.Heads} equal attention heads");
        Check(position, "outputs", width, config.Width);
        Check(position, "taps", positional[2], config.PositionKernel);
        Check(position, "groups", width / perGroup, config.PositionGroups);
        Check("semantic_model.encoder.layer_norm.weight", "layers", layers, config.Layers);
        long feedForward = layers == 0 ? 0 : Shape(Layer, 2)[0];
        if (layers > 0)
            Check(Layer, "outputs", feedForward, config.FeedForwardWidth);
        return new HubertSizes(widths, kernels, (int)width, layers, (int)feedForward, (int)positional[2], (int)(width / perGroup));
    }

    private SemanticEncoderSizes ReadSemanticEncoder(AudioCodecConfig config)
    {
        const string Blocks = "encoder_semantic.conv_blocks";
        ReadOnlySpan<long> first = Shape("encoder_semantic.conv.weight", 3);
        var blocks = new SemanticBlockSizes[Count(i => $"{Blocks}.{i}.conv.weight")];
        for (int i = 0; i < blocks.Length; i++)
        {
            int units = Count(u => $"{Blocks}.{i}.res_units.{u}.conv1.weight");
            if (units != config.SemanticEncoder.Dilations.Length)
                throw Error($"{Blocks}.{i}.conv.weight", $"its block has {units} residual units, expected {config.SemanticEncoder.Dilations.Length}");
            ReadOnlySpan<long> conv = Shape($"{Blocks}.{i}.conv.weight", 3);
            blocks[i] = new SemanticBlockSizes((int)conv[1], (int)conv[0]);
        }
        return new SemanticEncoderSizes((int)first[1], (int)first[0], blocks);
    }

    private void CheckMerge(AudioCodecConfig config)
    {
        long merged = Encoder!.Latent + SemanticEncoder!.Outputs;
        if (SemanticEncoder.Inputs != Hubert!.Width)
            throw Error("encoder_semantic.conv.weight", $"has {SemanticEncoder.Inputs} inputs, but the semantic model's width is {Hubert.Width}");
        if (Shape("fc.weight", 2)[1] != merged)
            throw Error("fc.weight", $"has {Shape("fc.weight", 2)[1]} inputs, but the acoustic and semantic encoders give {merged} features");
        if (config.VqScale is { } scale && Math.Floor(merged / scale) != Quantizer.Width)
            throw Error("fc.weight", $"the quantizer's width is {Quantizer.Width}, but {merged} features by \"vq_scale\" {scale} give {Math.Floor(merged / scale)}");
    }

    private void RefuseOtherModels()
    {
        if (_tensors.ContainsKey("quantizer.quantizers.0.codebook.embed"))
            return;
        if (_tensors.Keys.Any(name => name.StartsWith("tied.embedding.", StringComparison.Ordinal) || name.StartsWith("body.layers.", StringComparison.Ordinal)))
            throw new CheckpointException(_checkpoint.Path, null, "holds the tensors of Higgs Audio v3, another architecture; only the v2 codec is supported");
        if (_tensors.Keys.Any(name => name.Contains("audio_codebook_embeddings", StringComparison.Ordinal)
                || name.Contains("embed_audio_tokens", StringComparison.Ordinal) || name.Contains("self_attn", StringComparison.Ordinal)))
            throw new CheckpointException(_checkpoint.Path, null,
                "holds the tensors of the language model, not of the codec. The hub repository bosonai/higgs-audio-v2-tokenizer had the wrong "
                + "file (11.5 GB) for a while: download its revision 403fbacf2f60caaa102f893fdfabb694619b2417 (model.safetensors, 806 MB), "
                + "or 9d4988fbd4ad07b4cac3a5fa462741a41810dbec (model.pth)");
        throw new CheckpointException(_checkpoint.Path, null, $"has no codebooks (such as quantizer.vq.layers.0._codebook.embed) among its {_checkpoint.Tensors.Count} tensors: it is not a codec");
    }

    private string ConvolutionName(string name)
    {
        foreach (string suffix in ConvolutionSuffixes)
            if (_tensors.ContainsKey(name + suffix))
                return name + suffix;
        return name + ConvolutionSuffixes[0];
    }

    private ReadOnlySpan<long> Shape(string name, int dimensions)
    {
        if (!_tensors.TryGetValue(name, out CheckpointTensor? tensor))
            throw new CheckpointException(_checkpoint.Path, name, "is missing");
        if (tensor.OriginalShape.Length != dimensions)
            throw Error(name, $"has {tensor.OriginalShape.Length} dimensions, expected {dimensions}");
        foreach (long d in tensor.OriginalShape)
            if (d is < 1 or > LargestDimension)
                throw Error(name, $"has a dimension of {d}");
        return tensor.OriginalShape;
    }

    private int Count(Func<int, string> name)
    {
        int count = 0;
        while (_tensors.ContainsKey(name(count)))
            count++;
        return count;
    }

    private static StatedSize? Stated(int[]? values, string key, int index) =>
        values is null ? null : new StatedSize($"{key}[{index}]", index < values.Length ? values[index] : 0);

    private void Check(string name, string what, long found, StatedSize? stated)
    {
        if (stated is { } size && size.Value != found)
            throw Error(name, $"{what}: {found}, but the configuration says \"{size.Key}\": {size.Value}");
    }

    // Under the stored name, so that it can be looked up in the file.
    private CheckpointException Error(string name, string problem) =>
        new(_checkpoint.Path, _tensors.TryGetValue(name, out CheckpointTensor? tensor) ? tensor.Name : name, problem);
}

/// <summary>Widths of an acoustic encoder (its first layer's) or decoder (likewise), and of the latent between them.</summary>
internal sealed record AcousticSizes(int Width, int Latent);

/// <summary>The quantizer: codebooks of entries of a width, within vectors of the quantizer's width.</summary>
internal sealed record QuantizerSizes(int Codebooks, int CodebookSize, int CodebookWidth, int Width);

/// <summary>The semantic model.</summary>
internal sealed record HubertSizes(int[] ConvolutionWidths, int[] ConvolutionKernels, int Width, int Layers, int FeedForwardWidth, int PositionKernel, int PositionGroups);

/// <summary>The semantic encoder.</summary>
internal sealed record SemanticEncoderSizes(int Inputs, int Width, SemanticBlockSizes[] Blocks)
{
    /// <summary>Width of its result.</summary>
    public int Outputs => Blocks.Length == 0 ? Width : Blocks[^1].Outputs;
}

/// <summary>A block of the semantic encoder.</summary>
internal sealed record SemanticBlockSizes(int Inputs, int Outputs);
