using HiggsAudio.Compute;
using NUnit.Framework;

namespace HiggsAudio.Cuda.Tests;

/// <summary>Caches between lanes, and before anything was handed to the GPU.</summary>
internal sealed class CudaKvCacheTests
{
    private static readonly KvCacheShape Shape = new(1, 1, 4);
    private static readonly RotaryTable Rotary = new([0, 0]);

    [SetUp]
    public void Build() => EmulatedGpu.Require();

    [TearDown]
    public void Reset()
    {
        TestContext.Out.WriteLine(EmulatedGpu.LastError);
        EmulatedGpu.Reset();
    }

    private static void Write(Backend lane, KvCache cache, int slot, float value)
    {
        var rows = new RowMap();
        rows.Add(cache, slot, slot);
        float[] values = [value, value, value, value];
        _ = lane.RotateAppendAttend(lane.Upload(values, 1, 4), lane.Upload(values, 1, 4), lane.Upload(values, 1, 4), Rotary, rows, 0);
    }

    private static float Value(KvCache cache, int slot)
    {
        float[] key = new float[4], value = new float[4];
        cache.Read(0, slot, key, value);
        return value[0];
    }

    [Test]
    public void A_fork_has_what_was_written_but_not_yet_run()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using Backend lane = device.CreateLane();
        using KvCache parent = device.CreateKvCache(Shape);
        parent.Reserve(10);
        Write(lane, parent, 0, 1);
        Write(lane, parent, 1, 2);
        using KvCache child = parent.Fork(2);
        Write(lane, parent, 1, 3);
        Write(lane, child, 1, 4);
        using KvCache grandchild = child.Fork(2);
        Write(lane, child, 0, 5);
        Assert.That((Value(parent, 0), Value(parent, 1)), Is.EqualTo((1f, 3f)));
        Assert.That((Value(child, 0), Value(child, 1)), Is.EqualTo((5f, 4f)));
        Assert.That((Value(grandchild, 0), Value(grandchild, 1)), Is.EqualTo((1f, 4f)));
    }

    [Test]
    public void A_cache_goes_from_lane_to_lane()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using Backend first = device.CreateLane(), second = device.CreateLane();
        using KvCache cache = device.CreateKvCache(Shape);
        cache.Reserve(100);
        for (int slot = 0; slot < 100; slot++)
        {
            Backend lane = slot % 2 == 0 ? first : second;
            using Backend.Scope scope = lane.Scratch();
            Write(lane, cache, slot, slot);
        }
        for (int slot = 0; slot < 100; slot++)
            Assert.That(Value(cache, slot), Is.EqualTo(slot));
    }

    [Test]
    public void A_page_that_is_used_again_is_not_written_by_who_had_it_before()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using Backend first = device.CreateLane(), second = device.CreateLane();
        for (int turn = 0; turn < 20; turn++)
        {
            KvCache gone = device.CreateKvCache(Shape);
            gone.Reserve(1);
            Write(first, gone, 0, 1);
            gone.Dispose();
            using KvCache cache = device.CreateKvCache(Shape);
            cache.Reserve(1);
            Write(second, cache, 0, 2);
            Assert.That(Value(cache, 0), Is.EqualTo(2));
        }
    }

    [Test]
    public void A_lane_that_ends_has_done_what_was_written_down()
    {
        using var device = new CudaDevice(0, EmulatedGpu.Options);
        using KvCache cache = device.CreateKvCache(Shape);
        cache.Reserve(1);
        using (Backend lane = device.CreateLane())
            Write(lane, cache, 0, 7);
        Assert.That(Value(cache, 0), Is.EqualTo(7));
    }
}
