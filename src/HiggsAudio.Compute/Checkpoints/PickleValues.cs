namespace HiggsAudio.Compute.Checkpoints;

// What a torch pickle can hold here, beside null, bool, long, double, string, byte[], tuples (object?[]) and lists (List<object?>).

/// <summary>A dict or OrderedDict, in order; keys may repeat.</summary>
internal sealed class PickleDictionary
{
    public List<(object? Key, object? Value)> Items { get; } = [];
}

internal enum TorchGlobalKind
{
    OrderedDict,
    RebuildTensor,
    RebuildTensorWithType,
    RebuildParameter,
    Storage,
    UntypedStorage,
    ElementType,
}

/// <summary>One of the few functions and classes that may be named; none of them is ever run.</summary>
internal sealed record TorchGlobal(string Name, TorchGlobalKind Kind, TensorType Type = TensorType.UInt8)
{
    // Types newer than storages with a type (8-bit floats, unsigned integers) have only the second name.
    private static readonly (string Storage, string Type, TensorType Elements)[] Types =
    [
        ("Double", "float64", TensorType.Float64), ("Float", "float32", TensorType.Float32), ("Half", "float16", TensorType.Float16),
        ("BFloat16", "bfloat16", TensorType.BFloat16), ("Long", "int64", TensorType.Int64), ("Int", "int32", TensorType.Int32),
        ("Short", "int16", TensorType.Int16), ("Char", "int8", TensorType.Int8), ("Byte", "uint8", TensorType.UInt8),
        ("Bool", "bool", TensorType.Boolean), ("", "uint16", TensorType.UInt16), ("", "uint32", TensorType.UInt32),
        ("", "uint64", TensorType.UInt64), ("", "float8_e4m3fn", TensorType.Float8E4M3), ("", "float8_e5m2", TensorType.Float8E5M2),
    ];

    private static readonly Dictionary<string, TorchGlobal> Known = All().ToDictionary(g => g.Name);

    /// <summary>The global of this name, or null if it is not allowed.</summary>
    public static TorchGlobal? Find(string module, string name) => Known.GetValueOrDefault($"{module}.{name}");

    private static IEnumerable<TorchGlobal> All()
    {
        yield return new("collections.OrderedDict", TorchGlobalKind.OrderedDict);
        yield return new("torch._utils._rebuild_tensor_v2", TorchGlobalKind.RebuildTensor);
        yield return new("torch._utils._rebuild_tensor_v3", TorchGlobalKind.RebuildTensorWithType);
        yield return new("torch._utils._rebuild_parameter", TorchGlobalKind.RebuildParameter);
        yield return new("torch.storage.UntypedStorage", TorchGlobalKind.UntypedStorage);
        foreach ((string storage, string type, TensorType elements) in Types)
        {
            if (storage.Length > 0)
                yield return new($"torch.{storage}Storage", TorchGlobalKind.Storage, elements);
            yield return new($"torch.{type}", TorchGlobalKind.ElementType, elements);
        }
    }
}

/// <summary>Elements in a zip entry.</summary>
/// <param name="Key">The entry's name below data/.</param>
/// <param name="Type">Element type; null for a storage of plain bytes.</param>
/// <param name="Count">Elements, or bytes.</param>
internal sealed record TorchStorage(string Key, TensorType? Type, long Count);

/// <summary>A view of a storage; offset and strides in elements. Not checked against the storage yet.</summary>
internal sealed record TorchTensor(TorchStorage Storage, TensorType Type, long Offset, long[] Shape, long[] Strides);
