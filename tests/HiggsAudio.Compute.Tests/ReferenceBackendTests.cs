using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

/// <summary>The reference keeps the contract too, and gives what the definitions give by hand.</summary>
public sealed class ReferenceBackendTests : BackendContract
{
    protected override Device CreateDevice() => new ReferenceDevice();

    [Test]
    public void Linear_by_hand()
    {
        Matrix x = Reference.Upload([1, 2, 3, 4], 2, 2);
        WeightPair weight = WeightOf([1, 10, 100, 1000, -1, 0], 3, 2, WeightUse.Linear), bias = WeightOf([0.5f, 0, 0], 1, 3, WeightUse.Vector);
        Assert.That(Reference.Read(Reference.Linear(x, weight.Expected, bias.Expected)), Is.EqualTo([21.5f, 2100, -1, 43.5f, 4300, -3]));
    }

    [Test]
    public void Conv1d_by_hand()
    {
        Matrix x = Reference.Upload([1, 2, 3, 4, 5], 5, 1);
        WeightPair weight = WeightOf([1, 10, 100], 1, 3, WeightUse.Linear);
        Assert.That(Reference.Read(Reference.Conv1d(x, weight.Expected, null, new Conv1dShape(3, 1, 1, 1, 1))), Is.EqualTo([210f, 321, 432, 543, 54]));
        Assert.That(Reference.Read(Reference.Conv1d(x, weight.Expected, null, new Conv1dShape(3, 2, 2, 2, 0))), Is.EqualTo([310f, 531]));
    }

    [Test]
    public void Conv1d_columns_are_taps_times_inputs()
    {
        Matrix x = Reference.Upload([1, 2, 3, 4], 2, 2);        // two rows of two inputs
        WeightPair weight = WeightOf([1, 10, 100, 1000], 1, 4, WeightUse.Linear);
        Assert.That(Reference.Read(Reference.Conv1d(x, weight.Expected, null, new Conv1dShape(2))), Is.EqualTo([4321f]));
    }

    [Test]
    public void ConvTranspose1d_scatters_as_torch_does([Values(1, 3)] int inputs, [Values(1, 2)] int outputs)
    {
        foreach (ConvTranspose1dShape shape in new ConvTranspose1dShape[] { new(4, 2, 1), new(5, 3, 2, 1), new(7, 3, 0, 2), new(2, 5, 1), new(3, 1, 1) })
        {
            float[] x = NormalValues(6 * inputs), torch = NormalValues(inputs * outputs * shape.Kernel);     // [inputs, outputs, kernel]
            var ordered = new float[shape.Stride * outputs * shape.Taps * inputs];
            for (int phase = 0; phase < shape.Stride; phase++)
                for (int o = 0; o < outputs; o++)
                    for (int w = 0; w < shape.Taps; w++)
                        for (int i = 0; i < inputs; i++)
                            if (phase + (shape.Taps - 1 - w) * shape.Stride is var k && k < shape.Kernel)
                                ordered[((phase * outputs + o) * shape.Taps + w) * inputs + i] = torch[(i * outputs + o) * shape.Kernel + k];
            var expected = new float[shape.OutputRows(6) * outputs];
            for (int t = 0; t < 6; t++)
                for (int i = 0; i < inputs; i++)
                    for (int o = 0; o < outputs; o++)
                        for (int k = 0; k < shape.Kernel; k++)
                            if (t * shape.Stride + k - shape.Padding is var row && row >= 0 && row < shape.OutputRows(6))
                                expected[row * outputs + o] += x[t * inputs + i] * torch[(i * outputs + o) * shape.Kernel + k];

            Weight weight = WeightOf(ordered, shape.Stride * outputs, shape.Taps * inputs, WeightUse.Linear).Expected;
            Assert.That(Reference.Read(Reference.ConvTranspose1d(Reference.Upload(x, 6, inputs), weight, null, shape)), Is.EqualTo(expected).Within(1e-5));
        }
    }
}
