namespace HiggsAudio.Semantic;

/// <summary>
/// What the configuration of the semantic model (transformers' HubertConfig) says that its tensors do not, and the sizes it states.
/// </summary>
internal sealed record HubertConfig
{
    /// <summary>HuBERT base (arXiv:2106.07447): what the published codec contains.</summary>
    public static HubertConfig Base { get; } = new();

    /// <summary>Strides of the feature extractor's convolutions.</summary>
    public int[] Strides { get; init; } = [5, 2, 2, 2, 2, 2, 2];

    /// <summary>Attention heads.</summary>
    public int Heads { get; init; } = 12;

    /// <summary>Epsilon of the layer norms.</summary>
    public float LayerNormEpsilon { get; init; } = 1e-5f;

    /// <summary>Stated width of the hidden states.</summary>
    public StatedSize? Width { get; init; }

    /// <summary>Stated number of layers.</summary>
    public StatedSize? Layers { get; init; }

    /// <summary>Stated width inside the feed-forward part.</summary>
    public StatedSize? FeedForwardWidth { get; init; }

    /// <summary>Stated kernel of the positional convolution.</summary>
    public StatedSize? PositionKernel { get; init; }

    /// <summary>Stated groups of the positional convolution.</summary>
    public StatedSize? PositionGroups { get; init; }

    /// <summary>Stated widths of the feature extractor's convolutions; null if not stated.</summary>
    public int[]? ConvolutionWidths { get; init; }

    /// <summary>Stated kernels of the feature extractor's convolutions; null if not stated.</summary>
    public int[]? ConvolutionKernels { get; init; }

    /// <summary>Reads the model's configuration.</summary>
    /// <exception cref="Compute.Checkpoints.CheckpointException">A value is broken, or asks for a variant that is not supported.</exception>
    public static HubertConfig Parse(JsonConfig json)
    {
        Refuse(json, json.Text("model_type"), "model_type", "hubert");
        Refuse(json, json.Text("hidden_act"), "hidden_act", "gelu");
        Refuse(json, json.Text("feat_extract_activation"), "feat_extract_activation", "gelu");
        Refuse(json, json.Text("feat_extract_norm"), "feat_extract_norm", "group");
        Refuse(json, json.Flag("do_stable_layer_norm"), "do_stable_layer_norm", false);
        Refuse(json, json.Flag("conv_pos_batch_norm"), "conv_pos_batch_norm", false);
        return new HubertConfig
        {
            Strides = json.Numbers("conv_stride", 1, 100, mostItems: 100) ?? Base.Strides,
            Heads = json.Number("num_attention_heads", 1, 10_000) ?? Base.Heads,
            LayerNormEpsilon = (float)(json.Real("layer_norm_eps", 0, 1) ?? Base.LayerNormEpsilon),
            Width = json.Size("hidden_size"),
            Layers = json.Size("num_hidden_layers"),
            FeedForwardWidth = json.Size("intermediate_size"),
            PositionKernel = json.Size("num_conv_pos_embeddings"),
            PositionGroups = json.Size("num_conv_pos_embedding_groups"),
            ConvolutionWidths = json.Numbers("conv_dim", 1, int.MaxValue, mostItems: 100),
            ConvolutionKernels = json.Numbers("conv_kernel", 1, int.MaxValue, mostItems: 100),
        };
    }

    private static void Refuse<T>(JsonConfig json, T? found, string key, T supported)
    {
        if (found is not null && !found.Equals(supported))
            throw json.Error($"\"{key}\" of the semantic model is {found}, only {supported} is supported");
    }
}
