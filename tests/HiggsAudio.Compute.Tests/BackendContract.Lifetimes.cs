using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public abstract partial class BackendContract
{
    [Test]
    public void Results_live_until_their_scope_ends()
    {
        Matrix outer = Lane.Upload(NormalValues(1000), 10, 100);
        float[] kept = Lane.Read(outer);
        for (int pass = 0; pass < 3; pass++)
        {
            using Backend.Scope scope = Lane.Scratch();
            Matrix a = Lane.Zeros(100, 100);
            using (Lane.Scratch())
                _ = Lane.Upload(NormalValues(400_000), 400, 1000);      // more than a first block is likely to hold
            Matrix b = Lane.Upload(NormalValues(500), 5, 100);
            Assert.That(Lane.Read(a), Is.All.Zero);
            Assert.That(Lane.Read(outer), Is.EqualTo(kept));
            Assert.That(b.Data, Is.Not.EqualTo(a.Data));
        }
    }

    [Test]
    public void Matrices_do_not_overlap_and_do_not_move()
    {
        var random = new Random(7);
        var made = new List<(Matrix Matrix, float Value)>();
        for (int i = 0; i < 200; i++)
        {
            (int rows, int columns) = (random.Next(1, 60), random.Next(1, i % 20 == 0 ? 9000 : 60));
            made.Add((Lane.Upload([.. Enumerable.Repeat((float)i, rows * columns)], rows, columns), i));
        }
        foreach ((Matrix m, float value) in made)
            Assert.That(Lane.Read(m), Is.All.EqualTo(value));
    }

    [Test]
    public void Lanes_compute_at_the_same_time()
    {
        const int Lanes = 4, Passes = 15;
        WeightPair weight = RandomWeight(300, 256, WeightUse.Linear), filter = RandomWeight(256, 3 * 256, WeightUse.Linear, scale: 0.05f);
        float[] values = NormalValues(64 * 256);
        float[] expected = Compute(Lane);
        var results = new float[Lanes][];
        Parallel.For(0, Lanes, new ParallelOptions { MaxDegreeOfParallelism = Lanes }, lane =>
        {
            using Backend own = Device.CreateLane();
            for (int pass = 0; pass < Passes; pass++)
            {
                float[] result = Compute(own);
                if (pass == 0 || !result.AsSpan().SequenceEqual(expected))
                    results[lane] = result;
            }
        });
        Assert.That(results, Is.All.EqualTo(expected));

        float[] Compute(Backend lane)
        {
            using Backend.Scope scope = lane.Scratch();
            Matrix x = lane.Upload(values, 64, 256);
            return lane.Read(lane.Linear(lane.Conv1d(x, filter.Tested, null, Conv1dShape.Same(3)), weight.Tested));
        }
    }

    [Test]
    public void A_cache_grows_by_pages_and_keeps_what_is_in_it()
    {
        var shape = new KvCacheShape(2, 3, 8);
        var rotary = new RotaryTable([0, 0, 0, 0]);     // turns nothing
        using KvCache cache = Device.CreateKvCache(shape);
        Assert.That(cache.Capacity, Is.Zero);
        Assert.That(cache.Bytes, Is.Zero);
        var rows = new RowMap();
        var keys = new List<float[]>();
        for (int slot = 0; slot < 300; slot++)
        {
            using Backend.Scope scope = Lane.Scratch();
            cache.Reserve(slot + 1);
            Assert.That(cache.Capacity, Is.GreaterThan(slot));
            keys.Add(NormalValues(24));
            rows.Clear();
            rows.Add(cache, slot, slot);
            Matrix k = Lane.Upload(keys[slot], 1, 24);
            _ = Lane.RotateAppendAttend(Lane.Upload(keys[slot], 1, 24), k, Lane.Upload([.. keys[slot].Select(v => -v)], 1, 24), rotary, rows, 1);
        }
        long bytes = cache.Bytes;
        cache.Reserve(10);
        Assert.That(cache.Bytes, Is.EqualTo(bytes).And.GreaterThanOrEqualTo(300L * 2 * 2 * 24 * 4));
        var (key, value) = (new float[24], new float[24]);
        for (int slot = 0; slot < 300; slot++)
        {
            cache.Read(1, slot, key, value);
            Assert.That(key, Is.EqualTo(keys[slot]));
            Assert.That(value, Is.EqualTo(keys[slot].Select(v => -v)));
        }
    }
}
