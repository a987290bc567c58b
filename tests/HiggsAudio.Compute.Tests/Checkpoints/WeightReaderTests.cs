using System.Runtime.InteropServices;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public class WeightReaderTests
{
    private readonly ReferenceDevice _device = new();
    private readonly Random _random = new(1);
    private readonly Dictionary<string, (long[] Shape, float[] Values)> _tensors = [];
    private TemporaryFolder _folder = null!;
    private Checkpoint? _checkpoint;

    [SetUp]
    public void MakeFolder()
    {
        _folder = new TemporaryFolder();
        _tensors.Clear();
    }

    [TearDown]
    public void DeleteFolder()
    {
        _checkpoint?.Dispose();
        _folder.Dispose();
    }

    private float[] Add(string name, params long[] shape)
    {
        float[] values = Random((int)shape.Aggregate(1L, (a, b) => a * b));
        _tensors.Add(name, (shape, values));
        return values;
    }

    private float[] Random(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.NextSingle() - 0.5f)];

    private WeightReader Read(Func<string, string?>? canonicalName = null, WeightFormat format = WeightFormat.AsStored)
    {
        using (var writer = new SafeTensorsWriter(_folder.File("a.safetensors"), _tensors.Select(t => new TensorPlan(t.Key, TensorType.Float32, t.Value.Shape))))
        {
            foreach ((string name, (_, float[] values)) in _tensors)
                writer.Write(name, MemoryMarshal.AsBytes<float>(values));
            writer.Complete();
        }
        _checkpoint = Checkpoint.Open(_folder.File("a.safetensors"));
        return new WeightReader(_checkpoint, _device, canonicalName, format);
    }

    private static float[] Values(Weight weight) => [.. Enumerable.Range(0, weight.Rows).SelectMany(r => ((ReferenceWeight)weight).Row(r).ToArray())];

    [Test]
    public void Linear_weights_tables_and_vectors_are_read_by_their_names_below_the_scope()
    {
        float[] linear = Add("a.b.weight", 2, 3), table = Add("a.table", 4, 5), vector = Add("a.alpha", 1, 6, 1), scalar = Add("a.scalar");
        WeightReader reader = Read(), a = reader.Scope("a");
        Assert.That(Values(a.Linear("b", 2, 3)), Is.EqualTo(linear));
        Assert.That(Values(a.Table("table", 4, 5)), Is.EqualTo(table));
        Assert.That(Values(a.Vector("alpha", 6)), Is.EqualTo(vector));
        Assert.That(Values(a.OptionalVector("scalar", 1)!), Is.EqualTo(scalar));
        Assert.That(a.OptionalVector("bias", 2), Is.Null);
        Assert.That(a.Has("table"), Is.True);
        Assert.That(reader.Has("table"), Is.False);
        Assert.That(a.ShapeOf("alpha").ToArray(), Is.EqualTo(new long[] { 1, 6, 1 }));
        Assert.That(() => a.ShapeOf("none").Length, Throws.TypeOf<CheckpointException>().With.Property("Tensor").EqualTo("a.none"));
        reader.Complete();
    }

    [Test]
    public void Stacked_tensors_are_one_weight()
    {
        float[] q = Add("q", 4, 3), k = Add("k", 2, 3);
        WeightReader reader = Read();
        Weight stacked = reader.Stacked(["q", "k", "q"], [4, 2, 4], 3, WeightUse.Linear);
        Assert.That((stacked.Rows, stacked.Columns), Is.EqualTo((10, 3)));
        Assert.That(Values(stacked), Is.EqualTo(q.Concat(k).Concat(q)));
        Assert.That(() => reader.Stacked(["q"], [4, 2], 3, WeightUse.Linear), Throws.ArgumentException);
        reader.Complete();
    }

    [Test]
    public void Missing_misshaped_and_left_over_tensors_are_reported_together()
    {
        Add("linear.weight", 2, 3);
        Add("vector", 2, 2);
        Add("stored.extra", 1);
        Add("second", 2, 2);
        WeightReader reader = Read(name => name.Replace("stored.", "canonical."));
        reader.Linear("linear", 3, 2);
        reader.Vector("vector", 4);
        reader.Vector("absent", 4);
        Weight stacked = reader.Stacked(["second", "gone"], [2, 5], 2, WeightUse.Table);
        reader.Conv1d("conv", 3, 4, 5);
        CheckpointException e = Assert.Throws<CheckpointException>(reader.Complete)!;
        Assert.That((stacked.Rows, stacked.Columns), Is.EqualTo((7, 2)));
        Assert.That(e.Path, Is.EqualTo(_folder.File("a.safetensors")));
        Assert.That(e.Tensor, Is.EqualTo("linear.weight"));
        Assert.That(e.Message, Does.Contain("'linear.weight' is [2, 3], expected [3, 2]")
            .And.Contain("'vector' is [2, 2], expected [4]").And.Contain("'absent' is missing (expected [4])")
            .And.Contain("'gone' is missing (expected [5, 2])").And.Contain("'conv.weight' is missing (expected [3, 4, 5])")
            .And.Contain("left over: stored.extra"));
    }

    [Test]
    public void Long_reports_are_cut()
    {
        for (int i = 0; i < 25; i++)
            Add($"extra.{i}", 1);
        WeightReader reader = Read();
        for (int i = 0; i < 25; i++)
            reader.Vector($"absent.{i}", 1);
        Assert.That(reader.Complete, Throws.TypeOf<CheckpointException>().With.Message.Contains("and 5 more; left over: extra.0").And.Message.EndsWith("and 5 more"));
    }

    [Test]
    public void Skipped_tensors_are_not_left_over()
    {
        Add("a", 1);
        Add("b.x.y", 1);
        Add("b", 1);
        Add("c.b.x", 1);
        Add("bb", 1);
        WeightReader reader = Read(name => name == "a" ? null : name);
        reader.Skip("b");
        reader.Scope("c").Skip("b");
        Assert.That(reader.Has("a"), Is.False);
        Assert.That(reader.Complete, Throws.TypeOf<CheckpointException>().With.Message.EndsWith("left over: bb"));
        reader.Skip("bb");
        reader.Skip("not there");
        reader.Complete();
    }

    [Test]
    public void Two_tensors_of_one_canonical_name_are_refused()
    {
        Add("x.a", 1);
        Add("y.a", 1);
        CheckpointException e = Assert.Throws<CheckpointException>(() => Read(name => name[2..]))!;
        Assert.That(e.Message, Does.Contain("x.a").And.Contain("y.a").And.Contain("stored twice"));
    }

    [TestCase(0, "weight_g", "weight_v")]
    [TestCase(2, "weight_g", "weight_v")]
    [TestCase(0, "parametrizations.weight.original0", "parametrizations.weight.original1")]
    [TestCase(1, "parametrizations.weight.original0", "parametrizations.weight.original1")]
    [TestCase(2, "parametrizations.weight.original0", "parametrizations.weight.original1")]
    public void Weight_norm_is_folded_for_every_dimension(int kept, string gainName, string directionName)
    {
        int[] shape = [4, 3, 5];
        float[] gain = Add($"conv.{gainName}", [.. shape.Select((d, i) => i == kept ? (long)d : 1)]);
        float[] direction = Add($"conv.{directionName}", 4, 3, 5);
        WeightReader reader = Read();
        float[] actual = Values(reader.Conv1d("conv", 4, 3, 5));
        reader.Complete();
        for (int o = 0; o < 4; o++)
            for (int i = 0; i < 3; i++)
                for (int k = 0; k < 5; k++)
                {
                    double norm = 0;   // over all elements that share the index of the kept dimension
                    for (int a = 0; a < 4; a++)
                        for (int b = 0; b < 3; b++)
                            for (int c = 0; c < 5; c++)
                                if ((kept == 0 ? a == o : kept == 1 ? b == i : c == k) && direction[(a * 3 + b) * 5 + c] is var v)
                                    norm += (double)v * v;
                    double expected = direction[(o * 3 + i) * 5 + k] * gain[kept == 0 ? o : kept == 1 ? i : k] / Math.Sqrt(norm);
                    Assert.That(actual[(o * 5 + k) * 3 + i], Is.EqualTo(expected).Within(1e-6));
                }
    }

    [Test]
    public void Half_of_a_weight_norm_and_a_gain_of_another_shape_are_reported()
    {
        Add("v.weight_v", 4, 3, 5);
        Add("g.parametrizations.weight.original0", 4, 1, 1);
        Add("bad.weight_g", 3, 1, 1);
        Add("bad.weight_v", 4, 3, 5);
        Add("flat.weight_g", 4);
        Add("flat.weight_v", 4, 3, 5);
        WeightReader reader = Read();
        foreach (string name in new[] { "v", "g", "bad", "flat" })
            reader.Conv1d(name, 4, 3, 5);
        CheckpointException e = Assert.Throws<CheckpointException>(reader.Complete)!;
        Assert.That(e.Message, Does.Contain("'v.weight_g' is missing").And.Contain("'g.parametrizations.weight.original1' is missing")
            .And.Contain("'bad.weight_g' is [3, 1, 1], expected [4, 1, 1]").And.Contain("'flat.weight_g' is [4]").And.Not.Contain("left over"));
    }

    [Test]
    public void Stored_and_folded_convolutions_compute_what_torch_does([Values(1, 3)] int groups, [Values] bool weightNorm)
    {
        const int outputs = 6, inputs = 9, kernel = 4, rows = 11;
        var shape = new Conv1dShape(kernel, Stride: 2, Dilation: 2, PaddingLeft: 3, PaddingRight: 1);
        float[] values = AddConvolution("conv", weightNorm, outputs, inputs / groups, kernel);
        WeightReader reader = Read();
        Weight[] weights = reader.GroupedConv1d("conv", outputs, inputs, kernel, groups);
        reader.Complete();
        float[] x = Random(rows * inputs);
        using Backend backend = _device.CreateLane();
        Matrix input = backend.Upload(x, rows, inputs), output = backend.Empty(shape.OutputRows(rows), outputs);
        for (int g = 0; g < groups; g++)
            backend.Conv1d(input.Slice(g * inputs / groups, inputs / groups), weights[g], null, shape, output.Slice(g * outputs / groups, outputs / groups));
        float[] actual = backend.Read(output);
        for (int t = 0; t < output.Rows; t++)
            for (int o = 0; o < outputs; o++)
            {
                double sum = 0;
                int first = o / (outputs / groups) * (inputs / groups);
                for (int i = 0; i < inputs / groups; i++)
                    for (int k = 0; k < kernel; k++)
                        if (t * 2 + k * 2 - 3 is var row and >= 0 and < rows)
                            sum += x[row * inputs + first + i] * values[(o * (inputs / groups) + i) * kernel + k];
                Assert.That(actual[t * outputs + o], Is.EqualTo(sum).Within(1e-5));
            }
    }

    // torch's definition: every input row adds its product with the whole kernel to the output from row * stride − padding on.
    [TestCase(8, 4, 2, 0)]
    [TestCase(10, 5, 3, 1)]
    [TestCase(7, 3, 2, 0)]
    [TestCase(2, 4, 0, 1)]
    [TestCase(3, 1, 1, 0)]
    public void Transposed_convolutions_compute_what_torch_does(int kernel, int stride, int padding, int outputPadding)
    {
        const int inputs = 5, outputs = 3, rows = 6;
        var shape = new ConvTranspose1dShape(kernel, stride, padding, outputPadding);
        float[] values = AddConvolution("conv", weightNorm: true, inputs, outputs, kernel);
        WeightReader reader = Read();
        Weight weight = reader.ConvTranspose1d("conv", inputs, outputs, kernel, stride);
        reader.Complete();
        float[] x = Random(rows * inputs);
        using Backend backend = _device.CreateLane();
        Matrix output = backend.ConvTranspose1d(backend.Upload(x, rows, inputs), weight, null, shape);
        var expected = new double[output.Rows * outputs];
        for (int t = 0; t < rows; t++)
            for (int i = 0; i < inputs; i++)
                for (int o = 0; o < outputs; o++)
                    for (int k = 0; k < kernel; k++)
                        if (t * stride + k - padding is var row && row >= 0 && row < output.Rows)
                            expected[row * outputs + o] += x[t * inputs + i] * values[(i * outputs + o) * kernel + k];
        Assert.That(backend.Read(output), Is.EqualTo(expected).Within(1e-5));
    }

    [Test]
    public void A_reader_of_shapes_checks_the_same_and_reads_nothing()
    {
        Add("linear.weight", 2, 3);
        Add("v", 4);
        AddConvolution("conv", weightNorm: true, 6, 3, 4);
        AddConvolution("up", weightNorm: true, 5, 3, 8);
        AddConvolution("bad", weightNorm: false, 6, 3, 4);
        Add("bias", 6);
        WeightReader reader = Read(), shapes = reader.ShapesOnly();
        Weight[] made =
        [
            shapes.Linear("linear", 2, 3), shapes.Vector("v", 4), shapes.Conv1d("conv", 6, 3, 4), shapes.ConvTranspose1d("up", 5, 3, 8, 4),
            .. shapes.GroupedVector("bias", 6, 3), shapes.Conv1d("bad", 6, 4, 4),
        ];
        Assert.That(made, Has.None.InstanceOf<ReferenceWeight>());
        Assert.That(made.Select(w => (w.Rows, w.Columns)), Is.EqualTo(new[] { (2, 3), (1, 4), (6, 12), (12, 10), (1, 2), (1, 2), (1, 2), (6, 16) }));
        Assert.That(reader.Made, Is.Empty);
        Assert.That(reader.Complete, Throws.TypeOf<CheckpointException>().With.Message.Contains("'bad.weight' is [6, 3, 4], expected [6, 4, 4]").And.Message.Not.Contains("left over"));
        Assert.That(reader.Linear("linear", 2, 3), Is.InstanceOf<ReferenceWeight>());
    }

    [TestCase(TensorType.BFloat16)]
    [TestCase(TensorType.Float16)]
    [TestCase(TensorType.Float64)]
    public void Convolutions_of_every_type_are_reordered(TensorType type)
    {
        const int outputs = 3, inputs = 5, kernel = 4;
        float[] values = [.. Enumerable.Range(0, outputs * inputs * kernel).Select(i => (float)(i - 30))];   // exact in all types
        using (var writer = new SafeTensorsWriter(_folder.File("a.safetensors"), [new TensorPlan("c.weight", type, [outputs, inputs, kernel])]))
        {
            byte[] bytes = type switch
            {
                TensorType.BFloat16 => MemoryMarshal.AsBytes<ushort>([.. values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16))]).ToArray(),
                TensorType.Float16 => MemoryMarshal.AsBytes<Half>([.. values.Select(v => (Half)v)]).ToArray(),
                _ => MemoryMarshal.AsBytes<double>([.. values.Select(v => (double)v)]).ToArray(),
            };
            writer.Write("c.weight", bytes);
            writer.Complete();
        }
        _checkpoint = Checkpoint.Open(_folder.File("a.safetensors"));
        float[] actual = Values(new WeightReader(_checkpoint, _device).Conv1d("c", outputs, inputs, kernel));
        for (int o = 0; o < outputs; o++)
            for (int i = 0; i < inputs; i++)
                for (int k = 0; k < kernel; k++)
                    Assert.That(actual[(o * kernel + k) * inputs + i], Is.EqualTo(values[(o * inputs + i) * kernel + k]));
    }

    // Adds a convolution [d0, d1, kernel], with weight norm over dimension 0 if asked for; returns its values.
    private float[] AddConvolution(string name, bool weightNorm, int d0, int d1, int kernel)
    {
        if (!weightNorm)
            return Add($"{name}.weight", d0, d1, kernel);
        float[] gain = Add($"{name}.weight_g", d0, 1, 1), direction = Add($"{name}.weight_v", d0, d1, kernel);
        int size = d1 * kernel;
        return [.. direction.Select((v, i) =>
            (float)(v * gain[i / size] / Math.Sqrt(direction.Skip(i / size * size).Take(size).Sum(d => (double)d * d))))];
    }

    [Test]
    public void Groups_that_do_not_divide_the_channels_are_an_argument_error()
    {
        WeightReader reader = Read();
        Assert.That(() => reader.GroupedConv1d("conv", 4, 6, 3, 4), Throws.ArgumentException);
        Assert.That(() => reader.GroupedConv1d("conv", 4, 6, 3, 0), Throws.ArgumentException);
    }

    [Test]
    public void Formats_apply_to_linear_weights_and_convolutions_but_not_to_vectors()
    {
        Add("a.weight", 2, 3);
        Add("v", 2);
        Add("c.weight", 2, 3, 4);
        WeightReader reader = Read(format: WeightFormat.BFloat16);
        Assert.That(reader.Linear("a", 2, 3).Format, Is.EqualTo(WeightFormat.BFloat16));
        Assert.That(reader.Linear("a", 2, 3, WeightFormat.AsStored).Format, Is.EqualTo(WeightFormat.AsStored));
        Assert.That(reader.Vector("v", 2).Format, Is.EqualTo(WeightFormat.Float32));
        Assert.That(reader.Conv1d("c", 2, 3, 4).Format, Is.EqualTo(WeightFormat.BFloat16));
        Assert.That(reader.Conv1d("c", 2, 3, 4, WeightFormat.AsStored).Format, Is.EqualTo(WeightFormat.Float32));
        reader.Complete();
    }
}
