using System.Buffers.Binary;
using System.Text;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// A reader of the pickles that torch.save writes for tensors in dicts, lists and tuples, and of nothing else
/// (opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py). It runs no code: the few globals it knows
/// (<see cref="TorchGlobal"/>) become data. Every opcode takes a byte or more and makes at most one object, no object is visited twice,
/// and stack, memo and opcodes are limited, so a hostile pickle can neither hang it nor exhaust the memory.
/// </summary>
internal ref struct PickleMachine
{
    /// <summary>The longest pickle that is read; one of 600 tensors has 45 KB.</summary>
    public const int MaxLength = 16_000_000;

    private const int MaxOperations = 2_000_000;
    private const int MaxDepth = 100_000;
    private const int MaxRank = 64;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> _code;
    private readonly string _path;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _position;

    private PickleMachine(string path, ReadOnlySpan<byte> code)
    {
        _path = path;
        _code = code;
    }

    /// <summary>The object that a pickle describes.</summary>
    /// <exception cref="CheckpointException">It is damaged, has anything but tensors and plain data, or is beyond the limits.</exception>
    public static object? Load(string path, ReadOnlySpan<byte> code)
    {
        var machine = new PickleMachine(path, code);
        if (code.Length > MaxLength)
            throw machine.Error($"has {code.Length} bytes, at most {MaxLength} are read");
        return machine.Run();
    }

    private object? Run()
    {
        for (int i = 0; i < MaxOperations; i++)
        {
            byte operation = Take(1)[0];
            if (operation == '.')
                return Pop();
            Execute(operation);
            if (_stack.Count > MaxDepth || _marks.Count > MaxDepth)
                throw Error("the stack is too deep");
        }
        throw Error($"has more than {MaxOperations} operations");
    }

    private void Execute(byte operation)
    {
        switch (operation)
        {
            case 0x80: Protocol(); break;
            case 0x95: Take(8); break;                                        // FRAME: only its length
            case (byte)'(': _marks.Add(_stack.Count); break;
            case (byte)'N': _stack.Add(null); break;
            case 0x88: _stack.Add(true); break;
            case 0x89: _stack.Add(false); break;
            case (byte)'J': _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case (byte)'K': _stack.Add((long)Take(1)[0]); break;
            case (byte)'M': _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case 0x8A: _stack.Add(Long(Take(Take(1)[0]))); break;
            case (byte)'G': _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case 0x8C: _stack.Add(Text(Take(Take(1)[0]))); break;
            case (byte)'X': _stack.Add(Text(Take(Length(4)))); break;
            case 0x8D: _stack.Add(Text(Take(Length(8)))); break;
            case (byte)'C': _stack.Add(Take(Take(1)[0]).ToArray()); break;
            case (byte)'B': _stack.Add(Take(Length(4)).ToArray()); break;
            case (byte)']': _stack.Add(new List<object?>()); break;
            case (byte)'}': _stack.Add(new PickleDictionary()); break;
            case (byte)')': _stack.Add(Array.Empty<object?>()); break;
            case 0x85: Tuple(_stack.Count - 1); break;
            case 0x86: Tuple(_stack.Count - 2); break;
            case 0x87: Tuple(_stack.Count - 3); break;
            case (byte)'t': Tuple(PopMark()); break;
            case (byte)'a': Append(_stack.Count - 1); break;
            case (byte)'e': Append(PopMark()); break;
            case (byte)'s': SetItems(_stack.Count - 2); break;
            case (byte)'u': SetItems(PopMark()); break;
            case (byte)'q': _memo[Take(1)[0]] = Peek(); break;
            case (byte)'r': _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Peek(); break;
            case 0x94: _memo[_memo.Count] = Peek(); break;
            case (byte)'h': _stack.Add(Remembered(Take(1)[0])); break;
            case (byte)'j': _stack.Add(Remembered(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case (byte)'c': _stack.Add(Global(Line(), Line())); break;
            case 0x93: StackGlobal(); break;
            case (byte)'Q': _stack.Add(Storage(Pop())); break;
            case (byte)'R': Reduce(); break;
            case (byte)'b': Build(); break;
            default: throw Error($"has the operation 0x{operation:X2}, which torch.save does not write for tensors");
        }
    }

    private void Protocol()
    {
        if (Take(1)[0] is var version and not (>= 2 and <= 5))
            throw Error($"has protocol {version}, 2 to 5 are read");
    }

    private void Tuple(int start) => _stack.Add(PopFrom(start));

    private void Append(int start)
    {
        object?[] items = PopFrom(start);
        if (Peek() is not List<object?> list)
            throw Error("appends to what is not a list");
        list.AddRange(items);
    }

    private void SetItems(int start)
    {
        object?[] items = PopFrom(start);
        if (Peek() is not PickleDictionary dictionary || items.Length % 2 != 0)
            throw Error("sets items of what is not a dict");
        for (int i = 0; i < items.Length; i += 2)
            dictionary.Items.Add((items[i], items[i + 1]));
    }

    private void StackGlobal()
    {
        if ((Pop(), Pop()) is not (string name, string module))
            throw Error("names a global by what is not text");
        _stack.Add(Global(module, name));
    }

    private readonly TorchGlobal Global(string module, string name) =>
        TorchGlobal.Find(module, name) ?? throw Error($"needs {module}.{name}: only tensors in dicts are read, and no code is ever run");

    // ("storage", class, key, location, elements)
    private readonly TorchStorage Storage(object? id)
    {
        if (id is not object?[] { Length: 5 } parts || parts is not ["storage", TorchGlobal type, string key, string, long count]
            || type.Kind is not (TorchGlobalKind.Storage or TorchGlobalKind.UntypedStorage) || count < 0)
            throw Error("has a persistent id that is not torch's of a storage");
        return new TorchStorage(key, type.Kind == TorchGlobalKind.Storage ? type.Type : null, count);
    }

    private void Reduce()
    {
        if (Pop() is not object?[] arguments || Pop() is not TorchGlobal function)
            throw Error("calls what is not a function");
        _stack.Add(function.Kind switch
        {
            TorchGlobalKind.OrderedDict when arguments.Length == 0 => new PickleDictionary(),
            TorchGlobalKind.RebuildTensor when arguments is [TorchStorage { Type: { } type } storage, long offset, object?[] shape, object?[] strides, bool, var hooks, .. var more]
                && HasNothing(hooks) && (more.Length == 0 || more is [var extra] && HasNothing(extra)) => Tensor(storage, type, offset, shape, strides),
            TorchGlobalKind.RebuildTensorWithType when arguments is [TorchStorage { Type: null } storage, long offset, object?[] shape, object?[] strides, bool, var hooks,
                TorchGlobal { Kind: TorchGlobalKind.ElementType } type, .. var more]
                && HasNothing(hooks) && (more.Length == 0 || more is [var extra] && HasNothing(extra)) => Tensor(storage, type.Type, offset, shape, strides),
            TorchGlobalKind.RebuildParameter when arguments is [TorchTensor tensor, bool, var hooks] && HasNothing(hooks) => tensor,
            _ => throw Error($"calls {function.Name} with arguments that torch.save does not write"),
        });
    }

    // Backward hooks and metadata (a conjugate or negative view) would change what a tensor means.
    private static bool HasNothing(object? value) => value is null or PickleDictionary { Items.Count: 0 };

    private readonly TorchTensor Tensor(TorchStorage storage, TensorType type, long offset, object?[] shape, object?[] strides)
    {
        if (shape.Length != strides.Length || shape.Length > MaxRank || !shape.All(d => d is long) || !strides.All(d => d is long))
            throw Error("has a tensor whose shape and strides are not numbers of equal count");
        return new TorchTensor(storage, type, offset, [.. shape.Select(d => (long)d!)], [.. strides.Select(d => (long)d!)]);
    }

    // The state of an OrderedDict is what Module.state_dict hangs on it: versions of its modules.
    private void Build()
    {
        Pop();
        if (Peek() is not PickleDictionary)
            throw Error("sets the state of what is not an OrderedDict");
    }

    private readonly object? Peek() => _stack.Count > Floor ? _stack[^1] : throw Error("takes from an empty stack");

    private readonly object? Pop()
    {
        object? value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private readonly object?[] PopFrom(int start)
    {
        if (start < Floor)
            throw Error("takes from an empty stack");
        object?[] items = [.. _stack.Skip(start)];
        _stack.RemoveRange(start, items.Length);
        return items;
    }

    // Nothing below the last mark may be taken before the mark is.
    private readonly int Floor => _marks.Count > 0 ? _marks[^1] : 0;

    private readonly int PopMark()
    {
        if (_marks.Count == 0)
            throw Error("has no mark");
        int start = _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        return start;
    }

    private readonly object? Remembered(long index) =>
        _memo.TryGetValue(index, out object? value) ? value : throw Error($"refers to memo {index}, which is not there");

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _code.Length - _position)
            throw Error("ends too early");
        _position += count;
        return _code.Slice(_position - count, count);
    }

    private int Length(int bytes)
    {
        ulong length = bytes == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(Take(4)) : BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
        return length <= (ulong)(_code.Length - _position) ? (int)length : throw Error("ends too early");
    }

    private string Line()
    {
        int length = _code[_position..].IndexOf((byte)'\n');
        if (length < 0)
            throw Error("ends too early");
        string text = Text(Take(length));
        _position++;
        return text;
    }

    private readonly string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new CheckpointException(_path, null, $"data.pkl, byte {_position}: text is not UTF-8", e);
        }
    }

    // Little-endian two's complement of any length.
    private readonly long Long(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 8)
            throw Error("has a whole number beyond 64 bits");
        long value = bytes.Length > 0 && bytes[^1] >= 128 ? -1 : 0;
        for (int i = bytes.Length - 1; i >= 0; i--)
            value = value << 8 | bytes[i];
        return value;
    }

    private readonly CheckpointException Error(string problem) => new(_path, null, $"data.pkl, byte {_position}: {problem}");
}
