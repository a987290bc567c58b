using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Tests;

public class AudioCodecConfigTests
{
    private string _folder = "";

    [SetUp]
    public void CreateFolder() => _folder = Directory.CreateTempSubdirectory("codec").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void The_first_published_layout_is_read()
    {
        AudioCodecConfig config = Load("""
            {"n_filters": 32, "D": 256, "codebook_dim": 64, "target_bandwidths": [0.5, 1, 1.5, 2, 4], "ratios": [8, 5, 4, 2, 3],
             "sample_rate": 24000, "bins": 1024, "n_q": 8, "semantic_techer": "hubert_base_general"}
            """);
        Assert.That((config.SampleRate, config.SemanticSampleRate, config.HopLength, config.SemanticDownsampleFactor), Is.EqualTo((24000, 16000, 960, 2)));
        Assert.That(config.UpsamplingRatios, Is.EqualTo(new[] { 8, 5, 4, 2, 3 }));
        Assert.That((config.LatentWidth?.Value, config.Codebooks?.Value, config.CodebookSize?.Value, config.CodebookWidth?.Value), Is.EqualTo((256L, 8L, 1024L, 64L)));
        Assert.That((config.AveragesSemanticFrames, config.VqScale), Is.EqualTo((false, 1.0)));
        Assert.That((config.Hubert.Heads, config.Hubert.LayerNormEpsilon), Is.EqualTo((12, 1e-5f)));
        Assert.That(config.Hubert.Strides, Is.EqualTo(new[] { 5, 2, 2, 2, 2, 2, 2 }));
    }

    [Test]
    public void The_transformers_layout_is_read()
    {
        AudioCodecConfig config = Load("""
            {"model_type": "higgs_audio_v2_tokenizer", "acoustic_model_config": {"model_type": "dac", "codebook_dim": 8, "decoder_hidden_size": 1024,
             "downsampling_ratios": [8, 5, 4, 2, 3], "encoder_hidden_size": 64, "hidden_size": 256, "hop_length": 960, "n_codebooks": 9,
             "sampling_rate": 16000, "upsampling_ratios": [8, 5, 4, 2, 3]}, "block_dilations": [1, 1], "channel_ratios": [1, 1], "codebook_dim": 64,
             "codebook_size": 1024, "downsample_factor": 320, "kernel_size": 3, "sample_rate": 24000, "semantic_model_config": {"model_type": "hubert",
             "conv_stride": [5, 2, 2, 2, 2, 2, 2], "num_attention_heads": 6, "layer_norm_eps": 1e-06, "do_stable_layer_norm": false,
             "feat_extract_norm": "group", "hidden_act": "gelu", "hidden_size": 768}, "semantic_sample_rate": 16000, "strides": [1, 1]}
            """);
        Assert.That((config.SampleRate, config.HopLength, config.SemanticDownsampleFactor), Is.EqualTo((24000, 960, 2)));
        Assert.That((config.EncoderWidth?.Value, config.DecoderWidth?.Value, config.LatentWidth?.Value), Is.EqualTo((64L, 1024L, 256L)));
        Assert.That((config.CodebookSize?.Value, config.CodebookWidth?.Value, config.Codebooks), Is.EqualTo((1024L, 64L, (StatedSize?)null)));
        Assert.That((config.Hubert.Heads, config.Hubert.LayerNormEpsilon, config.Hubert.Width?.Value), Is.EqualTo((6, 1e-6f, 768L)));
    }

    [Test]
    public void The_semantic_model_s_own_file_is_read_if_the_codec_s_does_not_describe_it()
    {
        File.WriteAllText(System.IO.Path.Combine(_folder, "hubert_config.json"), """{"num_attention_heads": 4}""");
        Assert.That(Load("""{"ratios": [8, 5]}""").Hubert.Heads, Is.EqualTo(4));
        Assert.That(Load("""{"ratios": [8, 5], "semantic_model_config": {"num_attention_heads": 2}}""").Hubert.Heads, Is.EqualTo(2));
    }

    [Test]
    public void Downsampling_follows_the_rates_and_the_mode()
    {
        AudioCodecConfig config = Load("""{"ratios": [8, 5, 4, 2], "sample_rate": 16000, "semantic_sample_rate": null, "downsample_mode": "avg"}""");
        Assert.That((config.SemanticDownsampleFactor, config.AveragesSemanticFrames), Is.EqualTo((1, true)));
        config = Load("""{"ratios": [8, 5, 4, 4], "sample_rate": 16000, "semantic_sample_rate": 24000}""");
        Assert.That(config.SemanticDownsampleFactor, Is.EqualTo(3));
    }

    [TestCase("""{"model_type": "higgs_audio"}""", "language model")]
    [TestCase("""{"model_type": "higgs_audio_v2"}""", "language model")]
    [TestCase("""{"model_type": "higgs_multimodal_qwen3"}""", "v3")]
    [TestCase("""{"model_type": "higgs_audio_3"}""", "v3")]
    [TestCase("""{"model_type": "dac"}""", "dac")]
    [TestCase("""{"hidden_size": 1}""", "model_type")]
    [TestCase("""{"ratios": [8, 5], "semantic_techer": "wavlm_base_plus"}""", "wavlm_base_plus")]
    [TestCase("""{"ratios": [8, 5], "downsample_mode": "max"}""", "downsample_mode")]
    [TestCase("""{"ratios": [8, 5], "downsample_mode": "avg"}""", "avg")]
    [TestCase("""{"ratios": [8, 5], "bins": [8, 8, 8]}""", "bins")]
    [TestCase("""{"ratios": [8, 1]}""", "ratios")]
    [TestCase("""{"ratios": []}""", "ratios")]
    [TestCase("""{"ratios": [64, 64, 64, 64, 64, 64, 64, 64]}""", "ratios")]
    [TestCase("""{"ratios": 8}""", "ratios")]
    [TestCase("""{"ratios": [8, 5], "sample_rate": 1e99}""", "sample_rate")]
    [TestCase("""{"ratios": [8, 5], "sample_rate": -1}""", "sample_rate")]
    [TestCase("""{"ratios": [8, 5], "sample_rate": "24000"}""", "sample_rate")]
    [TestCase("""{"ratios": [8, 5], "vq_scale": 0}""", "vq_scale")]
    [TestCase("""{"ratios": [8, 5], "D": 0}""", "D")]
    [TestCase("""{"ratios": [8, 5], "semantic_model_config": {"hidden_act": "relu"}}""", "hidden_act")]
    [TestCase("""{"ratios": [8, 5], "semantic_model_config": {"do_stable_layer_norm": true}}""", "do_stable_layer_norm")]
    [TestCase("""{"ratios": [8, 5], "semantic_model_config": {"feat_extract_norm": "layer"}}""", "feat_extract_norm")]
    [TestCase("""{"ratios": [8, 5], "semantic_model_config": {"num_attention_heads": 0}}""", "semantic_model_config.num_attention_heads")]
    [TestCase("""{"ratios": [8, 5], "semantic_model_config": 5}""", "semantic_model_config")]
    [TestCase("""{"model_type": "higgs_audio_v2_tokenizer"}""", "acoustic_model_config")]
    [TestCase("""{"model_type": "higgs_audio_v2_tokenizer", "acoustic_model_config": {"downsampling_ratios": [8], "upsampling_ratios": [4]}}""", "differ")]
    [TestCase("""{"model_type": "higgs_audio_v2_tokenizer", "acoustic_model_config": {"downsampling_ratios": [8]}, "strides": [1, 2]}""", "strides")]
    [TestCase("[]", "object")]
    [TestCase("{", "JSON")]
    [TestCase("", "JSON")]
    public void What_cannot_be_used_is_refused_by_name(string json, string expected) =>
        Assert.That(() => Load(json), Throws.TypeOf<CheckpointException>().With.Message.Contains(expected).And.Message.Contains("config.json"));

    [Test]
    public void A_missing_or_huge_file_is_refused()
    {
        Assert.That(() => AudioCodecConfig.Load(_folder), Throws.TypeOf<CheckpointException>().With.Message.Contains("missing"));
        Assert.That(() => AudioCodecConfig.Load(System.IO.Path.Combine(_folder, "nowhere")), Throws.TypeOf<CheckpointException>().With.Message.Contains("missing"));
        Assert.That(() => Load(new string(' ', 2 << 20)), Throws.TypeOf<CheckpointException>().With.Message.Contains("bytes"));
    }

    private AudioCodecConfig Load(string json)
    {
        File.WriteAllText(System.IO.Path.Combine(_folder, "config.json"), json);
        return AudioCodecConfig.Load(_folder);
    }
}
