using System.Text.Json.Nodes;
using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>Adapters that are broken, or for another model.</summary>
internal sealed class AdapterRefusalTests
{
    private const string Module = "layers.0.self_attn.q_proj", A = "base_model.model.layers.0.self_attn.q_proj.lora_A.weight", B = "base_model.model.layers.0.self_attn.q_proj.lora_B.weight";

    private AdapterFolder _adapter = null!;

    [SetUp]
    public void MakeAdapter()
    {
        _adapter = new AdapterFolder();
        _adapter.AddLinear(Module, 64, 64, 4, 1);
    }

    [TearDown]
    public void DeleteAdapter() => _adapter.Dispose();

    private CheckpointException Refused(params string[] words)
    {
        var folders = new ModelFolders(LmFixture.Folder("lm_b"), "", [new AdapterOptions(_adapter.Path)]);
        CheckpointException problem = Assert.Throws<CheckpointException>(() => folders.OpenModel().Dispose())!;
        foreach (string word in words)
            Assert.That(problem.Message, Does.Contain(word));
        return problem;
    }

    [Test]
    public void An_adapter_of_a_wider_model_names_both_shapes_and_its_base()
    {
        _adapter.AddLinear(Module, 3072, 3072, 4, 1);
        _adapter.Write();
        Assert.That(Refused("[4, 3072]", "expected [4, 64]", "rank 4", "[64, 64]", "'someone/base-model'").Tensor, Is.EqualTo(A));
    }

    [Test]
    public void An_adapter_of_a_deeper_model_names_the_tensor_that_is_not_there()
    {
        _adapter.AddLinear("layers.27.self_attn.q_proj", 64, 64, 4, 1);
        _adapter.Write();
        Refused("layers.27.self_attn.q_proj.weight", "which the model does not have", "'someone/base-model'");
    }

    [Test]
    public void A_rank_that_is_not_the_configuration_s_is_refused()
    {
        _adapter.Config["r"] = 16;
        _adapter.Write();
        Refused(A, "rank 16", "[4, 64]", "[16, 64]");
    }

    [TestCase(A, "has no lora_A beside it")]
    [TestCase(B, "has no '" + B + "' beside it")]
    public void Half_a_pair_is_refused(string removed, string says)
    {
        _adapter.Remove(removed);
        _adapter.Write();
        Refused(says);
    }

    [TestCase("base_model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", "not a tensor of a LoRA adapter")]
    [TestCase("base_model.model.layers.0.self_attn.q_proj.bias", "not a tensor of a LoRA adapter")]
    [TestCase("base_model.model.audio_codebook_weights.weight", "does not have")]
    [TestCase("base_model.model.audio_tower.weight", "which is not used")]
    public void Tensors_that_are_not_understood_are_refused(string name, string says)
    {
        _adapter.Add(name, 64);
        _adapter.Write();
        Refused(name, says);
    }

    [Test]
    public void The_same_change_under_two_names_is_refused()
    {
        _adapter.AddLinear("model." + Module, 64, 64, 4, 1);
        _adapter.Write();
        Refused("a second time");
    }

    private static IEnumerable<TestCaseData> Configs() =>
    [
        new("peft_type", JsonValue.Create("IA3"), "only LORA"),
        new("use_dora", JsonValue.Create(true), "'use_dora' is not supported"),
        new("fan_in_fan_out", JsonValue.Create(true), "'fan_in_fan_out'"),
        new("lora_bias", JsonValue.Create(true), "'lora_bias'"),
        new("layer_replication", new JsonArray(1, 2), "'layer_replication'"),
        new("init_lora_weights", JsonValue.Create("pissa_niter_4"), "pissa_niter_4"),
        new("r", null, "'r'"),
        new("r", JsonValue.Create(0), "from 1"),
        new("r", JsonValue.Create(2.5), "whole number"),
        new("r", JsonValue.Create(1e300), "from 1"),
        new("r", JsonValue.Create("4"), "'r' must be a number"),
        new("lora_alpha", null, "'lora_alpha' is missing"),
        new("rank_pattern", new JsonArray(), "'rank_pattern' must be an object"),
        new("rank_pattern", new JsonObject { ["q_proj"] = "x" }, "'rank_pattern' must give a number"),
        new("rank_pattern", new JsonObject { ["("] = 4 }, "'rank_pattern' has the pattern '('"),
        new("rank_pattern", new JsonObject { [@"(a)\1"] = 4 }, "cannot be used"),
        new("rank_pattern", new JsonObject { ["q_proj"] = -1 }, "from 1"),
    ];

    [TestCaseSource(nameof(Configs))]
    public void Configurations_that_cannot_be_merged_are_refused_by_name(string key, JsonNode? value, string says)
    {
        _adapter.Config[key] = value?.DeepClone();
        _adapter.Write();
        Refused("adapter_config.json", says);
    }

    // Backtracking would take longer than the universe has.
    [Test]
    public void A_pattern_that_would_take_forever_does_not()
    {
        _adapter.Config["rank_pattern"] = new JsonObject { ["(([a-z]+)+)+_nothing"] = 9 };
        _adapter.AddLinear("layers." + new string('a', 5000) + ".q_proj", 64, 64, 4, 1);
        _adapter.Write();
        Refused("does not have");
    }

    [TestCase("")]
    [TestCase("[]")]
    [TestCase("{")]
    [TestCase("null")]
    public void What_is_no_configuration_is_refused(string text)
    {
        _adapter.Write();
        File.WriteAllText(Path.Combine(_adapter.Path, "adapter_config.json"), text);
        Refused("adapter_config.json");
    }

    [Test]
    public void Missing_files_are_named()
    {
        _adapter.Write();
        File.Move(_adapter.TensorsFile, Path.Combine(_adapter.Path, "adapter_model.bin"));
        Refused("adapter_model.safetensors", "is missing", "pickle");
        File.Delete(Path.Combine(_adapter.Path, "adapter_config.json"));
        Refused("adapter_config.json", "does not exist");
    }

    // Lies in the file's header: every offset beyond the end, every length cut, found when the file is opened.
    [Test]
    public void A_file_that_lies_about_itself_is_refused()
    {
        _adapter.Write();
        byte[] file = File.ReadAllBytes(_adapter.TensorsFile);
        foreach (int length in new[] { 0, 7, 8, 100, file.Length / 2, file.Length - 1 })
        {
            File.WriteAllBytes(_adapter.TensorsFile, file[..length]);
            Refused("adapter_model.safetensors");
        }
        byte[] longer = [.. file];
        longer[7] = 0x7F;   // a header of 2^62 bytes
        File.WriteAllBytes(_adapter.TensorsFile, longer);
        Refused("adapter_model.safetensors");
    }

    [Test]
    public void An_adapter_of_integers_is_refused()
    {
        string header = $$$"""{"{{{A}}}":{"dtype":"I32","shape":[4,64],"data_offsets":[0,1024]},"{{{B}}}":{"dtype":"I32","shape":[64,4],"data_offsets":[1024,2048]}}""";
        _adapter.Write();
        File.WriteAllBytes(_adapter.TensorsFile, [.. BitConverter.GetBytes((long)header.Length), .. System.Text.Encoding.UTF8.GetBytes(header), .. new byte[2048]]);
        Refused("Int32");
    }

    [Test]
    public void Options_of_adapters_are_checked()
    {
        Assert.That(() => new EngineOptions { Adapters = [new AdapterOptions("a", float.NaN)] }.Validate(), Throws.ArgumentException);
        Assert.That(() => new EngineOptions { Adapters = [new AdapterOptions("")] }.Validate(), Throws.ArgumentException);
    }
}
