using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public abstract partial class BackendContract
{
    public static IEnumerable<TestCaseData> TableCases() =>
        from shape in new[] { (1, 1, 1), (3, 5, 7), (40, 50, 33), (5, 9, 3072), (300, 20, 130) }
        from format in new[] { WeightFormat.Float32, WeightFormat.BFloat16 }
        from source in Enum.GetValues<WeightSource>()
        where source != WeightSource.Stacked || shape.Item2 > 1
        select new TestCaseData(shape.Item1, shape.Item2, shape.Item3, format, source);

    [TestCaseSource(nameof(TableCases))]
    public void Embed_looks_up_rows_and_gives_zeros_for_none(int rows, int entries, int width, WeightFormat format, WeightSource source)
    {
        WeightPair table = RandomWeight(entries, width, WeightUse.Table, format, source);
        Pair y = Destination(rows, width, 3);
        int[] ids = [.. Enumerable.Range(0, rows).Select(_ => _random.Next(-1, entries))];

        Lane.Embed(table.Tested, ids, into: y.Tested);
        Reference.Embed(table.Expected, ids, into: y.Expected);

        AssertEqual(y, 0);
    }

    [TestCaseSource(nameof(TableCases))]
    public void EmbedSum_adds_up_rows_or_averages_them(int rows, int entries, int width, WeightFormat format, WeightSource source)
    {
        WeightPair table = RandomWeight(entries, width, WeightUse.Table, format, source);
        foreach (int perRow in new[] { 1, 2, 8 })
            foreach (bool average in new[] { false, true })
            {
                Pair y = Destination(rows, width, 3);
                int[] ids = [.. Enumerable.Range(0, rows * perRow).Select(_ => _random.Next(entries))];

                Lane.EmbedSum(table.Tested, ids, perRow, average, into: y.Tested);
                Reference.EmbedSum(table.Expected, ids, perRow, average, into: y.Expected);

                AssertEqual(y, 1e-6);
            }
    }

    [Test]
    public void TakeRows_gathers([Values(1, 5, 400)] int rows, [Values(1, 40, 257)] int columns, [Values(0, 3)] int gap)
    {
        Pair x = RandomMatrix(11, columns, gap), y = Destination(rows, columns, gap);
        int[] taken = [.. Enumerable.Range(0, rows).Select(_ => _random.Next(11))];

        Lane.TakeRows(x.Tested, taken, into: y.Tested);
        Reference.TakeRows(x.Expected, taken, into: y.Expected);

        AssertEqual(y, 0);
    }

    [TestCaseSource(nameof(TableCases))]
    public void NearestRow_finds_the_nearest_entry(int rows, int entries, int width, WeightFormat format, WeightSource source)
    {
        WeightPair table = RandomWeight(entries, width, WeightUse.Table, format, source);
        Pair x = RandomMatrix(rows, width, 3);
        int[] tested = [.. Enumerable.Repeat(-7, rows)], expected = new int[rows];

        Lane.NearestRow(x.Tested, table.Tested, tested);
        Reference.NearestRow(x.Expected, table.Expected, expected);

        Assert.That(tested, Is.EqualTo(expected));
    }

    [Test]
    public void NearestRow_takes_the_first_of_equal_entries([Values(1, 40)] int rows, [Values(4, 64)] int width)
    {
        float[] entries = NormalValues(10 * width);
        float[] repeated = [.. entries, .. entries, .. entries];
        WeightPair table = WeightOf(repeated, 30, width, WeightUse.Table);
        float[] values = [.. Enumerable.Range(0, rows).SelectMany(r => entries.Skip(r % 10 * width).Take(width))];
        var tested = new int[rows];

        Lane.NearestRow(Lane.Upload(values, rows, width), table.Tested, tested);

        Assert.That(tested, Is.EqualTo(Enumerable.Range(0, rows).Select(r => r % 10)));
    }

    [Test]
    public void NearestRow_finds_an_entry_alike_in_every_batch()
    {
        WeightPair table = RandomWeight(200, 24, WeightUse.Table);
        Pair x = RandomMatrix(77, 24);
        var whole = new int[77];
        Lane.NearestRow(x.Tested, table.Tested, whole);

        for (int row = 0; row < 77; row++)
        {
            var one = new int[1];
            Lane.NearestRow(x.Tested[row..(row + 1)], table.Tested, one);
            Assert.That(one[0], Is.EqualTo(whole[row]));
        }
    }
}
