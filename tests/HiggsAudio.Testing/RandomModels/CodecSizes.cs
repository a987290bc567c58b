namespace HiggsAudio.Testing.RandomModels;

/// <summary>The sizes of a codec (24 kHz, HuBERT-like semantic model) and its tensors in both layouts.</summary>
public sealed record CodecSizes(int EncoderWidth, int DecoderWidth, int Latent, int Semantic, int SemanticLayers, int SemanticHeads, int SemanticIntermediate, int ConvolutionWidth, int CodebookWidth)
{
    private const int PositionKernel = 128, PositionGroups = 16, Codebooks = 8, Codes = 1024;

    private static readonly int[] Ratios = [8, 5, 4, 2, 3];
    private static readonly int[] ConvolutionKernels = [10, 3, 3, 3, 3, 2, 2];

    public static CodecSizes Published { get; } = new(64, 1024, 256, 768, 12, 12, 3072, 512, 64);

    /// <summary>A small one with the published frame rate and codebooks.</summary>
    public static CodecSizes Tiny { get; } = new(4, 64, 32, 32, 2, 2, 64, 16, 8);

    /// <summary>All tensors.</summary>
    public List<RandomTensor> Tensors(CheckpointLayout layout)
    {
        var builder = new CodecTensorBuilder(layout, Ratios.Length);
        Encoder(builder);
        Decoder(builder);
        SemanticModel(builder);
        SemanticBlocks(builder);
        int both = Latent + Semantic;
        for (int i = 0; i < Codebooks; i++)
        {
            string layer = $"quantizer.vq.layers.{i}.";
            builder.Linear(layer + "project_in", CodebookWidth, both);
            builder.Linear(layer + "project_out", both, CodebookWidth);
            builder.Normal(layer + "_codebook.embed", [Codes, CodebookWidth], 1);
            builder.Constant(layer + "_codebook.embed_avg", [Codes, CodebookWidth], 0);
            builder.Constant(layer + "_codebook.cluster_size", [Codes], 1);
            builder.Constant(layer + "_codebook.inited", [1], 1);
        }
        builder.Linear("fc_prior", both, both);
        builder.Linear("fc_post1", Semantic, both);
        builder.Linear("fc_post2", Latent, both);
        return builder.Tensors;
    }

    private void Encoder(CodecTensorBuilder builder)
    {
        int width = EncoderWidth;
        builder.WeightNorm("encoder.block.0", width, [width, 1, 7]);
        for (int b = 1; b <= Ratios.Length; b++, width *= 2)
        {
            string block = $"encoder.block.{b}.block.";
            for (int unit = 0; unit < 3; unit++)
                builder.ResidualUnit($"{block}{unit}.block.", width);
            builder.Alpha(block + "3", width);
            builder.WeightNorm(block + "4", 2 * width, [2 * width, width, 2 * Ratios[b - 1]]);
        }
        builder.Alpha($"encoder.block.{Ratios.Length + 1}", width);
        builder.WeightNorm($"encoder.block.{Ratios.Length + 2}", Latent, [Latent, width, 3]);
    }

    private void Decoder(CodecTensorBuilder builder)
    {
        int width = DecoderWidth;
        builder.WeightNorm("decoder_2.model.0", width, [width, Latent, 7]);
        for (int b = 1; b <= Ratios.Length; b++, width /= 2)
        {
            string block = $"decoder_2.model.{b}.block.";
            builder.Alpha(block + "0", width);
            builder.WeightNorm(block + "1", width / 2, [width, width / 2, 2 * Ratios[b - 1]], inputs: 2 * width);   // two taps reach every output
            for (int unit = 2; unit < 5; unit++)
                builder.ResidualUnit($"{block}{unit}.block.", width / 2);
        }
        builder.Alpha($"decoder_2.model.{Ratios.Length + 1}", width);
        builder.WeightNorm($"decoder_2.model.{Ratios.Length + 2}", 1, [1, width, 7]);
    }

    private void SemanticModel(CodecTensorBuilder builder)
    {
        builder.Constant("semantic_model.masked_spec_embed", [Semantic], 0);
        for (int i = 0; i < ConvolutionKernels.Length; i++)
            builder.Weight($"semantic_model.feature_extractor.conv_layers.{i}.conv.weight", [ConvolutionWidth, i == 0 ? 1 : ConvolutionWidth, ConvolutionKernels[i]]);
        builder.Norm("semantic_model.feature_extractor.conv_layers.0.layer_norm", ConvolutionWidth);
        builder.Norm("semantic_model.feature_projection.layer_norm", ConvolutionWidth);
        builder.Linear("semantic_model.feature_projection.projection", Semantic, ConvolutionWidth);
        builder.Bias("semantic_model.encoder.pos_conv_embed.conv.bias", Semantic);
        builder.PositionConvolution("semantic_model.encoder.pos_conv_embed.conv.parametrizations.weight.", [Semantic, Semantic / PositionGroups, PositionKernel]);
        builder.Norm("semantic_model.encoder.layer_norm", Semantic);
        for (int i = 0; i < SemanticLayers; i++)
        {
            string layer = $"semantic_model.encoder.layers.{i}.";
            foreach (string projection in new[] { "k", "v", "q", "out" })
                builder.Linear($"{layer}attention.{projection}_proj", Semantic, Semantic);
            builder.Norm(layer + "layer_norm", Semantic);
            builder.Linear(layer + "feed_forward.intermediate_dense", SemanticIntermediate, Semantic);
            builder.Linear(layer + "feed_forward.output_dense", Semantic, SemanticIntermediate);
            builder.Norm(layer + "final_layer_norm", Semantic);
        }
    }

    private void SemanticBlocks(CodecTensorBuilder builder)
    {
        long[] three = [Semantic, Semantic, 3], one = [Semantic, Semantic, 1];
        builder.Weight("encoder_semantic.conv.conv.weight", three);
        builder.Weight("decoder_semantic.conv1.conv.weight", three);
        builder.Weight("decoder_semantic.conv2.conv.weight", three);
        foreach (string side in new[] { "encoder_semantic", "decoder_semantic" })
            for (int b = 0; b < 2; b++)
            {
                string block = $"{side}.conv_blocks.{b}.";
                for (int unit = 0; unit < 2; unit++)
                {
                    builder.Weight($"{block}res_units.{unit}.conv1.conv.weight", three);
                    builder.Weight($"{block}res_units.{unit}.conv2.weight", one);
                }
                builder.Weight(block + "conv.conv.weight", three);
                builder.Bias(block + "conv.conv.bias", Semantic);
            }
    }

    /// <summary>The text of config.json.</summary>
    public string Config(CheckpointLayout layout) => layout == CheckpointLayout.Legacy
        ? $$"""
        {
          "n_filters": 32, "D": {{Latent}}, "codebook_dim": {{CodebookWidth}}, "target_bandwidths": [0.5, 1, 1.5, 2, 4], "ratios": [{{string.Join(", ", Ratios)}}],
          "sample_rate": 24000, "bins": {{Codes}}, "n_q": {{Codebooks}}, "semantic_techer": "hubert_base_general"
        }
        """
        : $$"""
        {
          "architectures": ["HiggsAudioV2TokenizerModel"], "model_type": "higgs_audio_v2_tokenizer", "dtype": "float32",
          "sample_rate": 24000, "semantic_sample_rate": 16000, "downsample_factor": 320, "target_bandwidths": [0.5, 1, 1.5, 2],
          "codebook_size": {{Codes}}, "codebook_dim": {{CodebookWidth}}, "kernel_size": 3, "unit_kernel_size": 3,
          "channel_ratios": [1, 1], "strides": [1, 1], "block_dilations": [1, 1],
          "acoustic_model_config": {
            "model_type": "dac", "encoder_hidden_size": {{EncoderWidth}}, "decoder_hidden_size": {{DecoderWidth}}, "hidden_size": {{Latent}}, "hop_length": 960,
            "downsampling_ratios": [{{string.Join(", ", Ratios)}}], "upsampling_ratios": [{{string.Join(", ", Ratios)}}], "sampling_rate": 16000
          },
          "semantic_model_config": {{HubertConfig}}
        }
        """;

    /// <summary>The text of hubert_config.json, for legacy codecs whose semantic model is not HuBERT base.</summary>
    public string HubertConfig =>
        $$"""
        {
          "model_type": "hubert", "hidden_size": {{Semantic}}, "num_hidden_layers": {{SemanticLayers}}, "num_attention_heads": {{SemanticHeads}},
          "intermediate_size": {{SemanticIntermediate}}, "hidden_act": "gelu", "layer_norm_eps": 1e-05, "feat_extract_norm": "group", "feat_extract_activation": "gelu",
          "conv_dim": [{{string.Join(", ", ConvolutionKernels.Select(_ => ConvolutionWidth))}}], "conv_kernel": [{{string.Join(", ", ConvolutionKernels)}}],
          "conv_stride": [5, 2, 2, 2, 2, 2, 2], "conv_bias": false, "num_feat_extract_layers": 7, "num_conv_pos_embeddings": {{PositionKernel}},
          "num_conv_pos_embedding_groups": {{PositionGroups}}, "conv_pos_batch_norm": false, "do_stable_layer_norm": false, "feat_proj_layer_norm": true
        }
        """;
}
