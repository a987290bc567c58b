using HiggsAudio.Compute.Cpu;
using HiggsAudio.Compute.Cpu.Kernels;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

/// <summary>Weights of 8 and 4 bits: what they cost in precision and memory, and what does not change their results.</summary>
internal sealed class QuantizedWeightTests
{
    private static readonly WeightFormat[] Formats = [WeightFormat.Int8, WeightFormat.Int4];

    [Test]
    public void Four_bits_with_a_search_for_the_scale_lose_less_than_with_the_largest_value_as_scale()
    {
        float[] values = Normal(32 * 4096, seed: 3);
        double searched = Error(values, WeightFormat.Int4), naive = 0;
        for (int start = 0; start < values.Length; start += 32)
        {
            float scale = values.AsSpan(start, 32).ToArray().Max(MathF.Abs) / 7;
            for (int i = start; i < start + 32; i++)
                naive += Math.Pow(values[i] - MathF.Round(values[i] / scale) * scale, 2);
        }
        TestContext.Out.WriteLine($"error to the naive one {searched / naive:0.000}, signal to noise {-10 * Math.Log10(searched / values.Length):0.0} dB");
        Assert.That(searched / naive, Is.LessThan(0.8));
        Assert.That(searched / values.Length, Is.LessThan(0.008));          // 21 dB below the values
    }

    [Test]
    public void Eight_bits_lose_less_than_a_hundredth_of_a_percent_of_the_energy() =>
        Assert.That(Error(Normal(32 * 1024, seed: 4), WeightFormat.Int8) / (32 * 1024), Is.LessThan(1e-4));

    [TestCaseSource(nameof(Formats))]
    public void Zeros_stay_zero_and_small_and_large_values_keep_their_size(WeightFormat format)
    {
        Assert.That(Dequantized(new float[32], format), Is.All.Zero);
        foreach (float size in new[] { 1e-30f, 1e-3f, 1, 1e30f })
            for (int sign = -1; sign <= 1; sign += 2)
            {
                var block = new float[32];
                block[5] = sign * size;
                block[6] = -sign * size / 2;
                float[] values = Dequantized(block, format);
                Assert.That(values[5], Is.EqualTo(block[5]).Within(0.1).Percent.Or.EqualTo(block[5]).Within(size / 10));
                Assert.That(values[6], Is.EqualTo(block[6]).Within(size / 10));
            }
        Assert.That(Dequantized([.. Enumerable.Repeat(1e-42f, 32)], format), Has.All.InRange(-1e-41f, 1e-41f));
    }

    [TestCaseSource(nameof(Formats))]
    public void What_is_not_a_number_does_not_pass_unnoticed(WeightFormat format)
    {
        foreach (float odd in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            float[] values = Normal(40 * 100, seed: 5), x = Normal(2 * 100, seed: 6);
            float[] clean = Multiply(values, 40, x, 2, format, threads: 1);
            values[33 * 100 + 70] = odd;
            float[] result = Multiply(values, 40, x, 2, format, threads: 1);
            Assert.That(result[33], Is.NaN);
            Assert.That(result[..33], Is.EqualTo(clean[..33]));
            x[100 + 3] = odd;
            Assert.That(Multiply(values, 40, x, 2, format, threads: 1)[40..], Is.All.NaN);
        }
    }

    [Test]
    public void A_row_has_the_same_bits_for_any_number_of_rows_and_threads([ValueSource(nameof(Formats))] WeightFormat format, [Values(96, 1000)] int inputs)
    {
        const int Outputs = 131, Most = 40;
        float[] values = Normal(Outputs * inputs, seed: 7), x = Normal(Most * inputs, seed: 8);
        float[] whole = Multiply(values, Outputs, x, Most, format, threads: 1);
        Assert.That(whole, Has.All.InRange(-1e4f, 1e4f));
        foreach (int threads in new[] { 1, 3 })
            for (int rows = 1; rows <= Most; rows++)
                Assert.That(Multiply(values, Outputs, x[..(rows * inputs)], rows, format, threads), Is.EqualTo(whole[..(rows * Outputs)]));
    }

    [Test]
    public void Tiles_for_byte_products_give_the_same_bits([Values(96, 1000)] int inputs)
    {
        const int Outputs = 131, Most = 19;
        float[] values = Normal(Outputs * inputs, seed: 7), x = Normal(Most * inputs, seed: 8);
        float[] usual = Multiply(values, Outputs, x, Most, WeightFormat.Int8, threads: 1);
        QuantizedMatMul.UseDotTiles = true;
        try
        {
            for (int rows = 1; rows <= Most; rows++)
                Assert.That(Multiply(values, Outputs, x[..(rows * inputs)], rows, WeightFormat.Int8, threads: 2), Is.EqualTo(usual[..(rows * Outputs)]));
        }
        finally
        {
            QuantizedMatMul.UseDotTiles = false;
        }
    }

    [TestCase(WeightFormat.Int8, 8.5)]
    [TestCase(WeightFormat.Int4, 4.5)]
    public void A_weight_takes_the_bits_that_its_format_says(WeightFormat format, double bits)
    {
        Assert.That(QuantizedPanels.Bytes(3072, 8192, format), Is.EqualTo(3072 * 8192 * bits / 8));
        Assert.That(QuantizedPanels.Bytes(17, 65, format), Is.EqualTo(32 * 128 * bits / 8));
    }

    [TestCaseSource(nameof(Formats))]
    public void Only_what_is_multiplied_with_is_quantized(WeightFormat format)
    {
        using var device = new CpuDevice(1);
        float[] values = Normal(64 * 64, seed: 9);
        Assert.That(device.CreateWeight(values, 64, 64, WeightUse.Linear, format).Format, Is.EqualTo(format));
        Assert.That(device.CreateWeight(values, 64, 64, WeightUse.Table, format).Format, Is.EqualTo(WeightFormat.Float32));
        Assert.That(device.CreateWeight(values, 1, 64 * 64, WeightUse.Vector, format).Format, Is.EqualTo(WeightFormat.Float32));
    }

    [TestCaseSource(nameof(Formats))]
    public void A_convolution_refuses_a_quantized_weight(WeightFormat format)
    {
        using var device = new CpuDevice(1);
        using Backend lane = device.CreateLane();
        Weight weight = device.CreateWeight(new float[16 * 96], 16, 96, WeightUse.Linear, format);
        Matrix x = lane.Zeros(10, 32);
        Assert.That(() => lane.Conv1d(x, weight, null, new Conv1dShape(3)), Throws.ArgumentException);
    }

    private static float[] Multiply(float[] values, int outputs, float[] x, int rows, WeightFormat format, int threads)
    {
        using var device = new CpuDevice(threads);
        using Backend lane = device.CreateLane();
        Weight weight = device.CreateWeight(values, outputs, values.Length / outputs, WeightUse.Linear, format);
        return lane.Read(lane.Linear(lane.Upload(x, rows, x.Length / rows), weight));
    }

    private static double Error(float[] values, WeightFormat format)
    {
        double error = 0;
        for (int start = 0; start < values.Length; start += 32)
        {
            float[] restored = Dequantized(values[start..(start + 32)], format);
            for (int i = 0; i < 32; i++)
                error += Math.Pow(values[start + i] - restored[i], 2);
        }
        return error;
    }

    private static float[] Dequantized(float[] block, WeightFormat format)
    {
        var codes = new byte[32];
        float scale = BFloat16.ToSingle(BlockQuantization.Quantize(format, block, codes));
        return [.. codes.Select(code => (code - BlockQuantization.Offset(format)) * scale)];
    }

    private static float[] Normal(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }
}
