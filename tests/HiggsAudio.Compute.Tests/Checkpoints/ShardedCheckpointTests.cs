using System.Text;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public class ShardedCheckpointTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder()
    {
        _folder = new TemporaryFolder();
        Shard("1.safetensors", "a", "b");
        Shard("2.safetensors", "c");
    }

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    private void Shard(string file, params string[] names)
    {
        using var writer = new SafeTensorsWriter(_folder.File(file), names.Select(n => new TensorPlan(n, TensorType.UInt8, [1])));
        foreach (string name in names)
            writer.Write(name, [(byte)name[0]]);
        writer.Complete();
    }

    private Checkpoint Open(string index) =>
        Checkpoint.Open(_folder.Write("model.safetensors.index.json", Encoding.UTF8.GetBytes(index)));

    [Test]
    public void Tensors_of_all_shards_are_there_those_beyond_the_index_too()
    {
        using Checkpoint checkpoint = Open("""
            {"metadata":{"total_size":3,"by":"hand","deep":{"x":[1]}},"weight_map":{"a":"1.safetensors","c":"2.safetensors"}}
            """);
        Assert.That(checkpoint.Tensors.Keys, Is.EquivalentTo(new[] { "a", "b", "c" }));
        Assert.That(checkpoint.Tensors["c"].ToFloats(), Is.EqualTo(new float[] { 'c' }));
        Assert.That(checkpoint.Metadata["total_size"], Is.EqualTo("3"));
        Assert.That(checkpoint.Metadata["by"], Is.EqualTo("hand"));
        Assert.That(checkpoint.Path, Is.EqualTo(_folder.File("model.safetensors.index.json")));
    }

    [Test]
    public void Shards_may_be_torch_files()
    {
        using (FileStream stream = File.Create(_folder.File("3.bin")))
        {
            var writer = new TorchFileWriter(stream);
            writer.Add("d", TensorType.UInt8, [1], [4]);
            writer.Finish();
        }
        using Checkpoint checkpoint = Open("""{"weight_map":{"a":"1.safetensors","d":"3.bin"}}""");
        Assert.That(checkpoint.Tensors["d"].ToFloats(), Is.EqualTo(new float[] { 4 }));
    }

    [Test]
    public void A_missing_shard_is_named_with_its_folder() =>
        Assert.That(() => Open("""{"weight_map":{"a":"9.safetensors"}}"""),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("9.safetensors").And.Message.Contains(_folder.Path));

    [TestCase("{\"weight_map\":{\"c\":\"1.safetensors\"}}", "c", "should be in 1.safetensors")]
    [TestCase("{\"weight_map\":{\"a\":\"1.safetensors\",\"a\":\"1.safetensors\"}}", "a", "weight_map twice")]
    [TestCase("{\"weight_map\":{\"a\":1}}", "a", "must name a file")]
    [TestCase("{\"weight_map\":{\"a\":null}}", "a", "must name a file")]
    [TestCase("{\"weight_map\":{\"a\":\"\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":{\"a\":\".\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":{\"a\":\"..\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":{\"a\":\"../1.safetensors\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":{\"a\":\"..\\\\1.safetensors\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":{\"a\":\"x/1.safetensors\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":{\"a\":\"C:1.safetensors\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":{\"a\":\"1.safetensors\\u0000\"}}", "a", "own folder")]
    [TestCase("{\"weight_map\":[]}", null, "no weight_map")]
    [TestCase("{}", null, "no weight_map")]
    [TestCase("[]", null, "must be a JSON object")]
    [TestCase("{\"weight_map\":{", null, "not valid JSON")]
    [TestCase("{\"weight_map\":{\"\\ud800\":\"1.safetensors\"}}", null, "not valid JSON")]
    [TestCase("{\"weight_map\":{\"a\":\"model.safetensors.index.json\"}}", null, "neither")]
    public void A_broken_index_is_refused(string index, string? tensor, string problem)
    {
        CheckpointException e = Assert.Throws<CheckpointException>(() => Open(index))!;
        Assert.That(e.Message, Does.Contain(problem));
        Assert.That(e.Tensor, Is.EqualTo(tensor));
    }

    [Test]
    public void A_tensor_in_two_shards_is_refused_naming_both()
    {
        Shard("3.safetensors", "b", "d");
        CheckpointException e = Assert.Throws<CheckpointException>(() => Open("""{"weight_map":{"a":"1.safetensors","d":"3.safetensors"}}"""))!;
        Assert.That(e.Message, Does.Contain("1.safetensors and 3.safetensors"));
        Assert.That(e.Tensor, Is.EqualTo("b"));
    }

    [Test]
    public void A_broken_shard_is_named()
    {
        _folder.Write("2.safetensors", [1, 2, 3]);
        CheckpointException e = Assert.Throws<CheckpointException>(() => Open("""{"weight_map":{"a":"1.safetensors","c":"2.safetensors"}}"""))!;
        Assert.That(e.Path, Is.EqualTo(_folder.File("2.safetensors")));
    }
}
