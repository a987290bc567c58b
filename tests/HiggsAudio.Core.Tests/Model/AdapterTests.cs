using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Model;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>LoRA adapters merged into the golden models: W + s·B·A, computed here in double precision.</summary>
internal sealed class AdapterTests
{
    private static IEnumerable<string> Folders() => Golden.Folders("lm_").Where(folder => File.Exists(Path.Combine(folder, "config.json")));

    // All matrices of the layers, and the audio head where fine-tuning did not split it.
    private static IEnumerable<CheckpointTensor> Targets(Checkpoint checkpoint) =>
        checkpoint.Tensors.Values.Where(t => t.Shape.Length == 2 && (t.Name.Contains("_proj.weight", StringComparison.Ordinal) || t.Name.EndsWith("audio_lm_head.weight", StringComparison.Ordinal)));

    private static string Module(string name) => name[..^".weight".Length];

    private static float[] Expected(CheckpointTensor weight, params double[][] changes)
    {
        float[] values = weight.ToFloats();
        return [.. values.Select((v, i) => (float)(v + changes.Sum(change => change[i])))];
    }

    private static Checkpoint Adapted(string folder, params (AdapterFolder Adapter, float Weight)[] adapters) =>
        new ModelFolders(folder, "", [.. adapters.Select(a => new AdapterOptions(a.Adapter.Path, a.Weight))]).OpenModel();

    [TestCaseSource(nameof(Folders))]
    public void Every_matrix_of_a_model_is_changed_as_it_should(string folder)
    {
        using Checkpoint model = Checkpoint.Open(folder);
        using var adapter = new AdapterFolder();
        Dictionary<string, double[]> changes = Targets(model).ToDictionary(t => t.Name, t => adapter.AddLinear(Module(t.Name), t.Shape[0], t.Shape[1], 4, 8.0 / 4));
        Assert.That(changes.Count, Is.GreaterThan(20));
        using Checkpoint adapted = Adapted(folder, (adapter.Write(), 1));
        foreach ((string name, CheckpointTensor tensor) in model.Tensors)
        {
            if (!changes.TryGetValue(name, out double[]? change))
            {
                Assert.That(adapted.Tensors[name].ToFloats(), Is.EqualTo(tensor.ToFloats()), name);
                continue;
            }
            Near.AssertWithin(1e-6, adapted.Tensors[name].ToFloats(), Expected(tensor, change), name);
            Assert.That(change.Max(Math.Abs), Is.GreaterThan(1e-3), name);
        }
    }

    [TestCase(1, 1)]
    [TestCase(63, 5)]
    [TestCase(777, 300)]
    [TestCase(4096, 3000)]
    public void A_part_of_a_tensor_has_the_bits_of_the_whole(int start, int count)
    {
        string folder = LmFixture.Folder("lm_a");
        using Checkpoint model = Checkpoint.Open(folder);
        using var adapter = new AdapterFolder();
        CheckpointTensor target = model.Tensors["layers.0.mlp.down_proj.weight"];
        adapter.AddLinear(Module(target.Name), target.Shape[0], target.Shape[1], 4, 2);
        using Checkpoint adapted = Adapted(folder, (adapter.Write(), 1));
        var part = new float[count];
        adapted.Tensors[target.Name].CopyTo(part, start);
        Assert.That(part, Is.EqualTo(adapted.Tensors[target.Name].ToFloats()[start..(start + count)]));
    }

    // Against the weights that are merged here in double precision; and to the bit against a file with the sums that the first test checks.
    [TestCase(WeightFormat.Float32, 2e-4)]
    [TestCase(WeightFormat.AsStored, 2e-4)]
    [TestCase(WeightFormat.AsStored, 0)]
    [TestCase(WeightFormat.Float32, 0)]
    [TestCase(WeightFormat.BFloat16, 0)]
    [TestCase(WeightFormat.Int8, 0)]
    [TestCase(WeightFormat.Int4, 0)]
    public void A_model_of_any_format_is_that_of_the_merged_weights(WeightFormat format, double tolerance)
    {
        string folder = LmFixture.Folder("lm_b"), merged = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName;
        try
        {
            using var adapter = new AdapterFolder();
            using Checkpoint plain = Checkpoint.Open(folder);
            Dictionary<string, double[]> changes = Targets(plain).ToDictionary(t => t.Name, t => adapter.AddLinear(Module(t.Name), t.Shape[0], t.Shape[1], 4, 2));
            using Checkpoint adapted = Adapted(folder, (adapter.Write(), 1));
            WriteFloats(Path.Combine(merged, "model.safetensors"), plain,
                t => tolerance > 0 && changes.TryGetValue(t.Name, out double[]? change) ? Expected(t, change) : adapted.Tensors[t.Name].ToFloats());
            using Checkpoint whole = Checkpoint.Open(merged);
            HiggsAudioConfig config = HiggsAudioConfig.Load(folder);
            float[] before = Logits(plain, config, format), expected = Logits(whole, config, format), actual = Logits(adapted, config, format);
            Near.AssertWithin(tolerance, actual, expected, $"{format}");
            Assert.That(Near.Distance(actual, before), Is.GreaterThan(0.3), "the adapter changes something");
        }
        finally
        {
            Directory.Delete(merged, recursive: true);
        }
    }

    private static void WriteFloats(string path, Checkpoint model, Func<CheckpointTensor, float[]> values)
    {
        using var writer = new SafeTensorsWriter(path, model.Tensors.Values.Select(t => new TensorPlan(t.Name, TensorType.Float32, t.Shape.ToArray())));
        foreach (CheckpointTensor tensor in model.Tensors.Values)
            writer.Write(tensor.Name, MemoryMarshal.AsBytes<float>(values(tensor)));
        writer.Complete();
    }

    private static float[] Logits(Checkpoint checkpoint, HiggsAudioConfig config, WeightFormat format)
    {
        using var device = new CpuDevice(2);
        using Backend lane = device.CreateLane();
        HiggsAudioModel model = HiggsAudioModel.Load(checkpoint, config, device, format);
        TokenBatch batch = model.CreateBatch();
        using SequenceState sequence = model.CreateSequence();
        foreach (int token in new[] { 3, 72, 105, 11 })
            batch.AddText(sequence, token);
        int text = batch.RequestTextLogits();
        batch.AddAudio(sequence, [.. Enumerable.Range(0, config.AudioNumCodebooks).Select(c => c * 3 + 1)]);
        int audio = batch.RequestAudioLogits();
        model.Forward(lane, batch);
        return [.. batch.TextLogits(text), .. batch.AudioLogits(audio)];
    }

    [Test]
    public void Weights_that_are_used_as_stored_are_rounded_to_the_stored_type()
    {
        string folder = LmFixture.Folder("lm_a");
        using Checkpoint model = Checkpoint.Open(folder);
        using var adapter = new AdapterFolder();
        CheckpointTensor target = model.Tensors["layers.1.self_attn.q_proj.weight"];
        float[] expected = Expected(target, adapter.AddLinear(Module(target.Name), target.Shape[0], target.Shape[1], 4, 2));
        using Checkpoint adapted = Adapted(folder, (adapter.Write(), 1));
        CheckpointTensor changed = adapted.Tensors[target.Name];
        Assert.That(changed.Type, Is.EqualTo(TensorType.BFloat16));
        ReadOnlySpan<ushort> stored = MemoryMarshal.Cast<byte, ushort>(changed.Bytes(0, (int)changed.ByteLength));
        for (int i = 0; i < expected.Length; i++)
            Assert.That(BitConverter.UInt32BitsToSingle((uint)stored[i] << 16), Is.EqualTo(expected[i]).Within(Math.Abs(expected[i]) / 255 + 1e-6));
        adapted.Dispose();
        Assert.That(() => changed.Address, Throws.InstanceOf<ObjectDisposedException>());
    }

    [TestCase(TensorType.Float32)]
    [TestCase(TensorType.BFloat16)]
    [TestCase(TensorType.Float16)]
    public void Several_adapters_of_any_type_add_up_by_their_weights(TensorType type)
    {
        string folder = LmFixture.Folder("lm_b");
        using Checkpoint model = Checkpoint.Open(folder);
        CheckpointTensor target = model.Tensors["layers.0.self_attn.v_proj.weight"];
        using var first = new AdapterFolder(seed: 1) { Type = type };
        using var second = new AdapterFolder(rank: 2, alpha: 3, seed: 2) { Type = type };
        second.Config["use_rslora"] = true;
        double[] one = first.AddLinear(Module(target.Name), target.Shape[0], target.Shape[1], 4, 0.5 * 8 / 4);
        double[] two = second.AddLinear("model." + Module(target.Name), target.Shape[0], target.Shape[1], 2, -1.5 * 3 / Math.Sqrt(2));   // transformers' name
        using Checkpoint adapted = Adapted(folder, (first.Write(), 0.5f), (second.Write(), -1.5f));
        Near.AssertWithin(1e-6, adapted.Tensors[target.Name].ToFloats(), Expected(target, one, two), "sum");
    }

    [Test]
    public void Ranks_and_alphas_of_single_modules_are_followed()
    {
        string folder = LmFixture.Folder("lm_b");
        using Checkpoint model = Checkpoint.Open(folder);
        using var adapter = new AdapterFolder(rank: 4, alpha: 8);
        adapter.Config["rank_pattern"] = new JsonObject { ["layers.0.self_attn.k_proj"] = 2, [@"layers\.\d+\.mlp\.up_proj"] = 3 };
        adapter.Config["alpha_pattern"] = new JsonObject { ["k_proj"] = 5, ["proj"] = 1000 };
        CheckpointTensor k = model.Tensors["layers.0.self_attn.k_proj.weight"], up = model.Tensors["layers.2.mlp.up_proj.weight"], q = model.Tensors["layers.0.self_attn.q_proj.weight"];
        double[] ofK = adapter.AddLinear(Module(k.Name), k.Shape[0], k.Shape[1], 2, 5.0 / 2);
        double[] ofUp = adapter.AddLinear(Module(up.Name), up.Shape[0], up.Shape[1], 3, 8.0 / 3);   // "proj" is the end of no part
        double[] ofQ = adapter.AddLinear(Module(q.Name), q.Shape[0], q.Shape[1], 4, 8.0 / 4);
        using Checkpoint adapted = Adapted(folder, (adapter.Write(), 1));
        Near.AssertWithin(1e-6, adapted.Tensors[k.Name].ToFloats(), Expected(k, ofK), "k");
        Near.AssertWithin(1e-6, adapted.Tensors[up.Name].ToFloats(), Expected(up, ofUp), "up");
        Near.AssertWithin(1e-6, adapted.Tensors[q.Name].ToFloats(), Expected(q, ofQ), "q");
    }

    [Test]
    public void Embeddings_and_whole_modules_are_changed_too()
    {
        string folder = LmFixture.Folder("lm_b");
        using Checkpoint model = Checkpoint.Open(folder);
        using var adapter = new AdapterFolder(rank: 3, alpha: 6);
        CheckpointTensor table = model.Tensors["embed_tokens.weight"], norm = model.Tensors["norm.weight"];
        (long entries, long width) = (table.Shape[0], table.Shape[1]);
        float[] a = adapter.Add("base_model.model.model.embed_tokens.lora_embedding_A", 3, entries), b = adapter.Add("base_model.model.model.embed_tokens.lora_embedding_B", width, 3);
        float[] whole = adapter.Add("base_model.model.model.norm.weight", norm.Shape[0]);
        var change = new double[entries * width];
        for (long entry = 0; entry < entries; entry++)
            for (long i = 0; i < width; i++)
                for (int k = 0; k < 3; k++)
                    change[entry * width + i] += 0.5 * 2 * b[i * 3 + k] * a[k * entries + entry];
        using Checkpoint adapted = Adapted(folder, (adapter.Write(), 0.5f));
        Near.AssertWithin(1e-6, adapted.Tensors[table.Name].ToFloats(), Expected(table, change), "embedding");
        float[] old = norm.ToFloats();
        Near.AssertWithin(1e-6, adapted.Tensors[norm.Name].ToFloats(), [.. old.Select((v, i) => (v + whole[i]) / 2)], "half way to the adapter's own");
    }
}
