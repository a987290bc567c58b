using System.Text.Json;
using System.Text.Json.Nodes;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Tests;

/// <summary>Which files load as a codec, and what is said of those that do not.</summary>
public class CodecCheckpointTests
{
    private static readonly float[] Noise = [.. Enumerable.Range(0, 2400).Select(i => MathF.Sin(i * i * 0.01f) * 0.3f)];

    [TestCase("codec_a")]
    [TestCase("codec_b")]
    public void The_transformers_layout_gives_the_same_codes_and_samples(string fixture)
    {
        using var folder = new CodecFolder(fixture);
        using var legacy = new CodecFixture(folder.Write().Path, On.Cpu);
        using var other = new CodecFolder(fixture);
        other.ToTransformersLayout();
        using var transformers = new CodecFixture(other.Write().Path, On.Cpu);

        AudioCodes codes = legacy.Codec.EncodeMono(Noise);
        Assert.That(transformers.Codec.EncodeMono(Noise), Is.EqualTo(codes));
        Assert.That(transformers.Decode(codes).Samples, Is.EqualTo(legacy.Decode(codes).Samples).Within(1e-6f));
        Assert.That(transformers.Codec.SamplingRate, Is.EqualTo(24000));
    }

    [Test]
    public void Every_published_name_is_mapped_to_that_of_the_transformers_library()
    {
        string path = System.IO.Path.Combine(Golden.Repository, "tests", "golden", "published_shapes", "codec.json");
        using JsonDocument published = JsonDocument.Parse(File.ReadAllText(path));
        string[] names = [.. published.RootElement.GetProperty("tensors").EnumerateObject().Select(t => t.Name)];
        Assert.That(names, Has.Length.EqualTo(602));
        var canonical = new HashSet<string>();
        foreach (string name in names)
        {
            string other = CodecFolder.TransformersName(name);
            if (CodecTensorNames.Canonical(name) is not { } mapped)
                Assert.That(name, Does.StartWith("decoder_semantic.").Or.StartWith("fc_post1.").Or.EndWith("masked_spec_embed")
                    .Or.EndWith("inited").Or.EndWith("cluster_size").Or.EndWith("embed_avg"));
            else
                Assert.That((mapped, canonical.Add(mapped)), Is.EqualTo((other, true)));
            Assert.That(CodecTensorNames.Canonical(other), Is.EqualTo(CodecTensorNames.Canonical(name)));
        }
    }

    [Test]
    public void A_decoder_only_file_decodes_and_says_that_it_cannot_encode()
    {
        using var whole = new CodecFolder();
        using var folder = new CodecFolder();
        foreach (string name in folder.Tensors.Keys.Where(k => CodecTensorNames.CanonicalForDecoding(k) is null).ToArray())
            folder.Tensors.Remove(name);
        using var decoder = new CodecFixture(folder.Write().Path, On.Cpu, decodeOnly: true);
        using var wholeDecoder = new CodecFixture(whole.Write().Path, On.Cpu, decodeOnly: true);
        using var codec = new CodecFixture(whole.Path, On.Cpu);
        AudioCodes codes = codec.Codec.EncodeMono(Noise);

        Assert.That(decoder.Decode(codes).Samples, Is.EqualTo(codec.Decode(codes).Samples));
        Assert.That(wholeDecoder.Decode(codes).Samples, Is.EqualTo(codec.Decode(codes).Samples));
        Assert.That((decoder.Codec.CanEncode, codec.Codec.CanEncode), Is.EqualTo((false, true)));
        Assert.That(() => decoder.Codec.EncodeMono(Noise), Throws.InvalidOperationException.With.Message.Contains("DecodeOnly"));
        Assert.That(() => new CodecFixture(folder.Path, On.Cpu), Throws.TypeOf<CheckpointException>().With.Message.Contains("DecodeOnly"));
    }

    [Test]
    public void The_language_model_s_file_in_the_codec_s_folder_is_named_and_the_right_revision_told()
    {
        using var folder = new CodecFolder();
        folder.Tensors.Clear();
        folder.Tensors["model.layers.0.self_attn.q_proj.weight"] = ([2, 2], new float[4]);
        folder.Tensors["model.embed_audio_tokens.embed_audio_tokens.weight"] = ([2, 2], new float[4]);
        Assert.That(() => new CodecFixture(folder.Write().Path, On.Cpu), Throws.TypeOf<CheckpointException>()
            .With.Message.Contains("language model").And.Message.Contains("403fbacf2f60caaa102f893fdfabb694619b2417"));
    }

    [TestCase("body.layers.0.norm.weight", "v3")]
    [TestCase("anything.weight", "not a codec")]
    public void Other_files_in_the_codec_s_folder_are_refused(string tensor, string expected)
    {
        using var folder = new CodecFolder();
        folder.Tensors.Clear();
        folder.Tensors[tensor] = ([2], new float[2]);
        Assert.That(() => new CodecFixture(folder.Write().Path, On.Cpu), Throws.TypeOf<CheckpointException>().With.Message.Contains(expected));
    }

    [TestCase("fc_prior.bias", "fc.bias")]
    [TestCase("decoder_2.model.1.block.2.block.1.bias", "acoustic_decoder.block.0.res_unit1.conv1.bias")]
    [TestCase("decoder_2.model.0.weight_v", "acoustic_decoder.conv1")]
    [TestCase("semantic_model.encoder.layers.1.attention.q_proj.weight", "semantic_model.encoder.layers.1.attention.q_proj.weight")]
    [TestCase("semantic_model.encoder.pos_conv_embed.conv.bias", "pos_conv_embed.conv.bias")]
    [TestCase("quantizer.vq.layers.3._codebook.embed", "quantizer")]
    public void A_missing_tensor_is_named(string removed, string expected)
    {
        using var folder = new CodecFolder();
        Assert.That(folder.Tensors.Remove(removed));
        Assert.That(() => new CodecFixture(folder.Write().Path, On.Cpu), Throws.TypeOf<CheckpointException>().With.Message.Contains(expected));
    }

    [TestCase("fc_post2.weight")]
    [TestCase("fc_prior.weight")]
    [TestCase("encoder.block.2.block.4.weight_v")]
    [TestCase("decoder_2.model.2.block.1.weight_v")]
    [TestCase("encoder_semantic.conv_blocks.1.conv.conv.weight")]
    [TestCase("semantic_model.encoder.layers.0.layer_norm.weight")]
    [TestCase("semantic_model.encoder.pos_conv_embed.conv.weight_v")]
    [TestCase("semantic_model.feature_extractor.conv_layers.3.conv.weight")]
    public void A_tensor_of_another_shape_is_named(string tensor)
    {
        using var folder = new CodecFolder();
        (long[] shape, float[] values) = folder.Tensors[tensor];
        shape[^1]--;
        folder.Tensors[tensor] = (shape, values[..(int)shape.Aggregate(1L, (a, b) => a * b)]);
        Assert.That(() => new CodecFixture(folder.Write().Path, On.Cpu), Throws.TypeOf<CheckpointException>().With.Message.Contains(tensor));
    }

    [Test]
    public void A_tensor_that_is_not_the_codec_s_is_named()
    {
        using var folder = new CodecFolder();
        folder.Tensors["encoder.block.9.surprise"] = ([1], [1f]);
        Assert.That(() => new CodecFixture(folder.Write().Path, On.Cpu), Throws.TypeOf<CheckpointException>().With.Message.Contains("surprise"));
    }

    [TestCase("bins", 128, "quantizer.vq.layers.0._codebook.embed")]
    [TestCase("n_q", 4, "quantizer.vq.layers.0._codebook.embed")]
    [TestCase("codebook_dim", 16, "quantizer.vq.layers.0._codebook.embed")]
    [TestCase("D", 64, "decoder_2.model.0.weight_v")]
    [TestCase("vq_scale", 2, "fc_prior.weight")]
    [TestCase("encoder_channels", 64, "encoder.block.0.weight_v")]
    [TestCase("decoder_channels", 1024, "decoder_2.model.0.weight_v")]
    public void A_size_that_contradicts_the_tensors_names_the_key_and_the_tensor(string key, int value, string tensor)
    {
        using var folder = new CodecFolder();
        folder.Config[key] = value;
        Assert.That(() => new CodecFixture(folder.Write().Path, On.Cpu), Throws.TypeOf<CheckpointException>().With.Message.Contains($"\"{key}\"").And.Message.Contains(tensor));
    }

    [TestCase("8,5,4,2", "decoder_2.model.4.block.1.weight_v")]
    [TestCase("8,5,4", "blocks")]
    [TestCase("8,5,4,3,2", "is missing")]
    public void Ratios_that_contradict_the_tensors_are_refused(string ratios, string expected)
    {
        using var folder = new CodecFolder();
        folder.Config["ratios"] = new JsonArray([.. ratios.Split(',').Select(r => JsonValue.Create(int.Parse(r)))]);
        Assert.That(() => new CodecFixture(folder.Write().Path, On.Cpu), Throws.TypeOf<CheckpointException>().With.Message.Contains(expected));
    }

    [TestCase("hidden_size", 768)]
    [TestCase("num_hidden_layers", 12)]
    [TestCase("intermediate_size", 3072)]
    [TestCase("num_conv_pos_embeddings", 64)]
    [TestCase("num_conv_pos_embedding_groups", 8)]
    public void A_size_of_the_semantic_model_that_contradicts_the_tensors_is_named(string key, int value)
    {
        using var folder = new CodecFolder();
        folder.Hubert![key] = value;
        Assert.That(() => new CodecFixture(folder.Write().Path, On.Cpu), Throws.TypeOf<CheckpointException>().With.Message.Contains($"\"{key}\": {value}"));
    }
}
