using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public abstract partial class BackendContract
{
    private static readonly (Conv1dShape Shape, int Inputs, int Outputs)[] Conv1dShapes =
    [
        (Conv1dShape.Same(7), 1, 64), (Conv1dShape.Same(7), 32, 1), (Conv1dShape.Same(7), 33, 65), (Conv1dShape.Same(7, 3), 32, 32), (Conv1dShape.Same(7, 9), 12, 40),
        (Conv1dShape.Same(7, 9), 20, 3), (Conv1dShape.Same(1), 48, 48), (Conv1dShape.Same(3), 64, 32), (new Conv1dShape(10, 5), 1, 48), (new Conv1dShape(4, 2, 1, 1, 1), 32, 64),
        (new Conv1dShape(16, 8, 1, 4, 4), 16, 32), (new Conv1dShape(3, 3, 2, 5, 0), 7, 9), (new Conv1dShape(2, 2), 24, 50), (new Conv1dShape(7, 1, 1, 6), 8, 34), (new Conv1dShape(1, 3, 1, 1, 2), 5, 33),
        (new Conv1dShape(2, 1, 5, 9, 13), 3, 18),
    ];

    public static IEnumerable<TestCaseData> Conv1dCases() =>
        from shape in Conv1dShapes
        from rows in new[] { 1, 2, 9, 40, 150 }
        where shape.Shape.OutputRows(rows) > 0
        from gap in new[] { 0, 3 }
        select new TestCaseData(shape.Shape, rows, shape.Inputs, shape.Outputs, gap);

    [TestCaseSource(nameof(Conv1dCases))]
    public void Conv1d_slides_over_time(Conv1dShape shape, int rows, int inputs, int outputs, int gap)
    {
        Pair x = RandomMatrix(rows, inputs, gap);
        WeightPair weight = RandomWeight(outputs, shape.Kernel * inputs, WeightUse.Linear, scale: 1 / MathF.Sqrt(shape.Kernel * inputs));
        WeightPair bias = RandomVector(outputs);
        Pair y = Destination(shape.OutputRows(rows), outputs, gap);

        Lane.Conv1d(x.Tested, weight.Tested, bias.Tested, shape, into: y.Tested);
        Reference.Conv1d(x.Expected, weight.Expected, bias.Expected, shape, into: y.Expected);

        AssertEqual(y);
    }

    [Test]
    public void Conv1d_takes_every_kind_of_weight([Values] WeightSource source, [Values(WeightFormat.Float32, WeightFormat.BFloat16)] WeightFormat format, [Values(1, 3)] int dilation)
    {
        var shape = Conv1dShape.Same(3, dilation);
        Pair x = RandomMatrix(31, 20);
        WeightPair weight = RandomWeight(35, 60, WeightUse.Linear, format, source);

        AssertEqual(new Pair(Lane.Conv1d(x.Tested, weight.Tested, null, shape), Reference.Conv1d(x.Expected, weight.Expected, null, shape)));
    }

    [Test]
    public void Conv1d_works_on_slices_of_columns_like_a_grouped_convolution()
    {
        var shape = Conv1dShape.Same(5);
        Pair x = RandomMatrix(50, 4 * 12), y = Destination(50, 4 * 12, 1);
        for (int g = 0; g < 4; g++)
        {
            WeightPair weight = RandomWeight(12, 5 * 12, WeightUse.Linear);
            Lane.Conv1d(x.Slice(g * 12, 12).Tested, weight.Tested, null, shape, into: y.Slice(g * 12, 12).Tested);
            Reference.Conv1d(x.Slice(g * 12, 12).Expected, weight.Expected, null, shape, into: y.Slice(g * 12, 12).Expected);
        }
        AssertEqual(y);
    }

    [Test]
    public void Conv1d_computes_a_row_alike_in_a_window_and_in_the_whole([Values(1, 3, 9)] int dilation, [Values(32, 100)] int channels, [Values(200, 2100)] int rows)
    {
        const int First = 60, Count = 70;
        var shape = Conv1dShape.Same(7, dilation);
        int reach = 3 * dilation;
        Pair x = RandomMatrix(rows, channels);
        WeightPair weight = RandomWeight(channels, 7 * channels, WeightUse.Linear);

        float[] whole = Lane.Read(Lane.Conv1d(x.Tested, weight.Tested, null, shape)[First..(First + Count)]);
        float[] window = Lane.Read(Lane.Conv1d(x.Tested[(First - reach)..(First + Count + reach)], weight.Tested, null, shape)[reach..(reach + Count)]);

        Assert.That(window, Is.EqualTo(whole));
    }

    // Long inputs are not copied to be padded: only their ends are.
    private static readonly (Conv1dShape Shape, int Rows, int Inputs, int Outputs)[] LongConv1dShapes =
    [
        (Conv1dShape.Same(7, 9), 2200, 32, 32), (Conv1dShape.Same(7), 2200, 32, 1), (Conv1dShape.Same(3, 2), 2200, 32, 2), (Conv1dShape.Same(7), 70000, 1, 16),
        (new Conv1dShape(10, 5), 70000, 1, 18), (new Conv1dShape(16, 8, 1, 4, 4), 4400, 16, 33), (new Conv1dShape(4, 3, 2, 11, 7), 4400, 16, 33),
    ];

    public static IEnumerable<TestCaseData> LongConv1dCases() =>
        from shape in LongConv1dShapes
        from gap in new[] { 0, 3 }
        select new TestCaseData(shape.Shape, shape.Rows, shape.Inputs, shape.Outputs, gap);

    [TestCaseSource(nameof(LongConv1dCases))]
    public void Conv1d_slides_over_long_times(Conv1dShape shape, int rows, int inputs, int outputs, int gap) =>
        Conv1d_slides_over_time(shape, rows, inputs, outputs, gap);

    public static IEnumerable<TestCaseData> ConvTranspose1dCases() =>
        from shape in new[]
        {
            new ConvTranspose1dShape(4, 2, 1), new ConvTranspose1dShape(16, 8, 4), new ConvTranspose1dShape(6, 3, 2, 1), new ConvTranspose1dShape(10, 5, 3, 1), new ConvTranspose1dShape(2, 2),
            new ConvTranspose1dShape(3, 2, 1, 1), new ConvTranspose1dShape(1, 1), new ConvTranspose1dShape(7, 3, 0, 2), new ConvTranspose1dShape(2, 5, 0, 0), new ConvTranspose1dShape(5, 1, 2),
        }
        from rows in new[] { 1, 2, 17, 60 }
        from channels in new[] { (1, 1), (32, 16), (13, 7), (5, 40) }
        from gap in new[] { 0, 3 }
        select new TestCaseData(shape, rows, channels.Item1, channels.Item2, gap);

    [TestCaseSource(nameof(ConvTranspose1dCases))]
    public void ConvTranspose1d_spreads_over_time(ConvTranspose1dShape shape, int rows, int inputs, int outputs, int gap)
    {
        Pair x = RandomMatrix(rows, inputs, gap);
        WeightPair weight = RandomWeight(shape.Stride * outputs, shape.Taps * inputs, WeightUse.Linear, scale: 1 / MathF.Sqrt(shape.Taps * inputs));
        WeightPair bias = RandomVector(outputs);
        Pair y = Destination(shape.OutputRows(rows), outputs, gap);

        Lane.ConvTranspose1d(x.Tested, weight.Tested, bias.Tested, shape, into: y.Tested);
        Reference.ConvTranspose1d(x.Expected, weight.Expected, bias.Expected, shape, into: y.Expected);

        AssertEqual(y);
    }

    [Test]
    public void ConvTranspose1d_takes_every_kind_of_weight([Values] WeightSource source, [Values(WeightFormat.Float32, WeightFormat.BFloat16)] WeightFormat format)
    {
        var shape = new ConvTranspose1dShape(6, 3, 2, 1);
        Pair x = RandomMatrix(31, 20);
        WeightPair weight = RandomWeight(3 * 16, 2 * 20, WeightUse.Linear, format, source);

        AssertEqual(new Pair(Lane.ConvTranspose1d(x.Tested, weight.Tested, null, shape), Reference.ConvTranspose1d(x.Expected, weight.Expected, null, shape)));
    }

    [Test]
    public void ConvTranspose1d_spreads_over_long_times([Values(0, 3)] int gap)
    {
        ConvTranspose1d_spreads_over_time(new ConvTranspose1dShape(6, 3, 2, 1), 2200, 32, 16, gap);
        ConvTranspose1d_spreads_over_time(new ConvTranspose1dShape(7, 3, 9), 2200, 32, 16, gap);
        ConvTranspose1d_spreads_over_time(new ConvTranspose1dShape(16, 2, 1), 2200, 32, 16, gap);
    }
}
