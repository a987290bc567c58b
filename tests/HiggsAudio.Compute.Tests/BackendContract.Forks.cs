using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public abstract partial class BackendContract
{
    private (int, int, int)[] Rows(int sequence, int first, int count) => [.. Enumerable.Range(first, count).Select(s => (sequence, s, s))];

    [Test]
    public void A_fork_and_its_parent_go_on_apart([Values(0, 1, 63, 64, 65, 130)] int at, [Values(0, 40)] int fewerInTheSecondLayer, [Values] KeyValueFormat format)
    {
        const int Dim = 8, Slots = 130;
        using var caches = new Caches(this, 2, new KvCacheShape(2, 2, Dim, format));
        caches.Reserve(Slots);
        int[] filled = [Slots, Slots - fewerInTheSecondLayer];
        for (int layer = 0; layer < 2; layer++)
            caches.Attend(layer, RandomMatrix(filled[layer], 4 * Dim), RandomMatrix(filled[layer], 2 * Dim), RandomMatrix(filled[layer], 2 * Dim), Rows(0, 0, filled[layer]), []);
        foreach (KvCache[] both in new[] { caches.Tested, caches.Expected })
        {
            both[1].Dispose();
            both[1] = both[0].Fork(at);
        }
        // From the fork's end on both write the same slots, in turns, and layers with fewer slots write into what is shared.
        for (int turn = 0; turn < 6; turn++)
            foreach (int sequence in new[] { turn % 2, 1 - turn % 2 })
                for (int layer = 0; layer < 2; layer++)
                {
                    int first = Math.Max(0, Math.Min(at, filled[layer]) + turn * 9 - layer * fewerInTheSecondLayer);
                    caches.Tested[sequence].Reserve(first + 9);
                    caches.Expected[sequence].Reserve(first + 9);
                    Pair q = RandomMatrix(9, 4 * Dim), k = RandomMatrix(9, 2 * Dim), v = RandomMatrix(9, 2 * Dim);
                    AssertEqual(caches.Attend(layer, q, k, v, Rows(sequence, first, 9), []), 5e-6);
                }
        for (int sequence = 0; sequence < 2; sequence++)
            AssertSameSlots(caches, sequence, layer: 0, sequence == 0 ? Slots : at + 54);
    }

    [Test]
    public void A_fork_of_a_fork_keeps_what_it_had_when_the_others_write_over_it()
    {
        using var caches = new Caches(this, 3, new KvCacheShape(1, 1, 6));
        caches.Reserve(100);
        caches.Attend(0, RandomMatrix(100, 6), RandomMatrix(100, 6), RandomMatrix(100, 6), Rows(0, 0, 100), []);
        foreach (KvCache[] all in new[] { caches.Tested, caches.Expected })
            for (int i = 1; i < 3; i++)
            {
                all[i].Dispose();
                all[i] = all[i - 1].Fork(90);
            }
        for (int sequence = 0; sequence < 2; sequence++)
            AssertEqual(caches.Attend(0, RandomMatrix(80, 6), RandomMatrix(80, 6), RandomMatrix(80, 6), Rows(sequence, 5, 80), []), 5e-6);
        for (int sequence = 0; sequence < 3; sequence++)
            AssertSameSlots(caches, sequence, layer: 0, 90);
    }

    [TestCase(0, 1, 2)]
    [TestCase(0, 2, 1)]
    [TestCase(1, 0, 2)]
    [TestCase(1, 2, 0)]
    [TestCase(2, 0, 1)]
    [TestCase(2, 1, 0)]
    public void Memory_is_free_when_a_cache_and_its_forks_are_disposed_in_any_order(params int[] order)
    {
        long before = Device.KvCacheBytes;
        KvCache parent = Device.CreateKvCache(new KvCacheShape(2, 2, 4));
        parent.Reserve(200);
        KvCache child = parent.Fork(150);
        KvCache grandchild = child.Fork(70);
        grandchild.Reserve(300);
        grandchild.Own(3);
        parent.Own(69);
        Assert.That(Device.KvCacheBytes, Is.InRange(1, parent.Bytes + child.Bytes + grandchild.Bytes));
        foreach (int i in order)
        {
            Assert.That(Device.KvCacheBytes, Is.GreaterThan(before));
            new[] { parent, child, grandchild }[i].Dispose();
            new[] { parent, child, grandchild }[i].Dispose();
        }
        Assert.That(Device.KvCacheBytes, Is.EqualTo(before));
    }

    [Test]
    public void More_slots_than_there_are_cannot_be_kept()
    {
        using KvCache cache = Device.CreateKvCache(new KvCacheShape(1, 1, 4));
        cache.Reserve(10);
        Assert.That(() => cache.Fork(cache.Capacity + 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => cache.Fork(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private static void AssertSameSlots(Caches caches, int sequence, int layer, int slots)
    {
        KvCacheShape shape = caches.Tested[sequence].Shape;
        int width = shape.KeyValueHeads * shape.HeadDim;
        float[] key = new float[width], value = new float[width], expectedKey = new float[width], expectedValue = new float[width];
        for (int slot = 0; slot < slots; slot++)
        {
            caches.Tested[sequence].Read(layer, slot, key, value);
            caches.Expected[sequence].Read(layer, slot, expectedKey, expectedValue);
            Assert.That(key, Is.EqualTo(expectedKey).Within(1e-6f), $"key of slot {slot}");
            Assert.That(value, Is.EqualTo(expectedValue).Within(1e-6f), $"value of slot {slot}");
        }
    }
}
