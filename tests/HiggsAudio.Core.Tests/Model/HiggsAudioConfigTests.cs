using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Model;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

internal sealed class HiggsAudioConfigTests
{
    // The published values, without the keys that are not read.
    private const string Legacy = """
        {
          "model_type": "higgs_audio", "audio_adapter_type": "dual_ffn_fast_forward",
          "audio_dual_ffn_layers": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27],
          "audio_num_codebooks": 8, "audio_codebook_size": 1024, "audio_stream_bos_id": 1024, "audio_stream_eos_id": 1025,
          "use_delay_pattern": true, "encode_audio_in_tokens": true, "skip_audio_tower": true, "use_audio_out_self_attention": 0,
          "audio_in_token_idx": 128015, "audio_out_token_idx": 128016, "audio_out_bos_token_id": 128013, "audio_eos_token_id": 128012,
          "pad_token_id": 128001, "audio_decoder_proj_num_layers": 0, "use_rq_transformer": false, "audio_tokenizer_config": null,
          "text_config": {
            "model_type": "llama", "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28, "num_attention_heads": 24,
            "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 128256, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
            "rope_scaling": { "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3" },
            "hidden_act": "silu", "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false, "eos_token_id": 128001
          }
        }
        """;

    private const string Native = """
        {
          "model_type": "higgs_audio_v2", "audio_bos_token_id": 128013, "audio_delay_token_id": 128014, "audio_stream_bos_id": 1024,
          "audio_stream_eos_id": 1025, "audio_token_id": 128016, "bos_token_id": 1, "codebook_size": 1026, "eos_token_id": 128009,
          "head_dim": 128, "hidden_act": "silu", "hidden_size": 3072, "intermediate_size": 8192, "max_position_embeddings": 2048,
          "num_attention_heads": 24, "num_codebooks": 8, "num_hidden_layers": 28, "num_key_value_heads": 8, "pad_token_id": 128001,
          "rms_norm_eps": 1e-05, "tie_word_embeddings": false, "vocab_size": 128256,
          "rope_parameters": {
            "factor": 32.0, "high_freq_factor": 0.5, "low_freq_factor": 0.125, "original_max_position_embeddings": 1024,
            "rope_theta": 500000.0, "rope_type": "llama3"
          }
        }
        """;

    private static HiggsAudioConfig Read(string config, string? generation = null)
    {
        using JsonDocument document = JsonDocument.Parse(config), second = JsonDocument.Parse(generation ?? "{}");
        return ConfigReader.Read(ConfigObject.Of(document.RootElement, "config.json"),
            generation is null ? null : ConfigObject.Of(second.RootElement, "generation_config.json"));
    }

    [Test]
    public void Both_published_layouts_describe_the_same_model()
    {
        HiggsAudioConfig legacy = Read(Legacy), native = Read(Native);
        Assert.That((native with { AudioDualFfnLayers = [], EosTokenIds = [], Rope = legacy.Rope }).ToString(),
            Is.EqualTo((legacy with { AudioDualFfnLayers = [], EosTokenIds = [] }).ToString()));
        Assert.That(native.AudioDualFfnLayers, Is.EqualTo(legacy.AudioDualFfnLayers));
        Assert.That(legacy.AudioDualFfnLayers, Is.EqualTo(Enumerable.Range(0, 28)));
        Assert.That((legacy.CodebookSize, legacy.HeadDim, legacy.VocabSize, legacy.AudioAdapterType),
            Is.EqualTo((1026, 128, 128256, AudioAdapterType.DualFfnFastForward)));
        Assert.That(legacy.HasFastForwardLayers, Is.False);
    }

    [Test]
    public void Both_spellings_of_the_published_rotation_are_the_same_frequencies()
    {
        float[] legacy = Read(Legacy).Rope.InverseFrequencies(128), native = Read(Native).Rope.InverseFrequencies(128);
        Assert.That(native, Is.EqualTo(legacy).Within(1e-6).Percent);
        // Waves below 2048 positions are kept, those above 8192 turn 32 times slower.
        float[] plain = new RopeParameters(500000f).InverseFrequencies(128);
        for (int i = 0; i < plain.Length; i++)
        {
            double wavelength = 2 * Math.PI / plain[i], slower = plain[i] / legacy[i];
            Assert.That(slower, wavelength < 2048 ? Is.EqualTo(1) : wavelength > 8192 ? Is.EqualTo(32).Within(1e-4) : Is.InRange(1, 32), $"frequency {i}");
        }
    }

    [TestCase("""{ "text_config": {} }""", AudioAdapterType.Stack)]
    [TestCase("""{ "model_type": "higgs_audio", "text_config": {} }""", AudioAdapterType.Stack)]
    public void Missing_keys_of_the_legacy_layout_have_the_references_defaults(string json, AudioAdapterType adapter)
    {
        HiggsAudioConfig config = Read(json);
        Assert.That(config.AudioAdapterType, Is.EqualTo(adapter));
        Assert.That((config.AudioNumCodebooks, config.CodebookSize, config.EncodeAudioInTokens, config.UseDelayPattern), Is.EqualTo((12, 1026, false, false)));
        Assert.That((config.VocabSize, config.HiddenSize, config.IntermediateSize, config.NumHiddenLayers), Is.EqualTo((32000, 4096, 11008, 32)));
        Assert.That((config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim, config.RmsNormEps), Is.EqualTo((32, 32, 128, 1e-6f)));
        Assert.That(config.Rope, Is.EqualTo(new RopeParameters(10000f)));
        Assert.That((config.AudioInTokenId, config.AudioOutTokenId, config.AudioOutBosTokenId, config.AudioEosTokenId, config.PadTokenId),
            Is.EqualTo((128015, 128016, 128013, 128012, 128001)));
        Assert.That(config.AudioDualFfnLayers, Is.Empty);
        Assert.That(config.EosTokenIds, Is.Empty);
    }

    [Test]
    public void Missing_keys_of_the_native_layout_have_its_defaults_and_a_codebook_size_without_stream_ids_is_understood()
    {
        HiggsAudioConfig config = Read("""{ "model_type": "higgs_audio_v2" }""");
        Assert.That(config.ToString(), Is.EqualTo((Read(Native) with { EosTokenIds = config.EosTokenIds, AudioDualFfnLayers = config.AudioDualFfnLayers }).ToString()));
        Assert.That(config.CodebookSize, Is.EqualTo(1026));
    }

    [TestCase(null, ExpectedResult = new[] { 128001 })]
    [TestCase("""{ "eos_token_id": 128009 }""", ExpectedResult = new[] { 128009 })]
    [TestCase("""{ "eos_token_id": [128001, 128009] }""", ExpectedResult = new[] { 128001, 128009 })]
    [TestCase("""{ "eos_token_id": null }""", ExpectedResult = new[] { 128001 })]
    public int[] End_tokens_are_those_of_generation_config_or_else_of_the_config(string? generation) => [.. Read(Legacy, generation).EosTokenIds];

    [TestCase("'rope_type': 'llama3'", "'rope_type': 'yarn'", "'text_config.rope_scaling.rope_type' is 'yarn'")]
    [TestCase("'low_freq_factor': 1.0", "'low_freq_factor': 4.0", "not above low_freq_factor")]
    [TestCase("'low_freq_factor': 1.0, ", "", "'text_config.rope_scaling.low_freq_factor' must be a number, found nothing")]
    [TestCase("'use_rq_transformer': false", "'use_rq_transformer': true", "'use_rq_transformer' is true")]
    [TestCase("'audio_decoder_proj_num_layers': 0", "'audio_decoder_proj_num_layers': 2", "'audio_decoder_proj_num_layers' is above 0")]
    [TestCase("'audio_adapter_type': 'dual_ffn_fast_forward'", "'audio_adapter_type': 'moe'", "'audio_adapter_type' is 'moe'")]
    [TestCase("'audio_dual_ffn_layers': [0,", "'audio_dual_ffn_layers': [28,", "'audio_dual_ffn_layers[0]' must be an integer from 0 to 27, found 28")]
    [TestCase("'audio_dual_ffn_layers'", "'other'", "'audio_dual_ffn_layers' is missing")]
    [TestCase("'num_key_value_heads': 8", "'num_key_value_heads': 7", "'text_config.num_key_value_heads' is 7, which does not divide the 24 heads")]
    [TestCase("'head_dim': 128", "'head_dim': 127", "'text_config.head_dim' is 127")]
    [TestCase("'hidden_size': 3072", "'hidden_size': -1", "'text_config.hidden_size' must be an integer from 1")]
    [TestCase("'hidden_size': 3072", "'hidden_size': 1e99", "'text_config.hidden_size' must be an integer from 1")]
    [TestCase("'num_hidden_layers': 28", "'num_hidden_layers': 2000000000", "'text_config.num_hidden_layers' must be an integer from 1 to 512")]
    [TestCase("'vocab_size': 128256", "'vocab_size': '128256'", "'text_config.vocab_size' must be an integer")]
    [TestCase("'rms_norm_eps': 1e-05", "'rms_norm_eps': -1", "'text_config.rms_norm_eps' must be a number from 0 to 1")]
    [TestCase("'attention_bias': false", "'attention_bias': true", "'text_config.attention_bias' is true")]
    [TestCase("'hidden_act': 'silu'", "'hidden_act': 'gelu'", "'text_config.hidden_act' is 'gelu'")]
    [TestCase("'audio_stream_eos_id': 1025", "'audio_stream_eos_id': 2000", "'audio_stream_eos_id' is 2000")]
    [TestCase("'audio_tokenizer_config': null", "'quantization': {'bits': 4}", "'quantization' describes weights that are already quantised")]
    [TestCase("'model_type': 'higgs_audio',", "'model_type': 'higgs_multimodal_qwen3',", "Higgs Audio v3")]
    [TestCase("'model_type': 'higgs_audio',", "'model_type': 'higgs_audio_3',", "Higgs Audio v3 STT")]
    [TestCase("'model_type': 'higgs_audio',", "'model_type': 'higgs_audio_v2_tokenizer',", "is that of the codec")]
    [TestCase("'model_type': 'higgs_audio',", "'model_type': 'llama',", "'model_type' is 'llama'; Higgs Audio v2 has 'higgs_audio' or 'higgs_audio_v2'")]
    [TestCase("'text_config': {", "'text_config': 5, 'other': {", "'text_config' must be an object, found 5")]
    public void What_cannot_be_run_is_refused_by_name(string part, string replacement, string message)
    {
        string broken = Legacy.Replace(part.Replace('\'', '"'), replacement.Replace('\'', '"'), StringComparison.Ordinal);
        Assert.That(broken, Is.Not.EqualTo(Legacy));
        Assert.That(() => Read(broken), Throws.TypeOf<CheckpointException>().With.Message.Contains(message).And.Message.StartsWith("config.json"));
    }

    [TestCase("""{ "n_filters": 32, "ratios": [8, 5, 4, 2, 3] }""", "is that of the codec")]
    [TestCase("{}", "'model_type' is missing")]
    [TestCase("[1]", "is not a JSON object")]
    public void A_configuration_of_something_else_is_refused(string json, string message) =>
        Assert.That(() => Read(json), Throws.TypeOf<CheckpointException>().With.Message.Contains(message));

    [TestCase("{ \"model_type\": ", "is not valid JSON")]
    [TestCase(null, "is missing")]
    public void A_broken_or_missing_file_is_named(string? content, string message)
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        if (content is not null)
            File.WriteAllText(Path.Combine(folder, "config.json"), content);
        Assert.That(() => HiggsAudioConfig.Load(folder), Throws.TypeOf<CheckpointException>()
            .With.Message.Contains(message).And.Property("Path").EqualTo(Path.Combine(folder, "config.json")));
        Directory.Delete(folder, recursive: true);
    }

    [TestCaseSource(nameof(FixtureFolders))]
    public void A_fixtures_configuration_is_read_from_its_folder_or_a_file_in_it(string folder)
    {
        HiggsAudioConfig config = HiggsAudioConfig.Load(folder), same = HiggsAudioConfig.Load(Path.Combine(folder, "config.json"));
        using JsonDocument generation = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "generation_config.json")));
        Assert.That(config.EosTokenIds, Is.EqualTo(generation.RootElement.GetProperty("eos_token_id").EnumerateArray().Select(e => e.GetInt32())));
        Assert.That(same.ToString(), Is.EqualTo((config with { EosTokenIds = same.EosTokenIds, AudioDualFfnLayers = same.AudioDualFfnLayers }).ToString()));
        Assert.That(config.AudioStreamEosId, Is.LessThan(config.CodebookSize));
    }

    private static IEnumerable<TestCaseData> FixtureFolders() =>
        Golden.Folders("lm_").Where(folder => File.Exists(Path.Combine(folder, "config.json"))).Select(folder => new TestCaseData(folder).SetArgDisplayNames(Golden.Display(folder)));
}
