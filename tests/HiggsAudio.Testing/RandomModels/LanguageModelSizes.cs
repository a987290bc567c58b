using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Testing.RandomModels;

/// <summary>The sizes of a language model whose layers are all dual FFN, as in the published one, and its tensors in both layouts.</summary>
public sealed record LanguageModelSizes(int Layers, int Hidden, int Intermediate, int Heads, int KeyValueHeads, int HeadDim, int Vocabulary = 128256, int Codebooks = 8, int Codes = 1024)
{
    public static LanguageModelSizes Published { get; } = new(28, 3072, 8192, 24, 8, 128);

    /// <summary>A small one with the published ids.</summary>
    public static LanguageModelSizes Tiny { get; } = new(2, 64, 128, 4, 2, 16);

    private int AudioRows => Codebooks * (Codes + 2);

    /// <summary>All tensors, in the order of the reference's state dict.</summary>
    public List<RandomTensor> Tensors(CheckpointLayout layout)
    {
        var tensors = new List<RandomTensor>();
        Matrix("embed_tokens.weight", Vocabulary, Hidden);
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"layers.{i}.";
            Matrix(layer + "self_attn.q_proj.weight", Heads * HeadDim, Hidden);
            Matrix(layer + "self_attn.k_proj.weight", KeyValueHeads * HeadDim, Hidden);
            Matrix(layer + "self_attn.v_proj.weight", KeyValueHeads * HeadDim, Hidden);
            Matrix(layer + "self_attn.o_proj.weight", Hidden, Heads * HeadDim);
            foreach (string mlp in new[] { "mlp", "audio_mlp" })
            {
                Matrix($"{layer}{mlp}.gate_proj.weight", Intermediate, Hidden);
                Matrix($"{layer}{mlp}.up_proj.weight", Intermediate, Hidden);
                Matrix($"{layer}{mlp}.down_proj.weight", Hidden, Intermediate);
            }
            foreach (string norm in new[] { "audio_input", "audio_post_attention", "input", "post_attention" })
                Add($"{layer}{norm}_layernorm.weight", [Hidden], RandomFill.Constant, 1);
        }
        Add("norm.weight", [Hidden], RandomFill.Constant, 1);
        Matrix("audio_decoder_proj.text_lm_head.weight", Vocabulary, Hidden);
        Matrix("audio_decoder_proj.audio_lm_head.weight", AudioRows, Hidden);
        Matrix("audio_codebook_embeddings.weight", AudioRows, Hidden);
        return tensors;

        // Standard deviation 0.02 at 3072 inputs: rows keep about the size they have, whatever the width.
        void Matrix(string name, int rows, int columns) => Add(name, [rows, columns], RandomFill.Normal, 0.02f * MathF.Sqrt(3072f / columns));

        void Add(string name, long[] shape, RandomFill fill, float scale) => tensors.Add(new RandomTensor(
            layout == CheckpointLayout.Legacy ? name : HuggingFaceName(name), name, TensorType.BFloat16, shape, fill, scale));
    }

    private static string HuggingFaceName(string name) =>
        name.StartsWith("audio_decoder_proj.", StringComparison.Ordinal) ? name["audio_decoder_proj.".Length..]
        : name.StartsWith("audio_codebook_embeddings.", StringComparison.Ordinal) ? "model.embed_audio_tokens.embed_audio_tokens.weight"
        : "model." + name;

    /// <summary>The text of config.json.</summary>
    public string Config(CheckpointLayout layout) => layout == CheckpointLayout.Legacy
        ? $$"""
        {
          "architectures": ["HiggsAudioModel"], "model_type": "higgs_audio", "torch_dtype": "bfloat16",
          "audio_adapter_type": "dual_ffn_fast_forward", "audio_dual_ffn_layers": [{{string.Join(", ", Enumerable.Range(0, Layers))}}],
          "audio_ffn_hidden_size": {{Hidden}}, "audio_ffn_intermediate_size": {{Intermediate}}, "hidden_size": {{Hidden}},
          "audio_num_codebooks": {{Codebooks}}, "audio_codebook_size": {{Codes}}, "audio_stream_bos_id": {{Codes}}, "audio_stream_eos_id": {{Codes + 1}},
          "use_delay_pattern": true, "encode_audio_in_tokens": true, "encode_whisper_embed": false, "skip_audio_tower": true, "audio_embed_avg": false,
          "use_audio_out_embed_projector": false, "use_audio_out_self_attention": 0, "audio_decoder_proj_num_layers": 0, "use_rq_transformer": false,
          "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>", "audio_out_bos_token": "<|audio_out_bos|>",
          "audio_in_token": "<|AUDIO|>", "audio_out_token": "<|AUDIO_OUT|>", "audio_in_token_idx": 128015, "audio_out_token_idx": 128016,
          "audio_out_bos_token_id": 128013, "audio_eos_token_id": 128012, "pad_token_id": 128001, "audio_tokenizer_config": null,
          "text_config": {
            "model_type": "llama", "vocab_size": {{Vocabulary}}, "hidden_size": {{Hidden}}, "intermediate_size": {{Intermediate}},
            "num_hidden_layers": {{Layers}}, "num_attention_heads": {{Heads}}, "num_key_value_heads": {{KeyValueHeads}}, "head_dim": {{HeadDim}},
            "hidden_act": "silu", "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "max_position_embeddings": 131072, "attention_bias": false, "mlp_bias": false,
            "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
            "tie_word_embeddings": true, "bos_token_id": 128000, "eos_token_id": 128001, "pad_token_id": null, "torch_dtype": "bfloat16"
          }
        }
        """
        : $$"""
        {
          "architectures": ["HiggsAudioV2ForConditionalGeneration"], "model_type": "higgs_audio_v2", "dtype": "bfloat16",
          "vocab_size": {{Vocabulary}}, "hidden_size": {{Hidden}}, "intermediate_size": {{Intermediate}}, "num_hidden_layers": {{Layers}},
          "num_attention_heads": {{Heads}}, "num_key_value_heads": {{KeyValueHeads}}, "head_dim": {{HeadDim}}, "hidden_act": "silu", "rms_norm_eps": 1e-05,
          "max_position_embeddings": 2048, "attention_bias": false, "mlp_bias": false, "tie_word_embeddings": false,
          "num_codebooks": {{Codebooks}}, "codebook_size": {{Codes + 2}}, "audio_token_id": 128016, "audio_bos_token_id": 128013, "audio_delay_token_id": 128014,
          "audio_stream_bos_id": {{Codes}}, "audio_stream_eos_id": {{Codes + 1}}, "bos_token_id": 1, "eos_token_id": 128009, "pad_token_id": 128001,
          "rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 0.125, "high_freq_factor": 0.5, "original_max_position_embeddings": 1024}
        }
        """;

    /// <summary>The text of generation_config.json.</summary>
    public static string GenerationConfig(CheckpointLayout layout) => layout == CheckpointLayout.Legacy
        ? """{"_from_model_config": true, "bos_token_id": 128000, "eos_token_id": 128001, "pad_token_id": 128001}"""
        : """
        {"do_sample": true, "temperature": 1.0, "top_k": 50, "top_p": 0.95, "ras_win_len": 7, "ras_win_max_num_repeat": 2, "use_text_head": true,
         "bos_token_id": 1, "eos_token_id": 128009, "pad_token_id": 128001}
        """;
}
