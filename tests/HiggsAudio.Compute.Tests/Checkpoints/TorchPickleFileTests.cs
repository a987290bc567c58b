using System.Runtime.InteropServices;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing.Checkpoints;
using NUnit.Framework;

namespace HiggsAudio.Compute.Tests.Checkpoints;

public class TorchPickleFileTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    private static PickleWriter Dict() => new PickleWriter().Protocol().Op('}').Op('(');

    private static byte[] Storage(int count) => MemoryMarshal.AsBytes<float>([.. Enumerable.Range(0, count).Select(i => (float)i)]).ToArray();

    // A file of a pickle and one storage "0".
    private TorchPickleFile Open(PickleWriter pickle, byte[]? storage = null, string byteOrder = "little")
    {
        using var stream = new MemoryStream();
        var zip = new StoredZipWriter(stream);
        zip.Add("archive/data.pkl", pickle.ToArray());
        zip.Add("archive/byteorder", System.Text.Encoding.ASCII.GetBytes(byteOrder));
        zip.Add("archive/data/0", storage ?? Storage(12));
        zip.Add("archive/version", "3\n"u8);
        zip.Finish();
        return new TorchPickleFile(_folder.Write("model.pth", stream.ToArray()));
    }

    private void AssertRefused(PickleWriter pickle, string problem) =>
        Assert.That(() => Open(pickle), Throws.TypeOf<CheckpointException>().With.Message.Contains(problem));

    [Test]
    public void Tensors_of_a_dict_are_read()
    {
        using TorchPickleFile file = Open(Dict()
            .Text("whole").Tensor(TensorType.Float32, "0", [3, 4])
            .Text("scalar").Tensor(TensorType.Float32, "0", 12, [], [], offset: 5)
            .Text("empty").Tensor(TensorType.Float32, "0", 12, [3, 0], [1, 1])
            .Text("part").Tensor(TensorType.Float32, "0", 12, [2, 2], [2, 1], offset: 8)
            .Text("epoch").Int(70000).Op('u').Op('.'));
        Assert.That(file.Tensors.Keys, Is.EquivalentTo(new[] { "whole", "scalar", "empty", "part" }));
        Assert.That(file.Tensors["whole"].ToFloats(), Is.EqualTo(Enumerable.Range(0, 12)));
        Assert.That(file.Tensors["whole"].Shape.ToArray(), Is.EqualTo(new long[] { 3, 4 }));
        Assert.That(file.Tensors["scalar"].ToFloats(), Is.EqualTo(new float[] { 5 }));
        Assert.That(file.Tensors["empty"].ToFloats(), Is.Empty);
        Assert.That(file.Tensors["part"].ToFloats(), Is.EqualTo(new float[] { 8, 9, 10, 11 }));
        Assert.That(file.Metadata, Is.Empty);
    }

    [Test]
    public void An_OrderedDict_with_state_and_parameters_is_read()
    {
        PickleWriter pickle = new PickleWriter().Protocol().OrderedDict().Op('(')
            .Text("weight").Global("torch._utils", "_rebuild_parameter").Op('(').Tensor(TensorType.Float32, "0", [12]).Raw(0x88).OrderedDict().Op('t').Op('R')
            .Op('u').Op('}').Text("_metadata").OrderedDict().Op('s').Op('b').Op('.');
        using TorchPickleFile file = Open(pickle);
        Assert.That(file.Tensors["weight"].Count, Is.EqualTo(12));
    }

    [TestCase("state_dict")]
    [TestCase("model")]
    public void The_usual_wrappers_are_taken_off(string wrapper)
    {
        using TorchPickleFile file = Open(Dict().Text("epoch").Int(3)
            .Text("optimizer").Op('}').Text("x").Tensor(TensorType.Float32, "0", [3]).Op('s')
            .Text(wrapper).Op('}').Text("a.weight").Tensor(TensorType.Float32, "0", [12]).Op('s').Op('u').Op('.'));
        Assert.That(file.Tensors.Keys, Is.EquivalentTo(new[] { "a.weight" }));
    }

    [Test]
    public void Strided_tensors_are_made_contiguous()
    {
        using TorchPickleFile file = Open(Dict()
            .Text("transposed").Tensor(TensorType.Float32, "0", 12, [4, 3], [1, 4])
            .Text("columns").Tensor(TensorType.Float32, "0", 12, [3, 2], [4, 1], offset: 2)
            .Text("ones").Tensor(TensorType.Float32, "0", 12, [1, 12, 1], [99, 1, 7]).Op('u').Op('.'));
        Assert.That(file.Tensors["transposed"].ToFloats(), Is.EqualTo(new float[] { 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11 }));
        Assert.That(file.Tensors["columns"].ToFloats(), Is.EqualTo(new float[] { 2, 3, 6, 7, 10, 11 }));
        Assert.That(file.Tensors["ones"].ToFloats(), Is.EqualTo(Enumerable.Range(0, 12)));
        CheckpointTensor kept = file.Tensors["transposed"];
        file.Dispose();
        Assert.That(() => kept.ToFloats(), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Types_without_a_storage_class_are_read_from_plain_bytes()
    {
        PickleWriter pickle = Dict().Text("a").Global("torch._utils", "_rebuild_tensor_v3").Op('(')
            .Op('(').Text("storage").Global("torch.storage", "UntypedStorage").Text("0").Text("cpu").Int(48).Op('t').Op('Q')
            .Int(1).Tuple(3).Tuple(1).Raw(0x89).OrderedDict().Global("torch", "float8_e4m3fn").Op('t').Op('R').Op('u').Op('.');
        using TorchPickleFile file = Open(pickle, [0x00, 0x38, 0x7E, 0xB8, .. new byte[44]]);
        Assert.That(file.Tensors["a"].ToFloats(), Is.EqualTo(new float[] { 1, 448, -1 }));
    }

    [Test]
    public void Protocols_with_frames_and_short_text_are_read([Values(4, 5)] int version)
    {
        // As Python's pickler of protocol 4 writes it: frame, short text, memo by number, globals from the stack.
        PickleWriter pickle = new PickleWriter().Protocol((byte)version).Raw(0x95, 0, 1, 0, 0, 0, 0, 0, 0).Op('}').Raw(0x94).Op('(')
            .Raw(0x8C, 1, (byte)'w').Raw(0x94)
            .Raw(0x8C, 12).Raw("torch._utils"u8).Raw(0x94).Raw(0x8C, 18).Raw("_rebuild_tensor_v2"u8).Raw(0x94, 0x93, 0x94)
            .Op('(').Storage("FloatStorage", "0", 12).Int(0).Int(12).Raw(0x85).Int(1).Raw(0x85).Raw(0x89).OrderedDict().Op('t').Op('R')
            .Raw(0x8D, 2, 0, 0, 0, 0, 0, 0, 0).Raw("w2"u8).Raw((byte)'h', 4).Op('(').Storage("IntStorage", "0", 12)
            .Int(0).Int(2).Int(2).Raw(0x86).Int(2).Int(1).Raw(0x86).Raw(0x89).OrderedDict().Op('N').Op('t').Op('R')
            .Op('u').Op('.');
        using TorchPickleFile file = Open(pickle);
        Assert.That(file.Tensors["w"].Count, Is.EqualTo(12));
        Assert.That(file.Tensors["w2"].Type, Is.EqualTo(TensorType.Int32));
    }

    [Test]
    public void Plain_values_of_every_kind_are_passed_over()
    {
        using TorchPickleFile file = Open(Dict()
            .Text("w").Tensor(TensorType.Float32, "0", [12])
            .Text("list").Op(']').Op('(').Int(-5).Int(1L << 40).Op('N').Raw(0x88).Op('e').Int(3).Op('a')
            .Text("float").Op('G').Raw(new byte[8])
            .Text("bytes").Raw((byte)'C', 2, 1, 2)
            .Text("more bytes").Raw((byte)'B', 2, 0, 0, 0, 1, 2)
            .Text("tuple").Op(')')
            .Text("number").Raw(0x8A, 0)
            .Text("type").Global("torch", "float32")
            .Int(7).Text("a key that is not text").Op('u').Op('.'));
        Assert.That(file.Tensors.Keys, Is.EquivalentTo(new[] { "w" }));
    }

    [TestCase("os", "system")]
    [TestCase("builtins", "eval")]
    [TestCase("__builtin__", "exec")]
    [TestCase("torch", "load")]
    [TestCase("torch", "ComplexFloatStorage")]
    [TestCase("torch._utils", "_rebuild_device_tensor_from_numpy")]
    [TestCase("collections", "defaultdict")]
    public void Any_other_global_is_refused_by_name(string module, string name)
    {
        AssertRefused(Dict().Text("a").Global(module, name).Op('(').Text("echo").Op('t').Op('R').Op('u').Op('.'), $"needs {module}.{name}");
        byte[] moduleText = System.Text.Encoding.ASCII.GetBytes(module), nameText = System.Text.Encoding.ASCII.GetBytes(name);
        AssertRefused(new PickleWriter().Protocol(4).Raw(0x8C, (byte)moduleText.Length).Raw(moduleText).Raw(0x8C, (byte)nameText.Length).Raw(nameText).Raw(0x93).Op('.'),
            $"needs {module}.{name}");
    }

    private static IEnumerable<TestCaseData> BrokenPickles()
    {
        PickleWriter Start() => new PickleWriter().Protocol();
        PickleWriter Of(TensorType type, long count, long[] shape, long[] strides, long offset = 0) =>
            Dict().Text("a").Tensor(type, "0", count, shape, strides, offset).Op('u').Op('.');
        PickleWriter Call(string function, PickleWriter arguments) =>
            Dict().Text("a").Global("torch._utils", function).Op('(').Raw(arguments.ToArray()).Op('t').Op('R').Op('u').Op('.');
        PickleWriter View() => new PickleWriter().Storage("FloatStorage", "0", 12).Int(0).Tuple(12).Tuple(1).Raw(0x89);

        yield return new(new PickleWriter(), "ends too early");
        yield return new(new PickleWriter().Protocol(6), "protocol 6");
        yield return new(new PickleWriter().Protocol(1), "protocol 1");
        yield return new(Start(), "ends too early");
        yield return new(Start().Op('.'), "empty stack");
        yield return new(Start().Op('N').Op('.'), "does not hold a dict");
        yield return new(Start().Op(']').Op('.'), "does not hold a dict");
        yield return new(Start().Tensor(TensorType.Float32, "0", [12]).Op('.'), "does not hold a dict");
        yield return new(Start().Op('t').Op('.'), "has no mark");
        yield return new(Start().Raw(0x86), "empty stack");
        yield return new(Start().Int(1).Op('(').Raw(0x85), "empty stack");
        yield return new(Start().Op('}').Op('(').Op('s'), "empty stack");
        yield return new(Start().Op('}').Op('(').Int(1).Op('u').Op('.'), "sets items");
        yield return new(Start().Int(1).Int(1).Int(1).Op('s').Op('.'), "sets items");
        yield return new(Start().Int(1).Int(1).Op('a').Op('.'), "appends");
        yield return new(Start().Int(1).Int(1).Op('b').Op('.'), "sets the state");
        yield return new(Start().Op('}').Op(')').Op('R').Op('.'), "calls what is not a function");
        yield return new(Start().Global("collections", "OrderedDict").Int(1).Op('R').Op('.'), "calls what is not a function");
        yield return new(Start().Global("collections", "OrderedDict").Tuple(1).Op('R').Op('.'), "collections.OrderedDict with arguments");
        yield return new(Start().Global("torch", "FloatStorage").Op(')').Op('R').Op('.'), "torch.FloatStorage with arguments");
        yield return new(Start().Raw((byte)'h', 0), "memo 0");
        yield return new(Start().Raw((byte)'j', 255, 255, 255, 255), "memo 4294967295");
        yield return new(Start().Raw((byte)'X', 255, 255, 255, 255), "ends too early");
        yield return new(Start().Raw((byte)'B', 255, 255, 255, 127), "ends too early");
        yield return new(Start().Raw(0x8D, 255, 255, 255, 255, 255, 255, 255, 255), "ends too early");
        yield return new(Start().Raw((byte)'X', 1, 0, 0, 0, 0xFF), "not UTF-8");
        yield return new(Start().Raw(0x8A, 9).Raw(new byte[9]), "beyond 64 bits");
        yield return new(Start().Raw("ccollections"u8), "ends too early");
        yield return new(Start().Int(1).Int(2).Raw(0x93), "names a global");
        yield return new(Start().Raw("I1\n."u8), "operation 0x49");
        yield return new(Start().Raw(0x81), "operation 0x81");
        yield return new(Start().Op('i'), "operation 0x69");
        yield return new(Start().Op('o'), "operation 0x6F");
        yield return new(Start().Raw(0x82, 1), "operation 0x82");
        yield return new(Start().Tuple(1).Op('Q'), "persistent id");
        yield return new(Start().Text("0").Op('Q'), "persistent id");
        yield return new(Dict().Op('u').Op('.').Op('.'), null!);
        yield return new(Dict().Text("a").Int(1).Op('u').Op('.'), "dict without tensors");
        yield return new(Dict().Int(1).Tensor(TensorType.Float32, "0", [12]).Op('u').Op('.'), "key is not text");
        yield return new(Dict().Text("a").Tensor(TensorType.Float32, "0", [12]).Text("a").Tensor(TensorType.Float32, "0", [12]).Op('u').Op('.'), "is there twice");
        yield return new(Dict().Text("a").Tensor(TensorType.Float32, "1", [12]).Op('u').Op('.'), "storage 1 is missing");
        yield return new(Dict().Text("a").Tensor(TensorType.Float32, "../data.pkl", [1]).Op('u').Op('.'), "is missing");
        yield return new(Of(TensorType.Float32, 13, [12], [1]), "should have 13 elements");
        yield return new(Of(TensorType.Float64, 12, [12], [1]), "should have 12 elements of 8 bytes");
        yield return new(Of(TensorType.Float32, long.MaxValue, [12], [1]), "should have");
        yield return new(Of(TensorType.Float32, -1, [12], [1]), "persistent id");
        yield return new(Of(TensorType.Float32, 12, [13], [1]), "needs elements 0 to 12");
        yield return new(Of(TensorType.Float32, 12, [12], [1], 1), "needs elements 1 to 12");
        yield return new(Of(TensorType.Float32, 12, [2, 2], [11, 1]), "needs elements 0 to 12");
        yield return new(Of(TensorType.Float32, 12, [1], [1], 12), "needs elements 12 to 12");
        yield return new(Of(TensorType.Float32, 12, [1], [1], -1), "needs elements -1");
        yield return new(Of(TensorType.Float32, 12, [0], [1], long.MinValue), "needs elements");
        yield return new(Of(TensorType.Float32, 12, [1], [1], long.MaxValue), "needs elements");
        yield return new(Of(TensorType.Float32, 12, [-1], [1]), "negative");
        yield return new(Of(TensorType.Float32, 12, [2], [-1], 1), "negative");
        yield return new(Of(TensorType.Float32, 12, [1L << 40, 1L << 40], [0, 0]), "too large");
        yield return new(Of(TensorType.Float32, 12, [1L << 40, 1L << 22], [0, 0]), "too large");
        yield return new(Of(TensorType.Float32, 12, [2, 2], [1L << 62, 1L << 62]), "too large");
        yield return new(Of(TensorType.Float32, 12, [1 << 20, 1 << 20], [0, 0]), "repeats elements");
        yield return new(Of(TensorType.Float32, 12, [13], [0]), "repeats elements");
        yield return new(Of(TensorType.Float32, 12, [12, 1], [1]), "shape and strides");
        yield return new(Of(TensorType.Float32, 12, [.. Enumerable.Repeat(1L, 65)], [.. Enumerable.Repeat(1L, 65)]), "shape and strides");
        yield return new(Call("_rebuild_tensor_v2", new PickleWriter().Int(0)), "_rebuild_tensor_v2 with arguments");
        yield return new(Call("_rebuild_tensor_v2", View().Op('}').Int(1).Int(2).Op('s')), "_rebuild_tensor_v2 with arguments");
        yield return new(Call("_rebuild_tensor_v2", View().OrderedDict().Op('}').Text("neg").Raw(0x88).Op('s')), "_rebuild_tensor_v2 with arguments");
        yield return new(Call("_rebuild_tensor_v3", View().OrderedDict().Global("torch", "float32")), "_rebuild_tensor_v3 with arguments");
        yield return new(Call("_rebuild_parameter", new PickleWriter().Int(1).Raw(0x89).OrderedDict()), "_rebuild_parameter with arguments");
    }

    [TestCaseSource(nameof(BrokenPickles))]
    public void A_broken_pickle_is_refused(PickleWriter pickle, string? problem)
    {
        if (problem is null)
        {
            using TorchPickleFile file = Open(pickle);
            Assert.That(file.Tensors, Is.Empty);
            return;
        }
        AssertRefused(pickle, problem);
    }

    [Test]
    public void A_pickle_that_contains_itself_ends()
    {
        using TorchPickleFile file = Open(new PickleWriter().Protocol().Op('}').Raw((byte)'q', 0).Text("state_dict").Raw((byte)'h', 0).Op('s')
            .Text("w").Tensor(TensorType.Float32, "0", [12]).Op('s').Op('.'));
        Assert.That(file.Tensors.Keys, Is.EquivalentTo(new[] { "w" }));
    }

    [TestCase('(')]
    [TestCase(']')]
    [TestCase('}')]
    [TestCase('N')]
    public void A_pickle_beyond_the_limits_is_refused(char operation)
    {
        PickleWriter pickle = new PickleWriter().Protocol().Op(']');
        for (int i = 0; i < 150_000; i++)
            pickle.Op(operation);
        AssertRefused(pickle, "too deep");
    }

    [Test]
    public void A_pickle_of_too_many_operations_is_refused()
    {
        var code = new byte[4_000_000];
        code.AsSpan().Fill(0x94);                                  // MEMOIZE
        AssertRefused(new PickleWriter().Protocol().Op('}').Raw(code), "operations");
        AssertRefused(new PickleWriter().Protocol().Raw(new byte[16_000_001]), "at most");
    }

    [Test]
    public void Copies_of_views_are_limited_by_the_size_of_the_file()
    {
        PickleWriter pickle = Dict();
        for (int i = 0; i < 100; i++)
            pickle.Text($"{i}").Tensor(TensorType.Float32, "0", 1 << 16, [256, 256], [1, 256]);
        Assert.That(() => Open(pickle.Op('u').Op('.'), Storage(1 << 16)), Throws.TypeOf<CheckpointException>().With.Message.Contains("larger than the file"));
    }

    [TestCase("big")]
    [TestCase("")]
    [TestCase("little endian")]
    public void Files_that_are_not_little_endian_are_refused(string order) =>
        Assert.That(() => Open(Dict().Op('u').Op('.'), byteOrder: order), Throws.TypeOf<CheckpointException>().With.Message.Contains("little-endian"));
}
