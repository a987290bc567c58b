using System.Buffers.Binary;
using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public class SafeTensorsWriterTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    private string Target => _folder.File("a.safetensors");

    [Test]
    public void Random_tensors_are_read_back_equal([Range(1, 40)] int seed)
    {
        var random = new Random(seed);
        TensorType[] types = Enum.GetValues<TensorType>();
        var plans = new List<TensorPlan>();
        var contents = new Dictionary<string, byte[]>();
        for (int i = random.Next(12); i > 0; i--)
        {
            long[] shape = [.. Enumerable.Range(0, random.Next(5)).Select(_ => (long)random.Next(random.Next(8) == 0 ? 1 : 7))];
            var plan = new TensorPlan($"층.{i}.\"weight\"\n", types[random.Next(types.Length)], shape);
            plans.Add(plan);
            random.NextBytes(contents[plan.Name] = new byte[plan.ByteLength]);
        }
        var metadata = Enumerable.Range(0, random.Next(3)).ToDictionary(i => $"key {i}", i => $"\\ \0 🎵 {i}");
        using (var writer = new SafeTensorsWriter(Target, plans, metadata))
        {
            foreach (TensorPlan plan in plans.OrderBy(_ => random.Next()))
                for (int start = 0, length; start < plan.ByteLength; start += length)
                    writer.Write(plan.Name, contents[plan.Name].AsSpan(start, length = random.Next(1, (int)plan.ByteLength - start + 1)), start);
            writer.Complete();
        }
        using var file = new SafeTensorsFile(Target);
        Assert.That(file.Metadata, Is.EquivalentTo(metadata));
        Assert.That(file.Tensors.Keys, Is.EquivalentTo(plans.Select(p => p.Name)));
        foreach (TensorPlan plan in plans)
        {
            CheckpointTensor tensor = file.Tensors[plan.Name];
            Assert.That((tensor.Type, tensor.Name), Is.EqualTo((plan.Type, plan.Name)));
            Assert.That(tensor.Shape.ToArray(), Is.EqualTo(plan.Shape));
            Assert.That(tensor.Bytes(0, (int)tensor.ByteLength).ToArray(), Is.EqualTo(contents[plan.Name]));
            Assert.That((long)tensor.Address % CheckpointTensor.SizeOf(tensor.Type), Is.Zero);
            Assert.That(tensor.ToFloats(), Has.Length.EqualTo(tensor.Count));
        }
    }

    [Test]
    public void The_header_is_padded_to_8_bytes()
    {
        using (var writer = new SafeTensorsWriter(Target, [new TensorPlan("abc", TensorType.UInt8, [1])]))
        {
            writer.Write("abc", [9]);
            writer.Complete();
        }
        byte[] file = File.ReadAllBytes(Target);
        long header = BinaryPrimitives.ReadInt64LittleEndian(file);
        Assert.That(header % 8, Is.Zero);
        Assert.That(file, Has.Length.EqualTo(8 + header + 1));
        Assert.That(file[^1], Is.EqualTo(9));
    }

    [Test]
    public void An_unfinished_file_leaves_nothing_behind_and_the_old_one_in_place()
    {
        _folder.Write("a.safetensors", "old"u8);
        using (var writer = new SafeTensorsWriter(Target, [new TensorPlan("a", TensorType.UInt8, [2])]))
        {
            writer.Write("a", [1]);
            Assert.That(() => writer.Complete(), Throws.InvalidOperationException.With.Message.Contains("'a' has 2 bytes, 1 were written"));
        }
        Assert.That(Directory.GetFiles(_folder.Path), Is.EqualTo(new[] { Target }));
        Assert.That(File.ReadAllText(Target), Is.EqualTo("old"));
    }

    [Test]
    public void A_complete_file_replaces_the_old_one_and_leaves_nothing_else()
    {
        _folder.Write("a.safetensors", "old"u8);
        using (var writer = new SafeTensorsWriter(Target, []))
        {
            writer.Complete();
            Assert.That(() => writer.Complete(), Throws.TypeOf<ObjectDisposedException>());
        }
        Assert.That(Directory.GetFiles(_folder.Path), Is.EqualTo(new[] { Target }));
        using var file = new SafeTensorsFile(Target);
        Assert.That(file.Tensors, Is.Empty);
    }

    [Test]
    public void Wrong_plans_and_wrong_writes_are_argument_errors()
    {
        var plan = new TensorPlan("a", TensorType.Float32, [2]);
        Assert.That(() => new SafeTensorsWriter(Target, [plan, plan]), Throws.ArgumentException);
        Assert.That(() => new SafeTensorsWriter(Target, [plan with { Name = "__metadata__" }]), Throws.ArgumentException);
        Assert.That(() => new SafeTensorsWriter(Target, [plan with { Shape = [-1] }]), Throws.ArgumentException);
        Assert.That(() => new SafeTensorsWriter(Target, [plan with { Shape = [1L << 62, 4] }]), Throws.TypeOf<OverflowException>());
        using var writer = new SafeTensorsWriter(Target, [plan]);
        Assert.That(() => writer.Write("b", [1]), Throws.ArgumentException);
        Assert.That(() => writer.Write("a", new byte[9]), Throws.ArgumentException);
        Assert.That(() => writer.Write("a", new byte[1], 8), Throws.ArgumentException);
        Assert.That(() => writer.Write("a", new byte[1], -1), Throws.ArgumentException);
        Assert.That(() => writer.Write("a", new byte[1], long.MaxValue), Throws.ArgumentException);
    }

    [Test]
    public void Threads_may_write_at_once()
    {
        TensorPlan[] plans = [.. Enumerable.Range(0, 50).Select(i => new TensorPlan($"{i}", TensorType.UInt8, [10_000 + i]))];
        using (var writer = new SafeTensorsWriter(Target, plans))
        {
            Parallel.For(0, 50 * 100, i =>
            {
                int tensor = i / 100, start = i % 100 * 100, length = i % 100 == 99 ? 100 + tensor : 100;
                writer.Write($"{tensor}", Enumerable.Repeat((byte)tensor, length).ToArray(), start);
            });
            writer.Complete();
        }
        using var file = new SafeTensorsFile(Target);
        for (int i = 0; i < 50; i++)
            Assert.That(file.Tensors[$"{i}"].ToFloats(), Has.All.EqualTo(i));
    }
}
