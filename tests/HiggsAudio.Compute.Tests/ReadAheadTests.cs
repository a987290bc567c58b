using System.Globalization;
using System.Runtime.InteropServices;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Compute.Tests.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

/// <summary>Bringing mapped weights into memory.</summary>
public class ReadAheadTests
{
    private const int Rows = 1024, Columns = 2048;

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFile()
    {
        if (!OperatingSystem.IsLinux() || Environment.OSVersion.Version < new Version(5, 14))
            Assert.Ignore("Linux 5.14 or later does it.");
        _folder = new TemporaryFolder();
        float[] values = [.. Enumerable.Range(0, Rows * Columns).Select(i => (float)i)];
        using var writer = new SafeTensorsWriter(_folder.File("a.safetensors"), [new TensorPlan("w", TensorType.Float32, [Rows, Columns]), new TensorPlan("t", TensorType.Float32, [Rows, Columns])]);
        writer.Write("w", MemoryMarshal.AsBytes<float>(values));
        writer.Write("t", MemoryMarshal.AsBytes<float>(values));
        writer.Complete();
    }

    [TearDown]
    public void DeleteFile() => _folder?.Dispose();

    [Test]
    public void Weights_that_are_multiplied_with_are_there_and_tables_are_not()
    {
        using Checkpoint checkpoint = Checkpoint.Open(_folder.File("a.safetensors"));
        using var device = new CpuDevice(1);
        Weight weight = device.CreateWeight([checkpoint.Tensors["w"]], Rows, Columns, WeightUse.Linear);
        device.CreateWeight([checkpoint.Tensors["t"]], Rows, Columns, WeightUse.Table);
        Assert.That(Resident(), Is.LessThan(1 << 20), "only the header was read");
        device.ReadAhead(new CancellationToken(canceled: true));
        Assert.That(Resident(), Is.LessThan(1 << 20), "it was ended before it began");
        device.ReadAhead(CancellationToken.None);
        Assert.That(Resident(), Is.InRange(Rows * Columns * 4L, Rows * Columns * 4L + (2 << 20)));
        Assert.That(((CpuWeight)weight).Format, Is.EqualTo(WeightFormat.Float32));
    }

    [Test]
    public void A_device_without_mapped_weights_does_nothing()
    {
        using var device = new CpuDevice(1);
        device.CreateWeight(new float[32 * 32], 32, 32, WeightUse.Linear);
        device.ReadAhead(CancellationToken.None);
    }

    // Bytes of the file that are mapped to memory.
    private long Resident()
    {
        long kilobytes = 0;
        bool mine = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Contains('-', StringComparison.Ordinal) && line.Contains("r-", StringComparison.Ordinal))
                mine = line.EndsWith(_folder.File("a.safetensors"), StringComparison.Ordinal);
            else if (mine && line.StartsWith("Rss:", StringComparison.Ordinal))
                kilobytes += long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        return 1024 * kilobytes;
    }
}
