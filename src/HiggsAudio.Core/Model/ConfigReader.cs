using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>Reads <see cref="HiggsAudioConfig"/> from the configuration files of both published layouts.</summary>
internal static class ConfigReader
{
    private const long MostBytes = 16 << 20;
    private const int LargestId = 1 << 30;
    private const int LargestSize = 1 << 20;

    public static HiggsAudioConfig Load(string path)
    {
        string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path)) ?? path;
        string file = Path.Combine(folder, "config.json"), generationFile = Path.Combine(folder, "generation_config.json");
        using JsonDocument config = Parse(file);
        using JsonDocument? generation = File.Exists(generationFile) ? Parse(generationFile) : null;
        return Read(ConfigObject.Of(config.RootElement, file), generation is null ? null : ConfigObject.Of(generation.RootElement, generationFile));
    }

    public static HiggsAudioConfig Read(ConfigObject root, ConfigObject? generation)
    {
        foreach (string key in (ReadOnlySpan<string>)["quantization", "quantization_config"])
            if (root.Has(key))
                throw root.Error(key, "describes weights that are already quantised; load the bfloat16 checkpoint");
        HiggsAudioConfig config = ModelType(root) == "higgs_audio" ? ReadLegacy(root) : ReadNative(root);
        ConfigObject text = root.Object("text_config") ?? root;
        return config with
        {
            EosTokenIds = generation?.Ints("eos_token_id", 0, LargestId, 64) ?? root.Ints("eos_token_id", 0, LargestId, 64)
                ?? text.Ints("eos_token_id", 0, LargestId, 64) ?? [],
        };
    }

    private static JsonDocument Parse(string file)
    {
        try
        {
            var info = new FileInfo(file);
            if (!info.Exists)
                throw new CheckpointException(file, null, "is missing");
            if (info.Length > MostBytes)
                throw new CheckpointException(file, null, $"is {info.Length} bytes long; a configuration has at most {MostBytes}");
            return JsonDocument.Parse(File.ReadAllBytes(file), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        }
        catch (JsonException problem)
        {
            throw new CheckpointException(file, null, $"is not valid JSON: {problem.Message}", problem);
        }
    }

    private static string ModelType(ConfigObject root)
    {
        switch (root.Text("model_type"))
        {
            case "higgs_audio_v2":
                return "higgs_audio_v2";
            case "higgs_audio":
            case null when root.Has("text_config"):
                return "higgs_audio";
            case null when root.Has("n_filters") || root.Has("ratios"):
            case "higgs_audio_v2_tokenizer":
                throw root.Error("model_type", "is that of the codec (audio tokenizer); the language model of Higgs Audio v2 was expected");
            case "higgs_multimodal_qwen3":
                throw root.Error("model_type", "'higgs_multimodal_qwen3' is Higgs Audio v3, another architecture; only Higgs Audio v2 can be loaded");
            case "higgs_audio_3":
                throw root.Error("model_type", "'higgs_audio_3' is Higgs Audio v3 STT, another architecture; only Higgs Audio v2 can be loaded");
            case var other:
                throw root.Error("model_type", $"is {(other is null ? "missing" : $"'{other}'")}; Higgs Audio v2 has 'higgs_audio' or 'higgs_audio_v2'");
        }
    }

    // The reference's layout: text_config is a Llama configuration. Missing keys have the reference's defaults, not the release's values.
    private static HiggsAudioConfig ReadLegacy(ConfigObject root)
    {
        RefuseVariants(root);
        ConfigObject text = root.Object("text_config") ?? throw root.Error("text_config", "is missing");
        HiggsAudioConfig config = ReadLlama(text, new HiggsAudioConfig
        {
            VocabSize = 32000, HiddenSize = 4096, IntermediateSize = 11008, NumHiddenLayers = 32, NumAttentionHeads = 32,
            RmsNormEps = 1e-6f, Rope = new RopeParameters(10000f),
        });
        AudioAdapterType adapter = root.Text("audio_adapter_type") switch
        {
            null or "stack" => AudioAdapterType.Stack,
            "dual_ffn" => AudioAdapterType.DualFfn,
            "dual_ffn_fast_forward" => AudioAdapterType.DualFfnFastForward,
            var other => throw root.Error("audio_adapter_type", $"is '{other}'; known are stack, dual_ffn and dual_ffn_fast_forward"),
        };
        return ReadAudio(root, config with
        {
            AudioAdapterType = adapter,
            AudioDualFfnLayers = adapter == AudioAdapterType.Stack ? [] : DualFfnLayers(root, config.NumHiddenLayers),
            AudioEmbedAvg = root.Bool("audio_embed_avg", false),
            UseAudioOutEmbedProjector = root.Bool("use_audio_out_embed_projector", false),
            UseAudioOutSelfAttention = adapter != AudioAdapterType.Stack && root.Bool("use_audio_out_self_attention", false),
            EncodeAudioInTokens = root.Bool("encode_audio_in_tokens", false),
            UseDelayPattern = root.Bool("use_delay_pattern", false),
            AudioNumCodebooks = root.Int("audio_num_codebooks", 12, 1, 64),
            CodebookSize = root.Int("audio_codebook_size", 1024, 1, LargestSize) + 2,
            AudioOutTokenId = root.Int("audio_out_token_idx", 128016, 0, LargestId),
            AudioOutBosTokenId = root.Int("audio_out_bos_token_id", 128013, 0, LargestId),
        });
    }

    // transformers' own layout: one flat object, every layer has a second feed-forward.
    private static HiggsAudioConfig ReadNative(ConfigObject root)
    {
        HiggsAudioConfig config = ReadLlama(root, new HiggsAudioConfig
        {
            VocabSize = 128256, HiddenSize = 3072, IntermediateSize = 8192, NumHiddenLayers = 28, NumAttentionHeads = 24, NumKeyValueHeads = 8, HeadDim = 128,
            RmsNormEps = 1e-5f, Rope = new RopeParameters(500000f) { Scaling = new Llama3RopeScaling(32f, 0.125f, 0.5f, 1024f) },
        });
        return ReadAudio(root, config with
        {
            AudioAdapterType = AudioAdapterType.DualFfnFastForward,
            AudioDualFfnLayers = [.. Enumerable.Range(0, config.NumHiddenLayers)],
            EncodeAudioInTokens = true,
            UseDelayPattern = true,
            AudioNumCodebooks = root.Int("num_codebooks", 8, 1, 64),
            CodebookSize = root.Int("codebook_size", 1024, 1, LargestSize),
            AudioOutTokenId = root.Int("audio_token_id", 128016, 0, LargestId),
            AudioOutBosTokenId = root.Int("audio_bos_token_id", 128013, 0, LargestId),
        });
    }

    private static HiggsAudioConfig ReadAudio(ConfigObject root, HiggsAudioConfig config)
    {
        int bos = root.Int("audio_stream_bos_id", 1024, 0, LargestSize), eos = root.Int("audio_stream_eos_id", 1025, 0, LargestSize);
        int size = config.CodebookSize;
        if (Math.Max(bos, eos) == size + 1)   // a flat configuration that does not count the two
            size += 2;
        if (Math.Max(bos, eos) >= size)
            throw root.Error("audio_stream_eos_id", $"is {eos} (begin of stream: {bos}), but a codebook has {size} entries with those two");
        return config with
        {
            CodebookSize = size,
            AudioStreamBosId = bos,
            AudioStreamEosId = eos,
            AudioInTokenId = root.Int("audio_in_token_idx", 128015, 0, LargestId),
            AudioEosTokenId = root.Int("audio_eos_token_id", 128012, 0, LargestId),
            PadTokenId = root.Int("pad_token_id", 128001, 0, LargestId),
        };
    }

    private static HiggsAudioConfig ReadLlama(ConfigObject text, HiggsAudioConfig missing)
    {
        foreach (string key in (ReadOnlySpan<string>)["attention_bias", "mlp_bias"])
            if (text.Bool(key, false))
                throw text.Error(key, "is true; biases are not supported");
        if (text.Text("hidden_act") is { } activation && activation != "silu")
            throw text.Error("hidden_act", $"is '{activation}'; only 'silu' is supported");
        int hidden = text.Int("hidden_size", missing.HiddenSize, 1, LargestSize);
        int heads = text.Int("num_attention_heads", missing.NumAttentionHeads, 1, 1024);
        int keyValueHeads = text.Int("num_key_value_heads", missing.NumKeyValueHeads > 0 ? missing.NumKeyValueHeads : heads, 1, heads);
        if (heads % keyValueHeads != 0)
            throw text.Error("num_key_value_heads", $"is {keyValueHeads}, which does not divide the {heads} heads");
        int headDim = text.Int("head_dim", missing.HeadDim > 0 ? missing.HeadDim : hidden / heads, 2, 4096);
        if (headDim < 2 || headDim % 2 != 0)
            throw text.Error("head_dim", $"is {headDim}; an even number was expected");
        return missing with
        {
            VocabSize = text.Int("vocab_size", missing.VocabSize, 1, 1 << 24),
            HiddenSize = hidden,
            IntermediateSize = text.Int("intermediate_size", missing.IntermediateSize, 1, LargestSize),
            NumHiddenLayers = text.Int("num_hidden_layers", missing.NumHiddenLayers, 1, 512),
            NumAttentionHeads = heads,
            NumKeyValueHeads = keyValueHeads,
            HeadDim = headDim,
            RmsNormEps = text.Float("rms_norm_eps", missing.RmsNormEps, 0, 1),
            Rope = ReadRope(text, missing.Rope),
        };
    }

    // rope_theta beside rope_scaling (null for none), or both in rope_parameters.
    private static RopeParameters ReadRope(ConfigObject text, RopeParameters missing)
    {
        ConfigObject? parameters = text.Object("rope_parameters") ?? text.Object("rope_scaling");
        float theta = text.Float("rope_theta", missing.Theta, 1, 1e12f);
        if (parameters is not { } rope)
            return text.Has("rope_theta") ? new RopeParameters(theta) : missing;
        theta = rope.Float("rope_theta", theta, 1, 1e12f);
        if (rope.Float("partial_rotary_factor", 1, 0, 1) is not 1f)
            throw rope.Error("partial_rotary_factor", "is not 1; heads that are rotated in part are not supported");
        switch (rope.Text("rope_type") ?? rope.Text("type") ?? "default")
        {
            case "default":
                return new RopeParameters(theta);
            case "llama3":
                var scaling = new Llama3RopeScaling(
                    rope.Float("factor", null, 1e-3f, 1e6f), rope.Float("low_freq_factor", null, 1e-6f, 1e6f),
                    rope.Float("high_freq_factor", null, 1e-6f, 1e6f), rope.Float("original_max_position_embeddings", null, 1, 1e9f));
                return scaling.HighFreqFactor > scaling.LowFreqFactor
                    ? new RopeParameters(theta) { Scaling = scaling }
                    : throw rope.Error("high_freq_factor", $"is {scaling.HighFreqFactor}, not above low_freq_factor ({scaling.LowFreqFactor})");
            case var other:
                throw rope.Error("rope_type", $"is '{other}'; known are default and llama3");
        }
    }

    private static int[] DualFfnLayers(ConfigObject root, int layers) =>
        root.Ints("audio_dual_ffn_layers", 0, layers - 1, 4096) is { } indices
            ? [.. indices.Distinct().Order()]
            : throw root.Error("audio_dual_ffn_layers", "is missing");

    private static void RefuseVariants(ConfigObject root)
    {
        if (root.Bool("use_rq_transformer", false))
            throw root.Error("use_rq_transformer", "is true; the RQ-Transformer audio head was never published and is not supported");
        if (root.Int("audio_decoder_proj_num_layers", 0, 0, 1024) > 0)
            throw root.Error("audio_decoder_proj_num_layers", "is above 0; layers in the audio head do not run in the reference either and are not supported");
    }
}
