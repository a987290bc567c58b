using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Semantic;

namespace HiggsAudio;

/// <summary>A size that a configuration file states under a key; the tensors must agree.</summary>
internal readonly record struct StatedSize(string Key, long Value);

/// <summary>
/// What the codec's config.json says that its tensors do not: rates, ratios, modes. The sizes it states are only compared with the
/// tensors (<see cref="CodecTensors"/>). Reads both published layouts: the constructor arguments of the reference's
/// HiggsAudioTokenizer, and the transformers library's <c>higgs_audio_v2_tokenizer</c>.
/// </summary>
internal sealed record AudioCodecConfig
{
    private const int MostBytes = 1 << 20;

    /// <summary>The file it was read from.</summary>
    public required string Path { get; init; }

    /// <summary>Samples a second of the waveforms.</summary>
    public required int SampleRate { get; init; }

    /// <summary>Samples a second of what the semantic model hears.</summary>
    public required int SemanticSampleRate { get; init; }

    /// <summary>Samples at the semantic rate that make one frame of the semantic model, as the configuration counts them.</summary>
    public int SemanticHop { get; init; } = 320;

    /// <summary>Strides of the acoustic encoder's blocks.</summary>
    public required int[] DownsamplingRatios { get; init; }

    /// <summary>Strides of the acoustic decoder's blocks, in order.</summary>
    public required int[] UpsamplingRatios { get; init; }

    /// <summary>Whether the semantic model's frames are averaged down to the codec's, rather than every n-th taken.</summary>
    public bool AveragesSemanticFrames { get; init; }

    /// <summary>What of the semantic encoder its tensors do not tell.</summary>
    public SemanticEncoderConfig SemanticEncoder { get; init; } = new();

    /// <summary>(latent + semantic width) / this = width of the quantizer; null if not stated.</summary>
    public double? VqScale { get; init; }

    /// <summary>The semantic model.</summary>
    public required HubertConfig Hubert { get; init; }

    /// <summary>Stated width of the acoustic latent.</summary>
    public StatedSize? LatentWidth { get; init; }

    /// <summary>Stated width of the acoustic encoder's first layer.</summary>
    public StatedSize? EncoderWidth { get; init; }

    /// <summary>Stated width of the acoustic decoder's first layer.</summary>
    public StatedSize? DecoderWidth { get; init; }

    /// <summary>Stated number of codebooks.</summary>
    public StatedSize? Codebooks { get; init; }

    /// <summary>Stated number of codes of a codebook.</summary>
    public StatedSize? CodebookSize { get; init; }

    /// <summary>Stated width of a code's vector; null also if it is the quantizer's.</summary>
    public StatedSize? CodebookWidth { get; init; }

    /// <summary>Samples of a frame.</summary>
    public int HopLength => DownsamplingRatios.Aggregate(1, (product, ratio) => product * ratio);

    /// <summary>Frames of the semantic model per frame of the codec, as the reference computes it; 0 or 1 for none to leave out.</summary>
    public int SemanticDownsampleFactor => (int)(HopLength / ((double)SampleRate / SemanticSampleRate) / SemanticHop);

    /// <summary>Reads config.json, and hubert_config.json beside it if config.json does not describe the semantic model.</summary>
    /// <exception cref="CheckpointException">A file is missing or broken, or is not that of a codec this library knows.</exception>
    public static AudioCodecConfig Load(string folder)
    {
        string path = System.IO.Path.Combine(folder, "config.json"), hubertPath = System.IO.Path.Combine(folder, "hubert_config.json");
        using JsonDocument document = Open(path);
        var config = new JsonConfig(document.RootElement, path, "");
        if (config.Section("semantic_model_config") is { } semantic)
            return Parse(config, HubertConfig.Parse(semantic));
        if (!File.Exists(hubertPath))
            return Parse(config, HubertConfig.Base);
        using JsonDocument hubert = Open(hubertPath);
        return Parse(config, HubertConfig.Parse(new JsonConfig(hubert.RootElement, hubertPath, "")));
    }

    private static AudioCodecConfig Parse(JsonConfig json, HubertConfig hubert)
    {
        AudioCodecConfig config = json.Text("model_type") switch
        {
            "higgs_audio_v2_tokenizer" => ParseTransformers(json, hubert),
            null when json.HasAny("ratios", "semantic_techer", "n_filters") => ParseReference(json, hubert),
            null => throw json.Error("this is not the configuration of a Higgs Audio v2 codec: it has neither \"model_type\" nor \"ratios\""),
            "higgs_audio" or "higgs_audio_v2" => throw json.Error(
                "this is the configuration of the language model; the codec is another repository, bosonai/higgs-audio-v2-tokenizer"),
            "higgs_multimodal_qwen3" => throw json.Error("this is Higgs Audio v3 TTS, another architecture; only the v2 codec is supported"),
            "higgs_audio_3" => throw json.Error("this is Higgs Audio v3 speech recognition, another architecture; only the v2 codec is supported"),
            var other => throw json.Error($"\"model_type\" is \"{other}\", expected \"higgs_audio_v2_tokenizer\""),
        };
        if (config.HopLength != config.UpsamplingRatios.Aggregate(1, (product, ratio) => product * ratio))
            throw json.Error("the products of the down- and upsampling ratios differ");
        if (config.AveragesSemanticFrames && config.SemanticDownsampleFactor < 1)
            throw json.Error("\"downsample_mode\" is \"avg\", but the semantic model has fewer frames than the codec");
        return config;
    }

    // Defaults are those of the reference's constructor.
    private static AudioCodecConfig ParseReference(JsonConfig json, HubertConfig hubert)
    {
        if (json.Text("semantic_techer") is not (null or "hubert_base" or "hubert_base_general") and var teacher)
            throw json.Error($"\"semantic_techer\" is \"{teacher}\"; only hubert_base and hubert_base_general are supported");
        if (json.IsArray("bins"))
            throw json.Error("\"bins\" is a list: codecs with finite scalar quantization are not supported");
        int[] ratios = json.Numbers("ratios", 2, 64, mostItems: 12) ?? [8, 5, 4, 2];
        return new AudioCodecConfig
        {
            Path = json.Path,
            SampleRate = json.Number("sample_rate", 1000, 384_000) ?? 16_000,
            SemanticSampleRate = json.Number("semantic_sample_rate", 1000, 384_000) ?? 16_000,
            DownsamplingRatios = json.CheckedProduct(ratios),
            UpsamplingRatios = ratios,
            AveragesSemanticFrames = (json.Text("downsample_mode") ?? "step_down") switch
            {
                "step_down" => false,
                "avg" => true,
                var other => throw json.Error($"\"downsample_mode\" is \"{other}\", expected \"step_down\" or \"avg\""),
            },
            VqScale = json.Real("vq_scale", 1e-3, 1e3) ?? 1,
            Hubert = hubert,
            LatentWidth = json.Size("D"),
            EncoderWidth = json.Size("encoder_channels"),
            DecoderWidth = json.Size("decoder_channels"),
            Codebooks = json.Size("n_q"),
            CodebookSize = json.Size("bins"),
            CodebookWidth = json.Size("codebook_dim"),
        };
    }

    // Defaults are those of the library's configuration class.
    private static AudioCodecConfig ParseTransformers(JsonConfig json, HubertConfig hubert)
    {
        JsonConfig acoustic = json.Section("acoustic_model_config") ?? throw json.Error("\"acoustic_model_config\" is missing");
        int[] ratios = acoustic.Numbers("downsampling_ratios", 2, 64, mostItems: 12)
            ?? throw json.Error("\"acoustic_model_config.downsampling_ratios\" is missing");
        return new AudioCodecConfig
        {
            Path = json.Path,
            SampleRate = json.Number("sample_rate", 1000, 384_000) ?? 24_000,
            SemanticSampleRate = json.Number("semantic_sample_rate", 1000, 384_000) ?? 16_000,
            SemanticHop = json.Number("downsample_factor", 1, 100_000) ?? 320,
            DownsamplingRatios = json.CheckedProduct(ratios),
            UpsamplingRatios = json.CheckedProduct(acoustic.Numbers("upsampling_ratios", 2, 64, mostItems: 12) ?? ratios),
            SemanticEncoder = SemanticEncoderConfig.Parse(json),
            Hubert = hubert,
            LatentWidth = acoustic.Size("hidden_size"),
            EncoderWidth = acoustic.Size("encoder_hidden_size"),
            DecoderWidth = acoustic.Size("decoder_hidden_size"),
            CodebookSize = json.Size("codebook_size"),
            CodebookWidth = json.Size("codebook_dim"),
        };
    }

    private static JsonDocument Open(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.Length > MostBytes)
                throw new CheckpointException(path, null, $"is {file.Length} bytes long; a configuration has at most {MostBytes}");
            return JsonDocument.Parse(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException(path, null, "is missing: the codec's folder has config.json beside model.safetensors or model.pth", e);
        }
        catch (JsonException e)
        {
            throw new CheckpointException(path, null, $"is not JSON: {e.Message}", e);
        }
    }
}
