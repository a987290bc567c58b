using HiggsAudio.Compute;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>Memory that is not there, and memory that is given back.</summary>
[NonParallelizable]
internal sealed class LifetimeTests
{
    [SetUp]
    public void Build() => EmulatedGpu.Require();

    [TearDown]
    public void Reset() => EmulatedGpu.Reset();

    [Test]
    public void A_device_gives_everything_back()
    {
        (ulong, ulong, int, int) before = Held();
        using (var device = new CudaDevice(0, EmulatedGpu.Options))
        {
            Weight weight = device.CreateWeight(new float[300 * 200], 300, 200, WeightUse.Linear, WeightFormat.Int8);
            using Backend lane = device.CreateLane();
            KvCache cache = device.CreateKvCache(new KvCacheShape(1, 1, 8));
            cache.Reserve(100);
            for (int pass = 0; pass < 4; pass++)
            {
                using Backend.Scope scope = lane.Scratch();
                Matrix x = lane.Linear(lane.Zeros(3, 200), weight);
                for (int i = 0; i < 20; i++)
                    lane.Scale(x, 2);
                Assert.That(lane.Read(x), Is.All.Zero);
            }
            cache.Dispose();
        }
        Assert.That(Held(), Is.EqualTo(before));
    }

    [Test]
    public void A_weight_for_which_there_is_no_memory_is_refused_and_leaves_none_behind()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        ulong before = EmulatedGpu.MemoryInUse;
        EmulatedGpu.SetMemoryLimit(before + (1 << 20));
        CudaOutOfMemoryException problem = Assert.Throws<CudaOutOfMemoryException>(() => device.CreateWeight(new float[1 << 20], 1024, 1024, WeightUse.Linear))!;
        Assert.That(problem.Bytes, Is.EqualTo(4 << 20));
        Assert.That(problem.Message, Does.Contain("cuda:0").And.Contain($"{4 << 20:N0}"));
        Assert.That(EmulatedGpu.MemoryInUse, Is.EqualTo(before));
        Assert.That(() => device.CreateWeight(new float[1 << 10], 32, 32, WeightUse.Linear), Throws.Nothing);
    }

    [Test]
    public void A_weight_that_cannot_be_copied_leaves_no_memory_behind()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        _ = device.CreateWeight(new float[32], 1, 32, WeightUse.Linear);
        ulong before = EmulatedGpu.MemoryInUse;
        EmulatedGpu.Fail("cuMemcpyHtoDAsync_v2", 999);
        Assert.Throws<CudaException>(() => device.CreateWeight(new float[1 << 20], 1024, 1024, WeightUse.Linear, WeightFormat.Int4));
        EmulatedGpu.Fail("cuMemcpyHtoDAsync_v2", 0);
        Assert.That(EmulatedGpu.MemoryInUse, Is.EqualTo(before));
    }

    [Test]
    public void Scratch_memory_and_caches_that_do_not_fit_are_refused_and_the_lane_goes_on()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using Backend lane = device.CreateLane();
        using KvCache cache = device.CreateKvCache(new KvCacheShape(4, 4, 64));
        using (lane.Scratch())
            Assert.That(lane.Read(lane.Zeros(2, 2)), Is.All.Zero);
        EmulatedGpu.SetMemoryLimit(EmulatedGpu.MemoryInUse + (1 << 20));
        Assert.Throws<CudaOutOfMemoryException>(() => lane.Empty(4096, 4096));
        Assert.Throws<CudaOutOfMemoryException>(() => cache.Reserve(1000));
        using (lane.Scratch())
            Assert.That(lane.Read(lane.Zeros(2, 2)), Is.All.Zero);
    }

    [Test]
    public void Pages_that_nobody_uses_make_room_for_others()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        var shape = new KvCacheShape(1, 1, 64);
        ulong before = EmulatedGpu.MemoryInUse;
        using (KvCache cache = device.CreateKvCache(shape))
            cache.Reserve(64 * 20);
        Assert.That(device.KvCacheBytes, Is.Zero);
        ulong kept = EmulatedGpu.MemoryInUse - before;
        Assert.That(kept, Is.EqualTo((ulong)(20 * 64 * shape.BytesPerSlot)));
        using (KvCache again = device.CreateKvCache(shape))
            again.Reserve(64 * 20);
        Assert.That(EmulatedGpu.MemoryInUse - before, Is.EqualTo(kept));
        EmulatedGpu.SetMemoryLimit(EmulatedGpu.MemoryInUse);
        Assert.That(() => device.CreateWeight(new float[1 << 10], 32, 32, WeightUse.Linear), Throws.Nothing);
        Assert.That(EmulatedGpu.MemoryInUse - before, Is.LessThan(kept));
    }

    [Test]
    public void What_belongs_to_a_device_that_is_gone_says_so()
    {
        var device = new CudaDevice(0, EmulatedGpu.Options);
        Weight weight = device.CreateWeight([1, 2], 1, 2, WeightUse.Linear);
        Backend left = device.CreateLane();
        Matrix x = left.Zeros(1, 2);
        device.Dispose();
        Assert.Throws<ObjectDisposedException>(() => left.Linear(x, weight));
        Assert.Throws<ObjectDisposedException>(() => left.Read(x));
        device.Dispose();
        Assert.Throws<ObjectDisposedException>(() => device.CreateWeight([1, 2], 1, 2, WeightUse.Linear));
        Assert.Throws<ObjectDisposedException>(() => device.CreateLane());
        using var other = new CudaDevice(0, EmulatedGpu.Options);
        using Backend lane = other.CreateLane();
        Assert.Throws<ArgumentException>(() => lane.Linear(lane.Zeros(1, 2), weight));
        using var cpu = new Compute.Cpu.CpuDevice(1);
        Weight foreign = cpu.CreateWeight([1, 2], 1, 2, WeightUse.Linear);
        Assert.Throws<ArgumentException>(() => lane.Linear(lane.Zeros(1, 2), foreign));
    }

    private static (ulong, ulong, int, int) Held() => (EmulatedGpu.MemoryInUse, EmulatedGpu.PinnedInUse, EmulatedGpu.Objects, EmulatedGpu.Contexts);
}
