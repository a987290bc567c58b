using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public abstract partial class BackendContract
{
    public static IEnumerable<TestCaseData> NormCases() =>
        from shape in new[] { (1, 1), (1, 3), (1, 16), (2, 31), (3, 64), (7, 130), (40, 768), (2, 3072), (130, 300) }
        from gap in new[] { 0, 5 }
        from inPlace in new[] { false, true }
        select new TestCaseData(shape.Item1, shape.Item2, gap, inPlace);

    [TestCaseSource(nameof(NormCases))]
    public void RmsNorm_scales_rows(int rows, int columns, int gap, bool inPlace)
    {
        Pair x = RandomMatrix(rows, columns, gap, scale: 2), y = inPlace ? x : Destination(rows, columns, gap);
        WeightPair gain = RandomVector(columns);

        Lane.RmsNorm(x.Tested, gain.Tested, 1e-5f, into: y.Tested);
        Reference.RmsNorm(x.Expected, gain.Expected, 1e-5f, into: y.Expected);

        AssertEqual(y, 3e-6);
    }

    [TestCaseSource(nameof(NormCases))]
    public void LayerNorm_centres_and_scales_rows(int rows, int columns, int gap, bool inPlace)
    {
        Pair x = RandomMatrix(rows, columns, gap, scale: 2), y = inPlace ? x : Destination(rows, columns, gap);
        WeightPair gain = RandomVector(columns), bias = RandomVector(columns);

        Lane.LayerNorm(x.Tested, gain.Tested, bias.Tested, 1e-5f, into: y.Tested);
        Reference.LayerNorm(x.Expected, gain.Expected, bias.Expected, 1e-5f, into: y.Expected);

        AssertEqual(y, 3e-6);
    }

    public static IEnumerable<TestCaseData> GroupNormCases() =>
        from shape in new[] { (1, 1, 1), (1, 6, 2), (2, 16, 16), (3, 40, 5), (50, 33, 33), (700, 3, 3), (600, 48, 48), (90, 1040, 8), (200, 512, 512),
            (5, 64, 1) }
        from gap in new[] { 0, 5 }
        from inPlace in new[] { false, true }
        select new TestCaseData(shape.Item1, shape.Item2, shape.Item3, gap, inPlace);

    [TestCaseSource(nameof(GroupNormCases))]
    public void GroupNorm_centres_and_scales_groups_of_columns(int rows, int columns, int groups, int gap, bool inPlace)
    {
        Pair x = RandomMatrix(rows, columns, gap, scale: 2), y = inPlace ? x : Destination(rows, columns, gap);
        WeightPair gain = RandomVector(columns), bias = RandomVector(columns);

        Lane.GroupNorm(x.Tested, groups, gain.Tested, bias.Tested, 1e-5f, into: y.Tested);
        Reference.GroupNorm(x.Expected, groups, gain.Expected, bias.Expected, 1e-5f, into: y.Expected);

        AssertEqual(y, 5e-6);
    }

    [Test]
    public void GroupNorm_keeps_its_precision_over_many_rows_far_from_zero()
    {
        const int Rows = 20_000, Columns = 5;
        var values = new float[Rows * Columns];
        for (int i = 0; i < values.Length; i++)
            values[i] = 1000 * (i % Columns) + Normal();
        Pair x = new(Lane.Upload(values, Rows, Columns), Reference.Upload(values, Rows, Columns));
        WeightPair gain = RandomVector(Columns), bias = RandomVector(Columns);

        AssertEqual(new Pair(Lane.GroupNorm(x.Tested, Columns, gain.Tested, bias.Tested, 1e-5f),
            Reference.GroupNorm(x.Expected, Columns, gain.Expected, bias.Expected, 1e-5f)), 5e-6);
    }

    [Test]
    public void LayerNorm_keeps_its_precision_far_from_zero()
    {
        float[] values = [.. NormalValues(6 * 500).Select(v => v + 5000)];
        Pair x = new(Lane.Upload(values, 6, 500), Reference.Upload(values, 6, 500));
        WeightPair gain = RandomVector(500), bias = RandomVector(500);

        AssertEqual(new Pair(Lane.LayerNorm(x.Tested, gain.Tested, bias.Tested, 1e-5f),
            Reference.LayerNorm(x.Expected, gain.Expected, bias.Expected, 1e-5f)), 1e-5);
    }

    [Test]
    public void Rows_and_columns_of_equal_numbers_give_the_bias()
    {
        float[] values = [.. Enumerable.Repeat(3.1f, 40 * 20)];
        WeightPair gain = RandomVector(20), bias = RandomVector(20);
        Pair x = new(Lane.Upload(values, 40, 20), Reference.Upload(values, 40, 20));

        AssertEqual(new Pair(Lane.LayerNorm(x.Tested, gain.Tested, bias.Tested, 1e-5f),
            Reference.LayerNorm(x.Expected, gain.Expected, bias.Expected, 1e-5f)), 1e-4);
        AssertEqual(new Pair(Lane.GroupNorm(x.Tested, 20, gain.Tested, bias.Tested, 1e-5f),
            Reference.GroupNorm(x.Expected, 20, gain.Expected, bias.Expected, 1e-5f)), 1e-4);
    }

    [Test]
    public void Row_norms_compute_a_row_alike_in_every_batch()
    {
        const int Rows = 100, Columns = 700;
        Pair x = RandomMatrix(Rows, Columns);
        WeightPair gain = RandomVector(Columns), bias = RandomVector(Columns);
        float[] rms = Lane.Read(Lane.RmsNorm(x.Tested, gain.Tested, 1e-5f)), layer = Lane.Read(Lane.LayerNorm(x.Tested, gain.Tested, bias.Tested, 1e-5f));

        for (int row = 0; row < Rows; row += 9)
        {
            Range part = (row * Columns)..((row + 1) * Columns);
            Assert.That(Lane.Read(Lane.RmsNorm(x.Tested[row..(row + 1)], gain.Tested, 1e-5f)), Is.EqualTo(rms[part]));
            Assert.That(Lane.Read(Lane.LayerNorm(x.Tested[row..(row + 1)], gain.Tested, bias.Tested, 1e-5f)), Is.EqualTo(layer[part]));
        }
    }
}
