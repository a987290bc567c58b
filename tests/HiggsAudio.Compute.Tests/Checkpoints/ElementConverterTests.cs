using System.Runtime.InteropServices;
using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public unsafe class ElementConverterTests
{
    private static float[] Convert<T>(TensorType type, ReadOnlySpan<T> values) where T : unmanaged
    {
        var floats = new float[values.Length];
        fixed (T* source = values)
            ElementConverter.ToFloats(type, (byte*)source, floats);
        return floats;
    }

    private static void AssertSame(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        for (int i = 0; i < expected.Length; i++)
            if (float.IsNaN(expected[i]) ? !float.IsNaN(actual[i]) : BitConverter.SingleToUInt32Bits(actual[i]) != BitConverter.SingleToUInt32Bits(expected[i]))
                Assert.Fail($"element {i}: {actual[i]:R}, expected {expected[i]:R}");
        Assert.That(actual.Length, Is.EqualTo(expected.Length));
    }

    private static ushort[] AllHalves(int count) => [.. Enumerable.Range(0, count).Select(i => (ushort)i)];

    [TestCase(65536)]
    [TestCase(65533)]
    [TestCase(3)]
    public void Every_16_bit_float_is_converted_exactly(int count)
    {
        ushort[] bits = AllHalves(count);
        AssertSame(Convert<ushort>(TensorType.Float16, bits), [.. bits.Select(b => (float)BitConverter.UInt16BitsToHalf(b))]);
        AssertSame(Convert<ushort>(TensorType.BFloat16, bits), [.. bits.Select(b => BitConverter.UInt32BitsToSingle((uint)b << 16))]);
    }

    [Test]
    public void Every_8_bit_float_is_converted_exactly()
    {
        byte[] bits = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        AssertSame(Convert<byte>(TensorType.Float8E5M2, bits), [.. bits.Select(b => Decode(b, exponentBits: 5, infinite: true))]);
        AssertSame(Convert<byte>(TensorType.Float8E4M3, bits), [.. bits.Select(b => Decode(b, exponentBits: 4, infinite: false))]);
        Assert.That(Convert<byte>(TensorType.Float8E4M3, [0x7E, 0x01, 0x38]), Is.EqualTo(new[] { 448f, 1f / 512, 1f }));
        Assert.That(Convert<byte>(TensorType.Float8E5M2, [0x7B, 0x01, 0x3C]), Is.EqualTo(new[] { 57344f, 1f / 65536, 1f }));
    }

    private static float Decode(byte bits, int exponentBits, bool infinite)
    {
        int mantissaBits = 7 - exponentBits, bias = (1 << exponentBits - 1) - 1;
        int exponent = bits >> mantissaBits & (1 << exponentBits) - 1, mantissa = bits & (1 << mantissaBits) - 1;
        double sign = bits >= 128 ? -1 : 1, fraction = mantissa / (double)(1 << mantissaBits);
        bool last = exponent == (1 << exponentBits) - 1;
        if (last && infinite)
            return mantissa == 0 ? (float)(sign * double.PositiveInfinity) : float.NaN;
        if (last && mantissa == (1 << mantissaBits) - 1)
            return float.NaN;
        return (float)(sign * (exponent == 0 ? fraction * Math.Pow(2, 1 - bias) : (1 + fraction) * Math.Pow(2, exponent - bias)));
    }

    [Test]
    public void Integers_and_wide_floats_are_rounded_to_the_nearest_float()
    {
        Assert.That(Convert<double>(TensorType.Float64, [0.1, -1e300, 16777217]), Is.EqualTo(new[] { 0.1f, float.NegativeInfinity, 16777216f }));
        Assert.That(Convert<long>(TensorType.Int64, [-1, long.MinValue, long.MaxValue]), Is.EqualTo(new[] { -1f, -9.223372e18f, 9.223372e18f }));
        Assert.That(Convert<ulong>(TensorType.UInt64, [1, ulong.MaxValue]), Is.EqualTo(new[] { 1f, 1.8446744e19f }));
        Assert.That(Convert<int>(TensorType.Int32, [-1, int.MinValue]), Is.EqualTo(new[] { -1f, -2147483648f }));
        Assert.That(Convert<uint>(TensorType.UInt32, [uint.MaxValue]), Is.EqualTo(new[] { 4294967296f }));
        Assert.That(Convert<short>(TensorType.Int16, [short.MinValue]), Is.EqualTo(new[] { -32768f }));
        Assert.That(Convert<ushort>(TensorType.UInt16, [ushort.MaxValue]), Is.EqualTo(new[] { 65535f }));
        Assert.That(Convert<sbyte>(TensorType.Int8, [sbyte.MinValue]), Is.EqualTo(new[] { -128f }));
        Assert.That(Convert<byte>(TensorType.UInt8, [255]), Is.EqualTo(new[] { 255f }));
        Assert.That(Convert<byte>(TensorType.Boolean, [0, 1, 2]), Is.EqualTo(new[] { 0f, 1f, 1f }));
        float[] floats = [0.1f, float.NaN, float.PositiveInfinity];
        AssertSame(Convert<float>(TensorType.Float32, floats), floats);
    }

    [Test]
    public void Every_type_has_a_size_and_a_conversion()
    {
        foreach (TensorType type in Enum.GetValues<TensorType>())
        {
            var zeros = new byte[CheckpointTensor.SizeOf(type) * 3];
            Assert.That(Convert<byte>(type, zeros).AsSpan(0, 3).ToArray(), Is.EqualTo(new float[3]), $"{type}");
        }
    }

    [Test]
    public void A_part_of_a_tensor_is_copied()
    {
        ushort[] bits = AllHalves(1000);
        fixed (ushort* data = bits)
        {
            var tensor = new CheckpointTensor("a", "file", TensorType.UInt16, [10, 100], (nint)data);
            var part = new float[70];
            tensor.CopyTo(part, 123);
            Assert.That(part, Is.EqualTo(Enumerable.Range(123, 70).Select(i => (float)i)));
            Assert.That(MemoryMarshal.Cast<byte, ushort>(tensor.Bytes(246, 4)).ToArray(), Is.EqualTo(new ushort[] { 123, 124 }));
        }
    }
}
