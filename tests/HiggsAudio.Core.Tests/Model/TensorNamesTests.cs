using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Model;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>Which tensors make up the model, under which names.</summary>
internal sealed class TensorNamesTests
{
    // lm_a's sizes as transformers' own layout writes them.
    private const string NativeConfig = """
        {
          "model_type": "higgs_audio_v2", "vocab_size": 600, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
          "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "rms_norm_eps": 1e-05, "num_codebooks": 8, "codebook_size": 66,
          "audio_stream_bos_id": 64, "audio_stream_eos_id": 65, "audio_token_id": 528, "audio_bos_token_id": 525,
          "rope_parameters": {
            "factor": 32.0, "high_freq_factor": 0.5, "low_freq_factor": 0.125, "original_max_position_embeddings": 1024,
            "rope_theta": 500000.0, "rope_type": "llama3"
          }
        }
        """;

    private static HiggsAudioConfig Config(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return ConfigReader.Read(ConfigObject.Of(document.RootElement, "config.json"), null);
    }

    private static float[] Logits(Checkpoint checkpoint, HiggsAudioConfig config)
    {
        using var device = new CpuDevice(threads: 1);
        HiggsAudioModel model = HiggsAudioModel.Load(checkpoint, config, device);
        using var lane = device.CreateLane();
        using SequenceState sequence = model.CreateSequence();
        TokenBatch batch = model.CreateBatch();
        batch.AddText(sequence, 5);
        batch.AddAudio(sequence, new int[config.AudioNumCodebooks]);
        batch.AddText(sequence, 7);
        batch.RequestTextLogits();
        batch.RequestAudioLogits();
        model.Forward(lane, batch);
        return [.. batch.TextLogits(0), .. batch.AudioLogits(0)];
    }

    private static CheckpointException Refusal(Checkpoint checkpoint, HiggsAudioConfig config)
    {
        using var device = new CpuDevice(threads: 1);
        return Assert.Throws<CheckpointException>(() => HiggsAudioModel.Load(checkpoint, config, device))!;
    }

    [Test]
    public void Transformers_own_layout_is_the_same_model()
    {
        using Checkpoint legacy = Checkpoint.Open(LmFixture.Folder("lm_a"));
        var native = new RenamedCheckpoint(legacy, RenamedCheckpoint.ToNative);
        float[] expected = Logits(legacy, HiggsAudioConfig.Load(LmFixture.Folder("lm_a")));
        Assert.That(Logits(native, Config(NativeConfig)), Is.EqualTo(expected).Within(1e-5));   // the rotation's spellings differ in the last bit
    }

    [Test]
    public void The_rows_of_the_audio_head_decide_about_the_codebook_size()
    {
        using Checkpoint legacy = Checkpoint.Open(LmFixture.Folder("lm_a"));
        var native = new RenamedCheckpoint(legacy, RenamedCheckpoint.ToNative);
        HiggsAudioConfig doubtful = Config(NativeConfig.Replace("\"codebook_size\": 66", "\"codebook_size\": 70", StringComparison.Ordinal));
        Assert.That(doubtful.CodebookSize, Is.EqualTo(70));
        Assert.That(Logits(native, doubtful), Has.Length.EqualTo(600 + 8 * 66));
    }

    [Test]
    public void Tensors_that_inference_does_not_need_are_passed_over()
    {
        using Checkpoint plain = Checkpoint.Open(LmFixture.Folder("lm_a"));
        HiggsAudioConfig config = HiggsAudioConfig.Load(LmFixture.Folder("lm_a"));
        var more = new RenamedCheckpoint(plain, n => n, ("layers.0.self_attn.rotary_emb.inv_freq", "norm.weight"), ("rotary_emb.inv_freq", "norm.weight"),
            ("audio_codebook_weights", "norm.weight"), ("audio_tower.layers.0.fc1.weight", "norm.weight"), ("audio_encoder_proj.linear.weight", "norm.weight"),
            ("model.embed_audio_tokens.audio_tokens_offsets", "norm.weight"));
        Assert.That(Logits(more, config), Is.EqualTo(Logits(plain, config)));
    }

    [Test]
    public void Missing_misshaped_and_left_over_tensors_are_named_together()
    {
        using Checkpoint plain = Checkpoint.Open(LmFixture.Folder("lm_a"));
        var broken = new RenamedCheckpoint(plain,
            n => n switch { "norm.weight" => null, "layers.1.self_attn.k_proj.weight" => null, _ => n },
            ("layers.1.self_attn.k_proj.weight", "layers.1.mlp.down_proj.weight"), ("layers.2.mlp.extra.weight", "norm.weight"));
        string message = Refusal(broken, HiggsAudioConfig.Load(LmFixture.Folder("lm_a"))).Message;
        Assert.That(message, Does.Contain("'norm.weight' is missing (expected [64])"));
        Assert.That(message, Does.Contain("is [64, 128], expected [32, 64]"));
        Assert.That(message, Does.Contain("left over: ").And.Contain("norm.weight"));
    }

    [TestCase("embed_tokens.embedding_trainable.weight", "embed_tokens.embedding_trainable.weight")]
    [TestCase("audio_decoder_proj.text_lm_head.linear_frozen.weight", "text_lm_head.weight")]
    [TestCase("audio_decoder_proj.audio_lm_head.weight", "audio_lm_head.weight")]
    [TestCase("audio_out_embed_projector.weight", "audio_out_embed_projector.weight")]
    [TestCase("layers.2.audio_input_layernorm.weight", "layers.2.audio_input_layernorm.weight")]
    public void Half_of_a_split_table_or_any_other_tensor_may_not_be_missing(string name, string missing)
    {
        using Checkpoint whole = Checkpoint.Open(LmFixture.Folder("lm_c"));
        Assert.That(whole.Tensors, Contains.Key(name));
        Assert.That(Refusal(new RenamedCheckpoint(whole, n => n == name ? null : n), HiggsAudioConfig.Load(LmFixture.Folder("lm_c"))).Message,
            Does.Contain($"'{missing}' is missing"));
    }

    [TestCase("tied.embedding.text_embedding.weight", "Higgs Audio v3")]
    [TestCase("body.layers.0.attn.weight", "Higgs Audio v3")]
    [TestCase("quantizer.quantizers.0.codebook.embed", "the codec")]
    public void Another_models_tensors_are_recognised(string name, string message)
    {
        using Checkpoint plain = Checkpoint.Open(LmFixture.Folder("lm_a"));
        CheckpointException refusal = Refusal(new RenamedCheckpoint(plain, n => n, (name, "norm.weight")), HiggsAudioConfig.Load(LmFixture.Folder("lm_a")));
        Assert.That(refusal.Message, Does.Contain(message));
        Assert.That(refusal.Tensor, Is.EqualTo(name));
    }

    /// <summary>The published checkpoint's 397 tensors by name, all sizes shrunk.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void The_published_checkpoints_names_are_all_and_only_those_of_the_model(bool native)
    {
        var sizes = new Dictionary<long, long> { [3072] = 12, [1024] = 4, [8192] = 16, [128256] = 20, [8208] = 32 };
        using JsonDocument published = JsonDocument.Parse(File.ReadAllText(Path.Combine(LmFixture.Folder("published_shapes"), "lm_3b.json")));
        TensorPlan[] plans = [.. published.RootElement.GetProperty("tensors").EnumerateObject().Select(t => new TensorPlan(
            native ? RenamedCheckpoint.ToNative(t.Name) : t.Name, TensorType.BFloat16, [.. t.Value.EnumerateArray().Select(d => sizes[d.GetInt64()])]))];
        Assert.That(plans, Has.Length.EqualTo(397));
        string folder = Directory.CreateTempSubdirectory().FullName;
        using (var writer = new SafeTensorsWriter(Path.Combine(folder, "model.safetensors"), plans))
        {
            foreach (TensorPlan plan in plans)
                writer.Write(plan.Name, new byte[plan.ByteLength]);
            writer.Complete();
        }
        using (Checkpoint checkpoint = Checkpoint.Open(folder))
            Assert.That(Logits(checkpoint, Config("""
                {
                  "model_type": "higgs_audio_v2", "vocab_size": 20, "hidden_size": 12, "intermediate_size": 16, "num_attention_heads": 6,
                  "num_key_value_heads": 2, "head_dim": 2, "codebook_size": 4, "audio_stream_bos_id": 2, "audio_stream_eos_id": 3
                }
                """)), Has.Length.EqualTo(20 + 32).And.All.Zero);
        Directory.Delete(folder, recursive: true);
    }
}
