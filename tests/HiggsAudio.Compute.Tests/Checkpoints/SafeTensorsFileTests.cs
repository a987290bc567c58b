using System.Buffers.Binary;
using System.Text;
using HiggsAudio.Compute.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public class SafeTensorsFileTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    /// <summary>A file of a header as text and zeroed data.</summary>
    internal static byte[] FileOf(ReadOnlySpan<byte> header, int dataLength)
    {
        var file = new byte[8 + header.Length + dataLength];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file.AsSpan(8));
        return file;
    }

    private SafeTensorsFile Open(string header, params byte[] data)
    {
        byte[] file = FileOf(Encoding.UTF8.GetBytes(header), data.Length);
        data.CopyTo(file, file.Length - data.Length);
        return new SafeTensorsFile(_folder.Write("a.safetensors", file));
    }

    [Test]
    public void Tensors_scalars_and_empty_tensors_are_read_with_their_metadata()
    {
        using SafeTensorsFile file = Open("""
            {"__metadata__":{"format":"pt","":"é"},
             "matrix":{"dtype":"I16","shape":[2,3],"data_offsets":[5,17]},
             "scalar":{"dtype":"F32","shape":[],"data_offsets":[1,5]},
             "flag":{"data_offsets":[0,1],"shape":[1],"dtype":"BOOL"},
             "empty":{"dtype":"F64","shape":[4,0,2],"data_offsets":[5,5]},
             "last":{"dtype":"F64","shape":[0],"data_offsets":[17,17]}}
            """, [7, 0, 0, 0x80, 0x3F, 1, 0, 2, 0, 3, 0, 0xFF, 0xFF, 5, 0, 0, 0x80]);
        Assert.That(file.Metadata, Is.EquivalentTo(new Dictionary<string, string> { ["format"] = "pt", [""] = "é" }));
        Assert.That(file.Tensors.Keys, Is.EquivalentTo(new[] { "matrix", "scalar", "flag", "empty", "last" }));
        Assert.That(file.Tensors["matrix"].ToFloats(), Is.EqualTo(new float[] { 1, 2, 3, -1, 5, -32768 }));
        Assert.That(file.Tensors["matrix"].Shape.ToArray(), Is.EqualTo(new long[] { 2, 3 }));
        Assert.That(file.Tensors["scalar"].Shape.Length, Is.Zero);
        Assert.That(file.Tensors["scalar"].ToFloats(), Is.EqualTo(new float[] { 1 }));
        Assert.That(file.Tensors["flag"].ToFloats(), Is.EqualTo(new float[] { 1 }));
        Assert.That(file.Tensors["empty"].ToFloats(), Is.Empty);
        Assert.That(file.Tensors["last"].Count, Is.Zero);
    }

    [TestCase("{}")]
    [TestCase("{}       ")]
    [TestCase("{ \"__metadata__\" : { } }\n\t ")]
    public void A_file_without_tensors_and_a_padded_header_are_fine(string header)
    {
        using SafeTensorsFile file = Open(header);
        Assert.That(file.Tensors, Is.Empty);
    }

    [TestCase("", "not a safetensors file")]
    [TestCase(" {}", "does not start with '{'")]
    [TestCase("[]", "does not start with '{'")]
    [TestCase("{", "not valid JSON")]
    [TestCase("{}{}", "not valid JSON")]
    [TestCase("{}x", "not valid JSON")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],}}", "not valid JSON")]
    [TestCase("{/**/}", "not valid JSON")]
    [TestCase("{\"a\":[[[[[[[[[[[[", "object, found StartArray")]
    [TestCase("{\"a\":{\"shape\":[[[[[[[[[[[[", "shape must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":{\"b\":{\"c\":{", "dtype must be a string")]
    [TestCase("{\"a\":null}", "must be described by an object")]
    [TestCase("{\"a\":{}}", "must have a dtype, a shape and two data_offsets")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "must have a dtype, a shape and two data_offsets")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "must have a dtype, a shape and two data_offsets")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", "data_offsets has more than 2 numbers")]
    [TestCase("{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", "dtype must be a string")]
    [TestCase("{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "dtype f32 is not supported")]
    [TestCase("{\"a\":{\"dtype\":\"F4\",\"shape\":[8],\"data_offsets\":[0,4]}}", "dtype F4 is not supported")]
    [TestCase("{\"a\":{\"dtype\":\"F8_E8M0\",\"shape\":[4],\"data_offsets\":[0,4]}}", "dtype F8_E8M0 is not supported")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", "shape must be an array")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", "shape must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", "shape must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", "shape must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1e0],\"data_offsets\":[0,4]}}", "shape must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "shape must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1,-1],\"data_offsets\":[0,4]}}", "shape must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-0,4]}}", "data_offsets must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,9223372036854775808]}}", "data_offsets must have whole numbers")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,9223372036854775807]}}", "outside the 4 bytes")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", "outside the 4 bytes")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", "outside the 4 bytes")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "needs 8 bytes, data_offsets hold 4")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,4]}}", "needs 0 bytes, data_offsets hold 4")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]}}", "is too large")]
    [TestCase("{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", "is too large")]
    [TestCase("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]}}", "follows a hole of 1 bytes")]
    [TestCase("{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]}}", "follows a hole of 1 bytes")]
    [TestCase("{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", "overlaps another tensor")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "overlaps another tensor")]
    [TestCase("{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", "1 bytes of data belong to no tensor")]
    [TestCase("{}", "4 bytes of data belong to no tensor")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]}}", "is in the header twice")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]}}", "is in the header twice")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "has 'dtype' twice")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", "has 'shape' twice")]
    [TestCase("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"strides\":[1]}}", "unknown field 'strides'")]
    [TestCase("{\"__metadata__\":[]}", "__metadata__ must be an object")]
    [TestCase("{\"__metadata__\":{\"a\":1}}", "__metadata__ 'a' must be a string")]
    [TestCase("{\"__metadata__\":{\"a\":{}}}", "__metadata__ 'a' must be a string")]
    [TestCase("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "__metadata__ has 'a' twice")]
    [TestCase("{\"__metadata__\":{},\"__metadata__\":{}}", "is in the header twice")]
    [TestCase("{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "not Unicode")]
    [TestCase("{\"__metadata__\":{\"a\":\"\\udfff\"}}", "not Unicode")]
    public void A_broken_header_is_refused(string header, string problem) =>
        Assert.That(() => Open(header, 0, 0, 0, 0), Throws.TypeOf<CheckpointException>().With.Message.Contains(problem));

    [Test]
    public void A_problem_with_a_tensor_names_it_and_the_file()
    {
        CheckpointException e = Assert.Throws<CheckpointException>(() => Open("{\"a.b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 0, 0, 0, 0))!;
        Assert.That(e.Tensor, Is.EqualTo("a.b"));
        Assert.That(e.Path, Is.EqualTo(_folder.File("a.safetensors")));
    }

    [Test]
    public void A_header_that_is_not_UTF_8_is_refused()
    {
        string path = _folder.Write("a.safetensors", FileOf([.. "{\"__metadata__\":{\"a\":\""u8, 0xC3, 0x28, .. "\"}}"u8], 0));
        Assert.That(() => new SafeTensorsFile(path), Throws.TypeOf<CheckpointException>().With.Message.Contains("not UTF-8"));
    }

    [TestCase(0UL)]
    [TestCase(3UL)]
    [TestCase(1UL << 31)]
    [TestCase(1UL << 63)]
    [TestCase(ulong.MaxValue)]
    public void A_header_length_that_the_file_does_not_have_is_refused(ulong length)
    {
        byte[] file = [0, 0, 0, 0, 0, 0, 0, 0, (byte)'{', (byte)'}'];
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);
        Assert.That(() => new SafeTensorsFile(_folder.Write("a.safetensors", file)), Throws.TypeOf<CheckpointException>());
    }

    [Test]
    public void A_header_beyond_the_limit_is_refused_though_the_file_is_long_enough()
    {
        string path = _folder.File("a.safetensors");
        using (FileStream file = File.Create(path))
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, 100_000_001);
            file.Write(length);
            file.SetLength(100_000_100);
        }
        Assert.That(() => new SafeTensorsFile(path), Throws.TypeOf<CheckpointException>().With.Message.Contains("100000001"));
    }

    [Test]
    public void Files_of_0_to_7_bytes_are_refused([Range(0, 7)] int length) =>
        Assert.That(() => new SafeTensorsFile(_folder.Write("a.safetensors", new byte[length])), Throws.TypeOf<CheckpointException>());

    [Test]
    public void Every_cut_of_a_file_is_refused()
    {
        byte[] whole = FileOf("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"""u8, 8);
        for (int length = 0; length < whole.Length; length++)
            Assert.That(() => new SafeTensorsFile(_folder.Write("a.safetensors", whole.AsSpan(0, length))), Throws.TypeOf<CheckpointException>(), $"{length} bytes");
    }

    [Test]
    public void Elements_at_any_address_are_read([Range(0, 9)] int padding)
    {
        float[] expected = [.. Enumerable.Range(0, 37).Select(i => i - 18.5f)];
        var data = new byte[1 + 37 * 2 + 37 * 4];
        for (int i = 0; i < 37; i++)
        {
            BinaryPrimitives.WriteHalfLittleEndian(data.AsSpan(1 + 2 * i), (Half)expected[i]);
            BinaryPrimitives.WriteSingleLittleEndian(data.AsSpan(75 + 4 * i), expected[i]);
        }
        using SafeTensorsFile file = Open("""
            {"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F16","shape":[37],"data_offsets":[1,75]},
             "c":{"dtype":"F32","shape":[37],"data_offsets":[75,223]}}
            """ + new string(' ', padding), data);
        Assert.That(file.Tensors["b"].ToFloats(), Is.EqualTo(expected));
        Assert.That(file.Tensors["c"].ToFloats(), Is.EqualTo(expected));
    }

    [Test]
    public void A_tensor_of_a_closed_file_throws()
    {
        SafeTensorsFile file = Open("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 0, 0, 0, 0);
        CheckpointTensor tensor = file.Tensors["a"];
        file.Dispose();
        file.Dispose();
        Assert.That(() => tensor.Address, Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => tensor.ToFloats(), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => tensor.Bytes(0, 4).Length, Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Parts_of_a_tensor_outside_it_are_refused()
    {
        using SafeTensorsFile file = Open("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 0, 0, 0, 0);
        CheckpointTensor tensor = file.Tensors["a"];
        Assert.That(() => tensor.CopyTo(new float[2], 0), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => tensor.CopyTo(new float[1], 1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => tensor.CopyTo(new float[1], -1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => tensor.CopyTo(new float[1], long.MaxValue), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => tensor.Bytes(1, 4).Length, Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => tensor.Bytes(long.MaxValue, int.MaxValue).Length, Throws.TypeOf<ArgumentOutOfRangeException>());
    }
}
