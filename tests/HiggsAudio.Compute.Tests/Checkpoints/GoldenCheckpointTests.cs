using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public class GoldenCheckpointTests
{
    [TestCaseSource(nameof(FoldersWithCheckpoints))]
    public void Every_golden_checkpoint_opens_and_has_finite_values(string folder)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        Assert.That(checkpoint.Tensors, Is.Not.Empty);
        foreach (CheckpointTensor tensor in checkpoint.Tensors.Values)
            Assert.That(tensor.ToFloats(), Has.All.Matches<float>(float.IsFinite), tensor.Name);
    }

    [TestCaseSource(nameof(FilesOfCases))]
    public void Every_golden_case_opens(string file)
    {
        using Checkpoint checkpoint = Checkpoint.Open(file);
        Assert.That(checkpoint.Tensors, Is.Not.Empty);
    }

    [TestCaseSource(nameof(FoldersWithBothFormats))]
    public void A_torch_checkpoint_equals_its_safetensors_twin(string folder)
    {
        using Checkpoint torch = Checkpoint.Open(Path.Combine(folder, "model.pth"));
        using Checkpoint twin = Checkpoint.Open(Path.Combine(folder, "model.safetensors"));
        Assert.That(torch.Tensors.Keys, Is.EquivalentTo(twin.Tensors.Keys));
        foreach ((string name, CheckpointTensor expected) in twin.Tensors)
            TensorAssert.AreEqual(torch.Tensors[name], expected);
    }

    [TestCaseSource(nameof(FoldersWithShards))]
    public void Shards_are_read_as_one_checkpoint(string folder)
    {
        using Checkpoint whole = Checkpoint.Open(folder);
        Assert.That(whole, Is.InstanceOf<ShardedCheckpoint>());
        int count = 0;
        foreach (string file in Directory.GetFiles(folder, "model-*.safetensors"))
        {
            using var shard = new SafeTensorsFile(file);
            count += shard.Tensors.Count;
            foreach ((string name, CheckpointTensor expected) in shard.Tensors)
                TensorAssert.AreEqual(whole.Tensors[name], expected);
        }
        Assert.That(whole.Tensors, Has.Count.EqualTo(count));
        Assert.That(whole.Metadata["total_size"], Is.EqualTo($"{whole.Tensors.Values.Sum(t => t.ByteLength)}"));
    }

    private static IEnumerable<TestCaseData> FoldersWithCheckpoints() =>
        Folders(_ => true);

    private static IEnumerable<TestCaseData> FoldersWithBothFormats() =>
        Folders(f => f.StartsWith("codec_", StringComparison.Ordinal)).Where(c => Holds(c, "model.pth") && Holds(c, "model.safetensors"));

    private static IEnumerable<TestCaseData> FoldersWithShards() =>
        Folders(_ => true).Where(c => Holds(c, "model.safetensors.index.json"));

    private static IEnumerable<TestCaseData> FilesOfCases() =>
        new[] { "codec_", "lm_", "e2e", "resample" }.SelectMany(Golden.Folders).SelectMany(folder => Directory.GetFiles(folder, "case_*.safetensors"))
            .Order(StringComparer.Ordinal)
            .Select(file => new TestCaseData(file).SetArgDisplayNames($"{Golden.Display(Path.GetDirectoryName(file)!)}/{Path.GetFileName(file)}"));

    private static IEnumerable<TestCaseData> Folders(Func<string, bool> where) =>
        new[] { "codec_", "lm_" }.SelectMany(Golden.Folders)
            .Where(folder => where(Path.GetFileName(folder)))
            .Where(folder => new[] { "model.safetensors.index.json", "model.safetensors", "model.pth" }.Any(f => File.Exists(Path.Combine(folder, f))))
            .Select(folder => new TestCaseData(folder).SetArgDisplayNames(Golden.Display(folder)));

    private static bool Holds(TestCaseData testCase, string file) => File.Exists(Path.Combine((string)testCase.Arguments[0]!, file));
}
