using System.Buffers.Binary;
using System.Text;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Testing.Checkpoints;

/// <summary>Writes pickles, opcode by opcode; each method returns the writer.</summary>
public sealed class PickleWriter
{
    private readonly MemoryStream _code = new();

    public byte[] ToArray() => _code.ToArray();

    public PickleWriter Raw(params ReadOnlySpan<byte> code)
    {
        _code.Write(code);
        return this;
    }

    public PickleWriter Op(char code) => Raw((byte)code);

    public PickleWriter Protocol(byte version = 2) => Raw(0x80, version);

    public PickleWriter Global(string module, string name) => Op('c').Raw(Encoding.UTF8.GetBytes($"{module}\n{name}\n"));

    public PickleWriter Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text), length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        return Op('X').Raw(length).Raw(bytes);
    }

    /// <summary>As the pickler of protocol 2 writes it: in 1, 2 or 4 bytes, or as many as it needs.</summary>
    public PickleWriter Int(long value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return value switch
        {
            >= 0 and < 256 => Op('K').Raw(bytes[0]),
            >= 0 and < 65536 => Op('M').Raw(bytes.AsSpan(0, 2)),
            >= int.MinValue and <= int.MaxValue => Op('J').Raw(bytes.AsSpan(0, 4)),
            _ => Raw(0x8A, 8).Raw(bytes),
        };
    }

    public PickleWriter Tuple(params ReadOnlySpan<long> values)
    {
        Op('(');
        foreach (long value in values)
            Int(value);
        return Op('t');
    }

    public PickleWriter OrderedDict() => Global("collections", "OrderedDict").Op(')').Op('R');

    /// <summary>("storage", torch.…Storage, key, "cpu", count) as a persistent id.</summary>
    public PickleWriter Storage(string storageClass, string key, long count) =>
        Op('(').Text("storage").Global("torch", storageClass).Text(key).Text("cpu").Int(count).Op('t').Op('Q');

    /// <summary>A tensor that is a view of a storage.</summary>
    public PickleWriter Tensor(TensorType type, string key, long count, ReadOnlySpan<long> shape, ReadOnlySpan<long> strides, long offset = 0) =>
        Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage(StorageClass(type), key, count).Int(offset).Tuple(shape).Tuple(strides)
            .Raw(0x89).OrderedDict().Op('t').Op('R');

    /// <summary>A contiguous tensor that is all of a storage.</summary>
    public PickleWriter Tensor(TensorType type, string key, ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long d in shape)
            count *= d;
        return Tensor(type, key, count, shape, Strides(shape));
    }

    public static long[] Strides(ReadOnlySpan<long> shape)
    {
        var strides = new long[shape.Length];
        long stride = 1;
        for (int d = shape.Length - 1; d >= 0; stride *= Math.Max(1, shape[d--]))
            strides[d] = stride;
        return strides;
    }

    public static string StorageClass(TensorType type) => type switch
    {
        TensorType.Float64 => "DoubleStorage",
        TensorType.Float32 => "FloatStorage",
        TensorType.Float16 => "HalfStorage",
        TensorType.BFloat16 => "BFloat16Storage",
        TensorType.Int64 => "LongStorage",
        TensorType.Int32 => "IntStorage",
        TensorType.Int16 => "ShortStorage",
        TensorType.Int8 => "CharStorage",
        TensorType.UInt8 => "ByteStorage",
        TensorType.Boolean => "BoolStorage",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "torch has no storage class for it."),
    };
}
