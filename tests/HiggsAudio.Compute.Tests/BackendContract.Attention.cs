using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public abstract partial class BackendContract
{
    /// <summary>Caches of some sequences in the lane under test and in the reference's.</summary>
    private sealed class Caches(BackendContract owner, int count, KvCacheShape shape) : IDisposable
    {
        public KvCache[] Tested { get; } = [.. Enumerable.Range(0, count).Select(_ => owner.Device.CreateKvCache(shape))];

        public KvCache[] Expected { get; } = [.. Enumerable.Range(0, count).Select(_ => owner._referenceDevice.CreateKvCache(shape))];

        public RotaryTable Rotary { get; } = new([.. Enumerable.Range(0, shape.HeadDim / 2).Select(i => MathF.Pow(10_000, -2f * i / shape.HeadDim))]);

        public void Reserve(int slots)
        {
            foreach (KvCache cache in Tested.Concat(Expected))
                cache.Reserve(slots);
        }

        public void Dispose()
        {
            foreach (KvCache cache in Tested.Concat(Expected))
                cache.Dispose();
        }

        /// <summary>A pass over rows of (sequence, position, slot), with hidden slots of (sequence, slot), in both lanes.</summary>
        public Pair Attend(int layer, Pair q, Pair k, Pair v, (int Sequence, int Position, int Slot)[] rows, (int Sequence, int Slot)[] hidden,
            Pair into = default)
        {
            Matrix tested = One(owner.Lane, Tested, layer, q.Tested, k.Tested, v.Tested, rows, hidden, into.Tested);
            return new Pair(tested, One(owner.Reference, Expected, layer, q.Expected, k.Expected, v.Expected, rows, hidden, into.Expected));
        }

        public Matrix One(Backend lane, KvCache[] caches, int layer, Matrix q, Matrix k, Matrix v, (int Sequence, int Position, int Slot)[] rows,
            (int Sequence, int Slot)[] hidden, Matrix into = default)
        {
            var map = new RowMap();
            foreach ((int sequence, int position, int slot) in rows)
                map.Add(caches[sequence], position, slot);
            foreach ((int sequence, int slot) in hidden)
                map.Hide(caches[sequence], slot);
            return lane.RotateAppendAttend(q, k, v, Rotary, map, layer, into);
        }
    }

    public static IEnumerable<TestCaseData> HeadCases() =>
        from heads in new[] { (1, 1), (2, 2), (1, 3), (2, 4), (1, 5), (1, 8), (8, 3), (1, 40) }
        from dim in new[] { 2, 6, 16, 20, 64, 128 }
        where heads.Item1 * heads.Item2 * dim <= 3072
        from format in Enum.GetValues<KeyValueFormat>()
        select new TestCaseData(heads.Item1, heads.Item2, dim, format);

    [TestCaseSource(nameof(HeadCases))]
    public void Attention_over_a_cache_works_for_any_heads(int keyValueHeads, int group, int dim, KeyValueFormat format)
    {
        using var caches = new Caches(this, 1, new KvCacheShape(2, keyValueHeads, dim, format));
        caches.Reserve(50);
        int slot = 0;
        foreach (int count in new[] { 1, 5, 37, 1, 1 })
        {
            Pair q = RandomMatrix(count, keyValueHeads * group * dim, 3), k = RandomMatrix(count, keyValueHeads * dim, 2),
                v = RandomMatrix(count, keyValueHeads * dim, 1);
            Pair y = Destination(count, keyValueHeads * group * dim, 5);
            (int, int, int)[] rows = [.. Enumerable.Range(slot, count).Select(s => (0, s, s))];

            caches.Attend(1, q, k, v, rows, [], y);

            AssertEqual(y, 5e-6);
            slot += count;
        }
    }

    [Test]
    public void Keys_are_rotated_and_both_kept_in_the_caches_format([Values(1, 300)] int rows, [Values] KeyValueFormat format)
    {
        using var caches = new Caches(this, 1, new KvCacheShape(3, 2, 24, format));
        caches.Reserve(rows + 100);
        Pair q = RandomMatrix(rows, 96), k = RandomMatrix(rows, 48), v = RandomMatrix(rows, 48);
        float[] values = Lane.Read(v.Tested);
        float near = format switch { KeyValueFormat.Float32 => 0, KeyValueFormat.BFloat16 => 1f / 256, _ => 1f / 127 };

        caches.Attend(2, q, k, v, [.. Enumerable.Range(0, rows).Select(r => (0, 7 + r, 100 + r))], [.. Enumerable.Range(0, 100).Select(s => (0, s))]);

        float[] key = new float[48], value = new float[48], expected = new float[48], expectedValue = new float[48];
        for (int r = 0; r < rows; r++)
        {
            caches.Tested[0].Read(2, 100 + r, key, value);
            caches.Expected[0].Read(2, 100 + r, expected, expectedValue);
            Assert.That(key, Is.EqualTo(expected).Within(1e-6f));
            Assert.That(value, Is.EqualTo(expectedValue).Within(1e-6f));
            float[] given = values[(r * 48)..((r + 1) * 48)];
            Assert.That(value, Is.EqualTo(given).Within(near * given.Max(MathF.Abs)));
        }
    }

    [Test]
    public void Attention_may_write_over_its_queries()
    {
        using var caches = new Caches(this, 1, new KvCacheShape(1, 2, 16));
        caches.Reserve(600);
        Pair first = RandomMatrix(500, 64), k = RandomMatrix(500, 32), v = RandomMatrix(500, 32);
        AssertEqual(caches.Attend(0, first, k, v, [.. Enumerable.Range(0, 500).Select(s => (0, s, s))], [], into: first), 5e-6);

        Pair next = RandomMatrix(1, 64);
        AssertEqual(caches.Attend(0, next, RandomMatrix(1, 32), v.Rows(0..1), [(0, 500, 500)], [], into: next), 5e-6);
    }

    [Test]
    public void Sequences_in_one_pass_do_not_see_each_other([Values(3, 64)] int dim, [Values] KeyValueFormat format)
    {
        dim += dim % 2;
        const int Sequences = 5;
        using var caches = new Caches(this, Sequences, new KvCacheShape(1, 2, dim, format));
        caches.Reserve(700);
        var next = new int[Sequences];
        for (int pass = 0; pass < 8; pass++)
        {
            var rows = new List<(int, int, int)>();
            for (int run = 0; run < 7; run++)
            {
                // Runs of one sequence may come twice in a pass, as text and audio rows do.
                int sequence = _random.Next(Sequences), count = _random.Next(4) == 0 ? _random.Next(1, 70) : 1;
                for (int i = 0; i < count; i++, next[sequence]++)
                    rows.Add((sequence, next[sequence] + 3, next[sequence]));
            }
            Pair q = RandomMatrix(rows.Count, 6 * dim), k = RandomMatrix(rows.Count, 2 * dim), v = RandomMatrix(rows.Count, 2 * dim);

            AssertEqual(caches.Attend(0, q, k, v, [.. rows], []), 5e-6);
        }
    }

    [Test]
    public void Rows_of_a_pass_see_the_keys_of_all_earlier_slots_of_the_pass()
    {
        using var caches = new Caches(this, 1, new KvCacheShape(1, 1, 32));
        caches.Reserve(40);
        int[] slots = [.. Enumerable.Range(0, 40).Where(s => s % 3 != 0), .. Enumerable.Range(0, 40).Where(s => s % 3 == 0)];
        Pair q = RandomMatrix(40, 96), k = RandomMatrix(40, 32), v = RandomMatrix(40, 32);

        AssertEqual(caches.Attend(0, q, k, v, [.. slots.Select(s => (0, s, s))], []), 5e-6);
    }

    [Test]
    public void Hidden_slots_have_no_weight_even_if_nobody_wrote_them([Values] KeyValueFormat format)
    {
        using var caches = new Caches(this, 2, new KvCacheShape(1, 2, 16, format));
        caches.Reserve(400);
        // Nobody ever writes the slots 0 to 2 and 70 to 99.
        (int, int)[] hidden = [.. Enumerable.Range(0, 3).Concat(Enumerable.Range(70, 30)).Append(310).Select(s => (0, s)), (1, 4), (0, 399), (0, 5000)];
        (int, int, int)[] rows = [.. Enumerable.Range(3, 67).Concat(Enumerable.Range(100, 250)).Select(s => (0, s, s)), .. Enumerable.Range(0, 20).Select(s =>
            (1, s, s))];
        Pair q = RandomMatrix(rows.Length, 96), k = RandomMatrix(rows.Length, 32), v = RandomMatrix(rows.Length, 32);
        AssertEqual(caches.Attend(0, q, k, v, rows, hidden), 5e-6);

        Pair one = RandomMatrix(1, 96);
        AssertEqual(caches.Attend(0, one, RandomMatrix(1, 32), v.Rows(0..1), [(0, 350, 350)], hidden), 5e-6);
    }

    [Test]
    public void A_row_that_sees_nothing_gives_zeros([Values] KeyValueFormat format)
    {
        using var caches = new Caches(this, 1, new KvCacheShape(1, 1, 8, format));
        caches.Reserve(300);
        (int, int)[] hidden = [.. Enumerable.Range(0, 299).Select(s => (0, s))];
        Pair q = RandomMatrix(4, 24), k = RandomMatrix(4, 8), v = RandomMatrix(4, 8);

        Pair y = caches.Attend(0, q, k, v, [(0, 0, 0), (0, 1, 1), (0, 298, 298), (0, 299, 299)], hidden);

        AssertEqual(y);
        Assert.That(Lane.Read(y.Tested[..3]), Is.All.EqualTo(0f));
        Assert.That(Lane.Read(y.Tested[3..]), Is.All.Not.EqualTo(0f));
    }

    [Test]
    public void Attention_reaches_over_long_contexts([Values(1, 3, 40)] int rows, [Values(16, 20)] int dim, [Values] KeyValueFormat format)
    {
        const int Slots = 700;
        using var caches = new Caches(this, 1, new KvCacheShape(1, 2, dim, format));
        caches.Reserve(Slots);
        Pair k = RandomMatrix(Slots, 2 * dim, scale: 2), v = RandomMatrix(Slots, 2 * dim), q = RandomMatrix(Slots, 6 * dim, scale: 2);
        (int, int, int)[] all = [.. Enumerable.Range(0, Slots).Select(s => (0, s, s))];
        for (int first = 0; first < Slots - rows; first += 200)
            caches.Attend(0, q.Rows(first..Math.Min(first + 200, Slots - rows)), k.Rows(first..Math.Min(first + 200, Slots - rows)),
                v.Rows(first..Math.Min(first + 200, Slots - rows)), all[first..Math.Min(first + 200, Slots - rows)], []);

        AssertEqual(caches.Attend(0, q.Rows((Slots - rows)..Slots), k.Rows((Slots - rows)..Slots), v.Rows((Slots - rows)..Slots), all[(Slots - rows)..],
            []), 5e-6);
    }

    [Test]
    public void Large_scores_do_not_overflow()
    {
        using var caches = new Caches(this, 1, new KvCacheShape(1, 1, 16));
        caches.Reserve(100);
        Pair q = RandomMatrix(100, 48, scale: 100), k = RandomMatrix(100, 16, scale: 100), v = RandomMatrix(100, 16);

        AssertEqual(caches.Attend(0, q, k, v, [.. Enumerable.Range(0, 100).Select(s => (0, s, s))], []), 2e-3);
    }

    [Test]
    public void A_prefill_at_once_in_pieces_and_row_by_row_gives_the_same_numbers([Values(1, 3)] int group, [Values(10, 128)] int dim, [Values] KeyValueFormat format)
    {
        const int Rows = 330, Heads = 2;
        using var caches = new Caches(this, 3, new KvCacheShape(1, Heads, dim, format));
        caches.Reserve(Rows);
        float[] queries = NormalValues(Rows * Heads * group * dim), keys = NormalValues(Rows * Heads * dim), values = NormalValues(Rows * Heads * dim);
        float[][] results = [.. new[] { Rows, 50, 1 }.Select((piece, sequence) => Prefill(piece, sequence))];

        Assert.That(results[1], Is.EqualTo(results[0]));
        Assert.That(results[2], Is.EqualTo(results[0]));

        float[] Prefill(int piece, int sequence)
        {
            Matrix q = Lane.Upload(queries, Rows, Heads * group * dim), k = Lane.Upload(keys, Rows, Heads * dim), v = Lane.Upload(values, Rows, Heads * dim);
            for (int first = 0; first < Rows; first += piece)
            {
                Range rows = first..Math.Min(Rows, first + piece);
                caches.One(Lane, caches.Tested, 0, q[rows], k[rows], v[rows], [.. Enumerable.Range(first, rows.End.Value - first).Select(s =>
                    (sequence, s, s))], [], into: q[rows]);
            }
            return Lane.Read(q);
        }
    }

    [Test]
    public void A_row_gives_the_same_numbers_alone_and_among_others([Values] KeyValueFormat format)
    {
        const int Dim = 32, Heads = 2, Group = 3, Sequences = 12;
        using var caches = new Caches(this, Sequences, new KvCacheShape(2, Heads, Dim, format));
        caches.Reserve(600);
        (int, int, int)[] rows = [.. Enumerable.Range(0, Sequences).Select(s => (s, 40 * s + 17, 40 * s + 17))];
        for (int s = 0; s < Sequences; s++)
        {
            int slots = 40 * s + 17;
            Matrix k = RandomMatrix(slots, Heads * Dim).Tested, v = RandomMatrix(slots, Heads * Dim).Tested,
                q = RandomMatrix(slots, Heads * Group * Dim).Tested;
            foreach (int layer in new[] { 0, 1 })
                caches.One(Lane, caches.Tested, layer, Lane.Copy(q), Lane.Copy(k), v, [.. Enumerable.Range(0, slots).Select(i => (s, i, i))], []);
        }
        Matrix queries = RandomMatrix(Sequences, Heads * Group * Dim).Tested, keys = RandomMatrix(Sequences, Heads * Dim).Tested,
            values = RandomMatrix(Sequences, Heads * Dim).Tested;

        Matrix together = caches.One(Lane, caches.Tested, 0, Lane.Copy(queries), Lane.Copy(keys), values, rows, []);

        for (int r = 0; r < Sequences; r++)
        {
            Range row = r..(r + 1);
            Matrix alone = caches.One(Lane, caches.Tested, 1, Lane.Copy(queries[row]), Lane.Copy(keys[row]), values[row], rows[row], []);
            Assert.That(Lane.Read(alone), Is.EqualTo(Lane.Read(together[row])), $"row {r}");
        }
    }

    [Test]
    public void A_key_or_value_that_is_not_a_number_does_not_pass_unnoticed([Values] KeyValueFormat format, [Values(float.NaN, float.PositiveInfinity)] float odd)
    {
        using var caches = new Caches(this, 1, new KvCacheShape(1, 2, 16, format));
        caches.Reserve(40);
        // An infinite key may give a weight of zero, rightly.
        for (int key = 0; key < (float.IsNaN(odd) ? 2 : 1); key++)
        {
            float[] values = NormalValues(40 * 32);
            values[3] = odd;                            // row 0, which all see, of head 0
            Matrix clean = RandomMatrix(40, 32).Tested, broken = Lane.Upload(values, 40, 32), q = RandomMatrix(40, 32).Tested;
            float[] result = Lane.Read(caches.One(Lane, caches.Tested, 0, q, key == 1 ? broken : clean, key == 1 ? clean : broken, Rows(0, 0, 40), []));
            Assert.That(Enumerable.Range(0, 40).All(row => !result[(row * 32)..(row * 32 + 16)].All(float.IsFinite)), "the head");
            Assert.That(Enumerable.Range(0, 40).All(row => result[(row * 32 + 16)..((row + 1) * 32)].All(float.IsFinite)), "the other head");
        }
    }

    [Test]
    public void A_key_or_value_that_is_not_a_number_leaves_earlier_rows_alone([Values] KeyValueFormat format, [Values(1, 2, 3, 4)] int group, [Values(16, 32)] int dim,
        [Values(1, 34, 69)] int slot)
    {
        const int Rows = 70;
        using var caches = new Caches(this, 3, new KvCacheShape(1, 1, dim, format));
        caches.Reserve(Rows);
        Matrix q = RandomMatrix(Rows, group * dim).Tested;
        float[] keys = NormalValues(Rows * dim), values = NormalValues(Rows * dim), broken = NormalValues(Rows * dim);
        broken[slot * dim + 3] = float.NaN;
        float[] clean = Attend(0, keys, values);
        foreach ((int sequence, float[] theKeys, float[] theValues) in new[] { (1, keys, Broken(values)), (2, Broken(keys), values) })
        {
            float[] result = Attend(sequence, theKeys, theValues);
            Assert.That(result[..(slot * group * dim)], Is.EqualTo(clean[..(slot * group * dim)]), "rows before it");
            Assert.That(result[(slot * group * dim)..].Chunk(dim).All(head => !head.All(float.IsFinite)), "rows that see it");
        }

        float[] Broken(float[] from) => [.. from[..(slot * dim)], .. broken[(slot * dim)..((slot + 1) * dim)], .. from[((slot + 1) * dim)..]];

        float[] Attend(int sequence, float[] keys, float[] values) => Lane.Read(caches.One(Lane, caches.Tested, 0, Lane.Copy(q), Lane.Upload(keys, Rows, dim),
            Lane.Upload(values, Rows, dim), [.. Enumerable.Range(0, Rows).Select(s => (sequence, s, s))], []));
    }

    [Test]
    public void SelfAttention_lets_all_rows_see_all_rows([Values(1, 2, 17, 33, 300)] int rows, [Values(1, 3)] int heads, [Values(1, 6, 16, 64)] int dim)
    {
        Pair all = RandomMatrix(rows, 3 * heads * dim), y = Destination(rows, heads * dim, 3);
        Pair q = all.Slice(0, heads * dim), k = all.Slice(heads * dim, heads * dim), v = all.Slice(2 * heads * dim, heads * dim);

        Lane.SelfAttention(q.Tested, k.Tested, v.Tested, heads, into: y.Tested);
        Reference.SelfAttention(q.Expected, k.Expected, v.Expected, heads, into: y.Expected);

        AssertEqual(y, 5e-6);
    }

    [Test]
    public void SelfAttention_may_write_over_its_queries()
    {
        Pair q = RandomMatrix(100, 48), k = RandomMatrix(100, 48), v = RandomMatrix(100, 48);

        AssertEqual(new Pair(Lane.SelfAttention(q.Tested, k.Tested, v.Tested, 3, into: q.Tested),
            Reference.SelfAttention(q.Expected, k.Expected, v.Expected, 3)), 5e-6);
    }
}
