using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

/// <summary>Random damage to small valid files: they open, or throw a <see cref="CheckpointException"/>.</summary>
public class FuzzTests
{
    private const int Mutations = 2000;

    private static readonly byte[] SafeTensors = SafeTensorsFileTests.FileOf("""
        {"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}}
        """u8, 32);

    private static readonly byte[] Index = """
        {"metadata":{"total_size":32},"weight_map":{"a.weight":"shard.safetensors","b":"shard.safetensors"}}
        """u8.ToArray();

    private static byte[] Torch()
    {
        using var stream = new MemoryStream();
        var zip = new StoredZipWriter(stream) { Alignment = 8 };
        zip.Add("m/data.pkl", new PickleWriter().Protocol().OrderedDict().Op('(')
            .Text("a").Tensor(TensorType.Float32, "0", [2, 3])
            .Text("b").Tensor(TensorType.Float32, "0", 6, [3, 2], [1, 3])
            .Text("c").Int(5).Op('u').Op('.').ToArray());
        zip.Add("m/byteorder", "little"u8);
        zip.Add("m/data/0", new byte[24]);
        zip.Finish();
        return stream.ToArray();
    }

    [Test]
    public void A_mutated_safetensors_file_opens_or_is_refused([Range(1, 4)] int seed) => Fuzz(SafeTensors, "model.safetensors", seed);

    [Test]
    public void A_mutated_torch_file_opens_or_is_refused([Range(1, 4)] int seed) => Fuzz(Torch(), "model.pth", seed);

    [Test]
    public void A_mutated_index_opens_or_is_refused([Range(1, 4)] int seed) => Fuzz(Index, "model.safetensors.index.json", seed);

    private static void Fuzz(byte[] valid, string name, int seed)
    {
        using var folder = new TemporaryFolder();
        folder.Write("shard.safetensors", SafeTensors);
        using (Checkpoint untouched = Checkpoint.Open(folder.Write(name, valid)))
            Assert.That(untouched.Tensors, Has.Count.EqualTo(2));
        var random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < Mutations; i++)
        {
            byte[] mutant = Mutate(valid, random);
            try
            {
                using Checkpoint checkpoint = Checkpoint.Open(folder.Write(name, mutant));
                foreach (CheckpointTensor tensor in checkpoint.Tensors.Values)
                    tensor.ToFloats();
            }
            catch (CheckpointException)
            {
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"mutation {i}: {e}\n{Convert.ToHexString(mutant)}");
            }
        }
        Assert.That(refused, Is.InRange(Mutations / 10, Mutations));
    }

    private static byte[] Mutate(byte[] valid, Random random)
    {
        List<byte> bytes = [.. valid];
        for (int n = random.Next(1, 4); n > 0 && bytes.Count > 0; n--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes[at] = "\0\xFF{}[]\",:0129-.etu(RQ"u8[random.Next(20)]; break;
                case 3: bytes.Insert(at, (byte)random.Next(256)); break;
                case 4: bytes.RemoveRange(at, random.Next(1, Math.Min(9, bytes.Count - at + 1))); break;
                default: bytes.InsertRange(at, bytes.GetRange(at, random.Next(1, Math.Min(9, bytes.Count - at + 1)))); break;
            }
        }
        return [.. bytes];
    }
}
