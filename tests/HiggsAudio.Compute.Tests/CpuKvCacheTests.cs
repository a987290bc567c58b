using HiggsAudio.Compute.Cpu;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

/// <summary>Pages that forks share.</summary>
internal sealed class CpuKvCacheTests
{
    [Test]
    public void A_fork_costs_memory_only_for_pages_that_are_written()
    {
        using var device = new CpuDevice(1);
        using KvCache parent = device.CreateKvCache(new KvCacheShape(2, 2, 8));
        parent.Reserve(3 * CpuKvCache.PageSlots);
        long page = parent.Bytes / 3;
        using KvCache child = parent.Fork(2 * CpuKvCache.PageSlots + 1);
        Assert.That(device.KvCacheBytes, Is.EqualTo(3 * page));
        Assert.That(child.Bytes, Is.EqualTo(3 * page));

        child.Own(2 * CpuKvCache.PageSlots + 1);
        child.Own(2 * CpuKvCache.PageSlots + 2);
        Assert.That(device.KvCacheBytes, Is.EqualTo(4 * page));
        parent.Own(2 * CpuKvCache.PageSlots + 1);   // its alone by now
        Assert.That(device.KvCacheBytes, Is.EqualTo(4 * page));
    }

    [Test]
    public void A_cache_takes_the_bytes_that_its_shape_says([Values] KeyValueFormat format, [Values(20, 128)] int dim)
    {
        using var device = new CpuDevice(1);
        var shape = new KvCacheShape(3, 2, dim, format);
        using KvCache cache = device.CreateKvCache(shape);
        cache.Reserve(2 * CpuKvCache.PageSlots);
        Assert.That(cache.Bytes, Is.EqualTo(2 * CpuKvCache.PageSlots * shape.BytesPerSlot));
        Assert.That(device.KvCacheBytes, Is.EqualTo(cache.Bytes));
    }

    [Test]
    public void Forks_made_and_written_on_many_threads_leave_the_parent_as_it_is()
    {
        using var device = new CpuDevice(1);
        using KvCache parent = device.CreateKvCache(new KvCacheShape(1, 1, 4));
        parent.Reserve(4 * CpuKvCache.PageSlots);
        long before = device.KvCacheBytes;
        KvCache[] forks = [.. Enumerable.Range(0, 64).Select(_ => parent.Fork(parent.Capacity))];
        Parallel.ForEach(forks, fork =>
        {
            for (int slot = 0; slot < fork.Capacity; slot += CpuKvCache.PageSlots / 2)
                fork.Own(slot);
            fork.Dispose();
        });
        Assert.That(device.KvCacheBytes, Is.EqualTo(before));
    }
}
