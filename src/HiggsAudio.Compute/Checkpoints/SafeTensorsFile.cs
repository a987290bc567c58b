using System.Buffers.Binary;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>
/// A checkpoint in one safetensors file (https://github.com/huggingface/safetensors#format), memory-mapped: opening reads the header only.
/// All dtypes of whole bytes that torch can compute with are supported: F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64 … I8, U64 … U8, BOOL.
/// A file with any other (F4, F6_*, F8_E8M0, C64 …) is refused when it is opened, naming tensor and dtype: its layout could not be checked.
/// The file must not be changed while it is open: its bytes are read when they are used.
/// </summary>
public sealed class SafeTensorsFile : Checkpoint
{
    private readonly MappedFile _file;
    private readonly Dictionary<string, CheckpointTensor> _tensors;
    private readonly Dictionary<string, string> _metadata;

    /// <summary>Opens a file.</summary>
    /// <exception cref="CheckpointException">It cannot be read or breaks the format.</exception>
    public SafeTensorsFile(string path)
    {
        _file = MappedFile.Open(path);
        try
        {
            if (_file.Length < 8)
                throw new CheckpointException(path, null, $"has {_file.Length} bytes: too short for a safetensors file");
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(_file.Bytes(0, 8));
            if (length > SafeTensorsHeader.MaxLength || (long)length > _file.Length - 8)
                throw new CheckpointException(path, null, $"the header should have {length} bytes, in a file of {_file.Length}: not a safetensors file, or cut off");
            long dataStart = 8 + (long)length;
            SafeTensorsHeader header = SafeTensorsHeader.Parse(path, _file.Bytes(8, (int)length), _file.Length - dataStart);
            _metadata = header.Metadata;
            _tensors = new Dictionary<string, CheckpointTensor>(header.Entries.Count);
            foreach ((string name, TensorType type, long[] shape, long begin, _) in header.Entries)
                _tensors.Add(name, new CheckpointTensor(name, path, type, shape, (nint)(_file.Address + dataStart + begin), _file.Handle));
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Supported types by the format's names.</summary>
    internal static IReadOnlyDictionary<string, TensorType> Types { get; } = Enum.GetValues<TensorType>().ToDictionary(NameOf);

    /// <summary>The format's name of a type.</summary>
    internal static string NameOf(TensorType type) => type switch
    {
        TensorType.Float64 => "F64",
        TensorType.Float32 => "F32",
        TensorType.Float16 => "F16",
        TensorType.BFloat16 => "BF16",
        TensorType.Float8E4M3 => "F8_E4M3",
        TensorType.Float8E5M2 => "F8_E5M2",
        TensorType.Int64 => "I64",
        TensorType.Int32 => "I32",
        TensorType.Int16 => "I16",
        TensorType.Int8 => "I8",
        TensorType.UInt64 => "U64",
        TensorType.UInt32 => "U32",
        TensorType.UInt16 => "U16",
        TensorType.UInt8 => "U8",
        TensorType.Boolean => "BOOL",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not an element type."),
    };

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _file.Dispose();
}
