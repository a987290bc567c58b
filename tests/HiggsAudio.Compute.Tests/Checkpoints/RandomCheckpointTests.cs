using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using HiggsAudio.Testing.RandomModels;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public class RandomCheckpointTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    private static Dictionary<string, long[]> Published(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Golden.Repository, "tests", "golden", "published_shapes", file)));
        return document.RootElement.GetProperty("tensors").EnumerateObject()
            .ToDictionary(t => t.Name, t => t.Value.EnumerateArray().Select(d => d.GetInt64()).ToArray());
    }

    private static void AssertPublished(List<RandomTensor> tensors, string file)
    {
        Dictionary<string, long[]> expected = Published(file);
        Assert.That(tensors.Select(t => t.Name), Is.EquivalentTo(expected.Keys));
        foreach (RandomTensor tensor in tensors)
            Assert.That(tensor.Shape, Is.EqualTo(expected[tensor.Name]), tensor.Name);
    }

    [TestCase(CheckpointLayout.Legacy, "lm_3b.json")]
    [TestCase(CheckpointLayout.HuggingFace, "lm_3b_hf.json")]
    public void The_language_model_has_the_published_names_and_shapes(CheckpointLayout layout, string file)
    {
        List<RandomTensor> tensors = LanguageModelSizes.Published.Tensors(layout);
        AssertPublished(tensors, file);
        Assert.That(tensors.Sum(t => t.Count), Is.EqualTo(5_771_283_456));
        Assert.That(tensors, Has.All.Property("Type").EqualTo(TensorType.BFloat16));
    }

    [TestCase(CheckpointLayout.Legacy, "codec.json", 201_426_474)]
    [TestCase(CheckpointLayout.HuggingFace, "codec_hf.json", 201_400_553)]
    public void The_codec_has_the_published_names_and_shapes(CheckpointLayout layout, string file, int values)
    {
        List<RandomTensor> tensors = CodecSizes.Published.Tensors(layout);
        AssertPublished(tensors, file);
        Assert.That(tensors.Sum(t => t.Count), Is.EqualTo(values));
        Assert.That(tensors, Has.All.Property("Type").EqualTo(TensorType.Float32));
    }

    [Test]
    public void The_legacy_language_model_is_split_like_the_published_one()
    {
        List<List<RandomTensor>> shards = RandomCheckpoint.Shards(LanguageModelSizes.Published.Tensors(CheckpointLayout.Legacy));
        Assert.That(shards.Select(s => s.Count), Is.EqualTo(new[] { 164, 201, 32 }));
        Assert.That(shards[2].Select(t => t.Name), Has.Member("audio_codebook_embeddings.weight").And.Member("norm.weight").And.No.Member("embed_tokens.weight"));
    }

    [TestCase(CheckpointLayout.Legacy)]
    [TestCase(CheckpointLayout.HuggingFace)]
    public void Tiny_checkpoints_open_with_finite_values(CheckpointLayout layout)
    {
        RandomCheckpoint.WriteLanguageModel(_folder.File("lm"), LanguageModelSizes.Tiny with { Vocabulary = 300 }, layout);
        RandomCheckpoint.WriteCodec(_folder.File("codec"), CodecSizes.Tiny, layout);
        foreach (string part in new[] { "lm", "codec" })
        {
            using Checkpoint checkpoint = Checkpoint.Open(_folder.File(part));
            foreach (CheckpointTensor tensor in checkpoint.Tensors.Values)
                Assert.That(tensor.ToFloats(), Has.All.Matches<float>(float.IsFinite), tensor.Name);
            using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder.File(part), "config.json")));
            Assert.That(config.RootElement.ValueKind, Is.EqualTo(JsonValueKind.Object));
        }
    }

    [Test]
    public void Both_layouts_of_the_language_model_hold_the_same_values()
    {
        LanguageModelSizes sizes = LanguageModelSizes.Tiny with { Vocabulary = 300 };
        RandomCheckpoint.WriteLanguageModel(_folder.File("legacy"), sizes, CheckpointLayout.Legacy, seed: 5);
        RandomCheckpoint.WriteLanguageModel(_folder.File("hf"), sizes, CheckpointLayout.HuggingFace, seed: 5);
        using Checkpoint legacy = Checkpoint.Open(_folder.File("legacy")), other = Checkpoint.Open(_folder.File("hf"));
        Assert.That(legacy, Is.InstanceOf<ShardedCheckpoint>());
        foreach ((RandomTensor a, RandomTensor b) in sizes.Tensors(CheckpointLayout.Legacy).Zip(sizes.Tensors(CheckpointLayout.HuggingFace)))
            TensorAssert.AreEqual(legacy.Tensors[a.Name], other.Tensors[b.Name]);
    }

    [Test]
    public void Folding_the_legacy_codec_gives_the_values_of_the_other_layout()
    {
        RandomCheckpoint.WriteCodec(_folder.File("legacy"), CodecSizes.Tiny, CheckpointLayout.Legacy, seed: 5);
        RandomCheckpoint.WriteCodec(_folder.File("hf"), CodecSizes.Tiny, CheckpointLayout.HuggingFace, seed: 5);
        using Checkpoint legacy = Checkpoint.Open(_folder.File("legacy")), other = Checkpoint.Open(_folder.File("hf"));
        WeightReader legacyReader = new(legacy, new ReferenceDevice()), otherReader = new(other, new ReferenceDevice());
        foreach ((string name, string otherName, int[] shape) in new[]
        {
            ("encoder.block.5.block.4", "acoustic_encoder.block.4.conv1", new[] { 128, 64, 6 }),
            ("decoder_2.model.2.block.3.block.1", "acoustic_decoder.block.1.res_unit2.conv1", [16, 16, 7]),
            ("decoder_2.model.7", "acoustic_decoder.conv2", [1, 2, 7]),
            ("semantic_model.encoder.pos_conv_embed.conv", "semantic_model.encoder.pos_conv_embed.conv", [32, 2, 128]),
        })
        {
            var folded = (ReferenceWeight)legacyReader.Conv1d(name, shape[0], shape[1], shape[2]);
            var stored = (ReferenceWeight)otherReader.Conv1d(otherName, shape[0], shape[1], shape[2]);
            for (int row = 0; row < folded.Rows; row++)
                Assert.That(folded.Row(row).ToArray(), Is.EqualTo(stored.Row(row).ToArray()).Within(1e-6f));
        }
        Assert.That(() => legacyReader.Complete(), Throws.TypeOf<CheckpointException>().With.Message.Not.Contains("missing").And.Message.Not.Contains("expected"));
    }

    [Test]
    public void Values_depend_on_seed_name_and_place_but_not_on_how_they_are_cut()
    {
        var tensor = new RandomTensor("a", "a", TensorType.Float32, [1000], RandomFill.Normal, 2);
        float[] Values(int seed, RandomTensor t, int start, int count)
        {
            var values = new float[count];
            new RandomValues(seed).Fill(t, start, values);
            return values;
        }
        float[] whole = Values(1, tensor, 0, 1000);
        Assert.That(Values(1, tensor, 400, 599), Is.EqualTo(whole[400..999]));
        Assert.That(Values(2, tensor, 0, 1000), Is.Not.EqualTo(whole));
        Assert.That(Values(1, tensor with { Source = "b" }, 0, 1000), Is.Not.EqualTo(whole));
        var halves = new ushort[1000];
        new RandomValues(1).Fill(tensor, 0, halves);
        Assert.That(halves, Is.EqualTo(whole.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(ReferenceDevice.RoundToBFloat16(v)) >> 16))));
    }

    [Test]
    public void Values_are_normally_distributed()
    {
        var values = new float[1_000_000];
        new RandomValues(3).Fill(new RandomTensor("a", "a", TensorType.Float32, [values.Length], RandomFill.Normal, 2), 0, values);
        double mean = values.Average(v => (double)v), variance = values.Average(v => (v - mean) * (v - mean));
        Assert.That(mean, Is.EqualTo(0).Within(0.01));
        Assert.That(variance, Is.EqualTo(4).Within(0.03));
        Assert.That(values.Count(v => Math.Abs(v) < 2) / 1e6, Is.EqualTo(0.6827).Within(0.003));
        Assert.That(values.Count(v => Math.Abs(v) > 4) / 1e6, Is.EqualTo(0.0455).Within(0.002));
        Assert.That(values.Zip(values.Skip(1), (a, b) => (double)a * b).Average(), Is.EqualTo(0).Within(0.02), "neighbours");
    }

    [Test]
    public void The_tokenizer_has_all_bytes_and_the_special_tokens_at_their_ids()
    {
        using JsonDocument document = JsonDocument.Parse(ByteTokenizer.Json());
        Dictionary<int, string> special = document.RootElement.GetProperty("added_tokens").EnumerateArray()
            .ToDictionary(t => t.GetProperty("id").GetInt32(), t => t.GetProperty("content").GetString()!);
        Assert.That(special.Keys, Is.EqualTo(Enumerable.Range(128000, 256)));
        Assert.That(special.Values.Distinct().Count(), Is.EqualTo(256));
        Assert.That(special[128009], Is.EqualTo("<|eot_id|>"));
        Assert.That(special[128016], Is.EqualTo("<|AUDIO_OUT|>"));
        Assert.That(special[128255], Is.EqualTo("<|reserved_special_token_247|>"));
        Assert.That(document.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject().Count(), Is.EqualTo(256));
    }
}
