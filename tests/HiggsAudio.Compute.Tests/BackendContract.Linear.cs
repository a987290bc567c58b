using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public abstract partial class BackendContract
{
    private static readonly (int Rows, int Inputs, int Outputs)[] LinearShapes =
    [
        (1, 1, 1), (1, 64, 32), (1, 131, 97), (1, 3, 40), (2, 32, 5), (3, 96, 64), (4, 100, 33), (5, 17, 16), (6, 33, 12), (7, 200, 130),
        (11, 64, 15), (12, 65, 36), (13, 40, 100), (25, 1100, 70), (61, 48, 161), (130, 70, 3), (200, 5, 1), (1, 2500, 200), (2, 5000, 67), (0, 8, 8), (3, 0, 20), (14, 1024, 260), (200, 512, 256),
    ];

    public static IEnumerable<TestCaseData> LinearCases() =>
        from shape in LinearShapes
        from format in new[] { WeightFormat.Float32, WeightFormat.BFloat16, WeightFormat.Int8, WeightFormat.Int4 }
        from source in Enum.GetValues<WeightSource>()
        where source != WeightSource.Stacked || shape.Outputs > 1
        select new TestCaseData(shape.Rows, shape.Inputs, shape.Outputs, format, source);

    [TestCaseSource(nameof(LinearCases))]
    public void Linear_multiplies_rows_with_the_weight(int rows, int inputs, int outputs, WeightFormat format, WeightSource source)
    {
        Pair x = RandomMatrix(rows, inputs, gap: 3);
        WeightPair weight = RandomWeight(outputs, inputs, WeightUse.Linear, format, source, 1 / MathF.Sqrt(Math.Max(1, inputs)));
        WeightPair bias = RandomVector(outputs);
        Pair y = Destination(rows, outputs, gap: 5);

        Lane.Linear(x.Tested, weight.Tested, bias.Tested, into: y.Tested);
        Reference.Linear(x.Expected, weight.Expected, bias.Expected, into: y.Expected);

        AssertEqual(y);
    }

    [Test]
    public void Linear_works_without_bias_and_makes_its_own_result([Values] WeightSource source)
    {
        Pair x = RandomMatrix(7, 50);
        WeightPair weight = RandomWeight(45, 50, WeightUse.Linear, source: source);

        AssertEqual(new Pair(Lane.Linear(x.Tested, weight.Tested), Reference.Linear(x.Expected, weight.Expected)));
    }

    [Test]
    public void Linear_takes_overlapping_rows([Values(1, 8, 30)] int stride, [Values(1, 9, 32, 70)] int outputs, [Values(3, 100)] int rows)
    {
        Pair x = RandomMatrix(1, stride * (rows - 1) + 75);
        Pair windows = new(x.Tested with { Rows = rows, Columns = 75, RowStride = stride }, x.Expected with { Rows = rows, Columns = 75, RowStride = stride });
        WeightPair weight = RandomWeight(outputs, 75, WeightUse.Linear, scale: 0.1f);

        AssertEqual(new Pair(Lane.Linear(windows.Tested, weight.Tested), Reference.Linear(windows.Expected, weight.Expected)));
    }

    [Test]
    public void Linear_computes_a_row_alike_in_every_batch([Values] WeightSource source,
        [Values(WeightFormat.Float32, WeightFormat.BFloat16, WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format, [Values(5, 2100)] int inputs, [Values(1, 30, 100)] int outputs)
    {
        if (outputs == 1 && source == WeightSource.Stacked)
            source = WeightSource.Mapped;
        const int Rows = 41;
        Pair x = RandomMatrix(Rows, inputs);
        WeightPair weight = RandomWeight(outputs, inputs, WeightUse.Linear, format, source);
        float[] whole = Lane.Read(Lane.Linear(x.Tested, weight.Tested));

        for (int batch = 1; batch < Rows; batch = batch * 3 / 2 + 1)
            for (int row = 0; row + batch <= Rows; row += batch)
                Assert.That(Lane.Read(Lane.Linear(x.Tested[row..(row + batch)], weight.Tested)), Is.EqualTo(whole[(row * outputs)..((row + batch) * outputs)]));
    }

    [Test]
    public void Linear_takes_a_checkpoints_half_floats_converted()
    {
        Pair x = RandomMatrix(3, 40);
        float[] values = [.. NormalValues(20 * 40).Select(v => (float)(Half)v)];
        Weight tested = Device.CreateWeight([Tensor(values, TensorType.Float16, 20, 40)], 20, 40, WeightUse.Linear);
        Weight expected = _referenceDevice.CreateWeight(values, 20, 40, WeightUse.Linear);

        AssertEqual(new Pair(Lane.Linear(x.Tested, tested), Reference.Linear(x.Expected, expected)));
    }

    [Test]
    public void A_weight_is_packed_from_a_checkpoint_in_the_format_asked_for([Values(TensorType.Float32, TensorType.BFloat16, TensorType.Float16)] TensorType stored,
        [Values(WeightFormat.Float32, WeightFormat.BFloat16, WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format, [Values(1, 9)] int rows)
    {
        Pair x = RandomMatrix(rows, 77);
        float[] values = [.. NormalValues(50 * 77, 0.1f).Select(v => (float)(Half)ReferenceDevice.RoundToBFloat16(v))];
        Weight tested = Device.CreateWeight([Tensor(values.AsSpan(0, 20 * 77), stored, 20, 77), Tensor(values.AsSpan(20 * 77), stored, 30, 77)], 50, 77, WeightUse.Linear, format);
        Weight expected = _referenceDevice.CreateWeight(values, 50, 77, WeightUse.Linear, format);

        Assert.That(tested.Format, Is.EqualTo(format));
        AssertEqual(new Pair(Lane.Linear(x.Tested, tested), Reference.Linear(x.Expected, expected)));
    }
}
