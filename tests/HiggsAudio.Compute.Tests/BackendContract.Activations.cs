using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public abstract partial class BackendContract
{
    private static readonly (int Rows, int Columns)[] ElementShapes = [(1, 1), (1, 7), (1, 3072), (2, 16), (3, 33), (5, 100), (17, 48), (64, 1), (300, 130),
        (9, 5001)];

    public static IEnumerable<TestCaseData> ElementCases() =>
        from shape in ElementShapes
        from gap in new[] { 0, 3 }
        from inPlace in new[] { false, true }
        select new TestCaseData(shape.Rows, shape.Columns, gap, inPlace);

    [TestCaseSource(nameof(ElementCases))]
    public void SwiGlu_gates(int rows, int columns, int gap, bool inPlace)
    {
        Pair gate = RandomMatrix(rows, columns, gap, scale: 4), up = RandomMatrix(rows, columns, gap);
        Pair y = inPlace ? gate : Destination(rows, columns, gap);

        Lane.SwiGlu(gate.Tested, up.Tested, into: y.Tested);
        Reference.SwiGlu(gate.Expected, up.Expected, into: y.Expected);

        AssertEqual(y, 1e-6);
    }

    [Test]
    public void SwiGlu_takes_the_two_halves_of_a_stacked_projection()
    {
        Pair both = RandomMatrix(9, 2 * 70);

        AssertEqual(new Pair(Lane.SwiGlu(both.Tested.Slice(0, 70), both.Tested.Slice(70, 70)),
            Reference.SwiGlu(both.Expected.Slice(0, 70), both.Expected.Slice(70, 70))), 1e-6);
    }

    [TestCaseSource(nameof(ElementCases))]
    public void Gelu_uses_the_error_function(int rows, int columns, int gap, bool inPlace)
    {
        Pair x = RandomMatrix(rows, columns, gap, scale: 3), y = inPlace ? x : Destination(rows, columns, gap);

        Lane.Gelu(x.Tested, into: y.Tested);
        Reference.Gelu(x.Expected, into: y.Expected);

        AssertEqual(y, 1e-6);
    }

    [TestCaseSource(nameof(ElementCases))]
    public void Elu_is_the_identity_above_zero_and_exponential_below(int rows, int columns, int gap, bool inPlace)
    {
        Pair x = RandomMatrix(rows, columns, gap, scale: 3), y = inPlace ? x : Destination(rows, columns, gap);

        Lane.Elu(x.Tested, into: y.Tested);
        Reference.Elu(x.Expected, into: y.Expected);

        AssertEqual(y, 1e-6);
    }

    [TestCaseSource(nameof(ElementCases))]
    public void Snake_adds_a_squared_sine(int rows, int columns, int gap, bool inPlace)
    {
        Pair x = RandomMatrix(rows, columns, gap), y = inPlace ? x : Destination(rows, columns, gap);
        WeightPair alpha = WeightOf([.. NormalValues(columns).Select(v => 0.5f + MathF.Abs(v))], 1, columns, WeightUse.Vector);

        Lane.Snake(x.Tested, alpha.Tested, into: y.Tested);
        Reference.Snake(x.Expected, alpha.Expected, into: y.Expected);

        AssertEqual(y, 5e-6);
    }

    [Test]
    public void Snake_takes_zero_alphas_and_large_angles()
    {
        WeightPair alpha = WeightOf([0, 1e-6f, 1, 30, 1e4f, 1e6f, -2], 1, 7, WeightUse.Vector);
        Pair x = RandomMatrix(40, 7, scale: 20);
        float[] tested = Lane.Read(Lane.Snake(x.Tested, alpha.Tested)), values = Lane.Read(x.Tested);

        for (int i = 0; i < tested.Length; i++)
        {
            // The angle may be rounded to a float, as the reference does.
            double a = new double[] { 0, 1e-6f, 1, 30, 1e4f, 1e6f, -2 }[i % 7], sine = Math.Sin(a * values[i]);
            double expected = values[i] + sine * sine / (a + 1e-9), rounding = Math.Abs(a * values[i]) * 1e-7 + 1e-6;
            Assert.That(tested[i], Is.EqualTo(expected).Within(1e-6 * Math.Max(1, Math.Abs(values[i])) + Math.Min(1, rounding) / Math.Max(1e-3, Math.Abs(a))));
        }
    }

    [TestCaseSource(nameof(ElementCases))]
    public void Add_Scale_Copy_and_Zeros_are_exact(int rows, int columns, int gap, bool inPlace)
    {
        Pair x = RandomMatrix(rows, columns, gap), y = inPlace ? x : RandomMatrix(rows, columns, gap), copy = Destination(rows, columns, gap);

        Lane.Copy(x.Tested, into: copy.Tested);
        Reference.Copy(x.Expected, into: copy.Expected);
        AssertEqual(copy, 0);
        Lane.Add(copy.Tested, y.Tested);
        Reference.Add(copy.Expected, y.Expected);
        AssertEqual(copy, 0);
        Lane.Scale(copy.Tested, 0.3f);
        Reference.Scale(copy.Expected, 0.3f);
        AssertEqual(copy, 0);
        Assert.That(Lane.Read(Lane.Zeros(rows, columns)), Is.All.EqualTo(0f));
    }

    [Test]
    public void An_element_does_not_depend_on_where_it_stands()
    {
        const int Columns = 50;
        Pair x = RandomMatrix(30, Columns, scale: 3);
        WeightPair alpha = RandomVector(Columns);
        foreach (Func<Matrix, Matrix> operation in new Func<Matrix, Matrix>[] { m => Lane.Gelu(m), m => Lane.Elu(m), m => Lane.SwiGlu(m, m), m =>
            Lane.Snake(m, alpha.Tested) })
        {
            float[] whole = Lane.Read(operation(x.Tested));
            for (int row = 0; row < 30; row++)
                Assert.That(Lane.Read(operation(x.Tested[row..(row + 1)])), Is.EqualTo(whole[(row * Columns)..((row + 1) * Columns)]));
        }
    }

    [Test]
    public void Not_a_number_stays_one_and_large_numbers_do_no_harm()
    {
        float[] values = [float.NaN, 1e30f, -1e30f, float.MaxValue, float.MinValue, 100, -100, 88.8f, -88.8f, 0, -0f, 1e-30f, -1e-30f];
        Matrix x = Lane.Upload(values, 1, values.Length), one = Lane.Upload([.. values.Select(_ => 1f)], 1, values.Length);
        float[] gated = Lane.Read(Lane.SwiGlu(x, one)), gelu = Lane.Read(Lane.Gelu(x)), elu = Lane.Read(Lane.Elu(x));

        for (int i = 0; i < values.Length; i++)
        {
            double positive = Math.Max(0, values[i]);
            Assert.That(float.IsNaN(gated[i]), Is.EqualTo(i == 0));
            Assert.That(float.IsNaN(gelu[i]), Is.EqualTo(i == 0));
            Assert.That(float.IsNaN(elu[i]), Is.EqualTo(i == 0));
            if (i == 0)
                continue;
            Assert.That(gated[i], Is.EqualTo(positive).Within(1e-30));
            Assert.That(gelu[i], Is.EqualTo(positive).Within(1e-30));
            Assert.That(elu[i], Is.EqualTo(values[i] > 0 ? values[i] : Math.Exp(values[i]) - 1).Within(1e-7));
        }
    }
}
