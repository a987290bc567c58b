using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace HiggsAudio.Compute.Checkpoints;

/// <summary>What a <see cref="SafeTensorsWriter"/> is to write: a tensor without its elements.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Dimensions; none for a scalar.</param>
public sealed record TensorPlan(string Name, TensorType Type, long[] Shape)
{
    /// <summary>Size in bytes.</summary>
    /// <exception cref="OverflowException">It is beyond 64 bits.</exception>
    public long ByteLength
    {
        get
        {
            long size = CheckpointTensor.SizeOf(Type);
            foreach (long d in Shape)
                size = checked(size * d);
            return size;
        }
    }
}

/// <summary>
/// Writes a safetensors file of any size without holding it in memory: the header is written first, then elements in pieces, in any order
/// and from several threads. The file appears under its name, complete, when <see cref="Complete"/> returns; until then it is a temporary
/// file beside it, which <see cref="Dispose"/> deletes. Wider types come first, so that every tensor is aligned to its elements' size.
/// </summary>
public sealed class SafeTensorsWriter : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly SafeFileHandle _file;
    private readonly Dictionary<string, Slot> _slots;
    private bool _completed;

    /// <summary>Creates the temporary file, in the folder of <paramref name="path"/>, and reserves its whole size.</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="tensors">All tensors that it will have.</param>
    /// <param name="metadata">Free text for <c>__metadata__</c>.</param>
    /// <param name="alignment">
    /// The elements begin at a multiple of so many bytes of the file, and tensors whose sizes are multiples of 64 bytes come before all others, so
    /// that each of them begins at one.
    /// </param>
    /// <exception cref="ArgumentException">Two tensors have one name, a name is reserved, or a dimension is negative.</exception>
    /// <exception cref="IOException">The file cannot be created, or the disk is full.</exception>
    public SafeTensorsWriter(string path, IEnumerable<TensorPlan> tensors, IReadOnlyDictionary<string, string>? metadata = null, int alignment = 8)
    {
        _slots = LayOut(tensors, alignment, out long dataLength);
        byte[] header = MakeHeader(_slots, metadata, alignment);
        _path = Path.GetFullPath(path);
        _temporary = $"{_path}.{Guid.NewGuid():N}.tmp";
        _file = File.OpenHandle(_temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, FileOptions.None, header.Length + dataLength);
        try
        {
            RandomAccess.SetLength(_file, header.Length + dataLength);
            RandomAccess.Write(_file, header, 0);
        }
        catch
        {
            Dispose();
            throw;
        }
        DataStart = header.Length;
    }

    private long DataStart { get; }

    /// <summary>Writes elements of a tensor, as little-endian bytes. Thread-safe.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="bytes">Some or all of its bytes.</param>
    /// <param name="start">Where in the tensor they belong, in bytes.</param>
    /// <exception cref="ArgumentException">There is no such tensor, or it is shorter.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string name, ReadOnlySpan<byte> bytes, long start = 0)
    {
        ObjectDisposedException.ThrowIf(_file.IsClosed, this);
        if (!_slots.TryGetValue(name, out Slot? slot))
            throw new ArgumentException($"'{name}' is not one of the tensors of this file.", nameof(name));
        if (start < 0 || bytes.Length > slot.Length - start)
            throw new ArgumentException($"'{name}' has {slot.Length} bytes: {bytes.Length} bytes at {start} do not fit.", nameof(bytes));
        RandomAccess.Write(_file, bytes, DataStart + slot.Start + start);
        Interlocked.Add(ref slot.Written, bytes.Length);
    }

    /// <summary>Flushes the file to the disk and gives it its name.</summary>
    /// <exception cref="InvalidOperationException">Not as many bytes of each tensor were written as it has.</exception>
    /// <exception cref="IOException">The file cannot be written or renamed.</exception>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_file.IsClosed, this);
        foreach ((string name, Slot slot) in _slots)
            if (slot.Written != slot.Length)
                throw new InvalidOperationException($"'{name}' has {slot.Length} bytes, {slot.Written} were written.");
        RandomAccess.FlushToDisk(_file);
        _file.Dispose();
        File.Move(_temporary, _path, overwrite: true);
        _completed = true;
    }

    /// <summary>Closes the file; deletes it unless it is complete.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (!_completed)
            File.Delete(_temporary);
    }

    private static Dictionary<string, Slot> LayOut(IEnumerable<TensorPlan> tensors, int alignment, out long length)
    {
        var slots = new Dictionary<string, Slot>();
        length = 0;
        foreach (TensorPlan tensor in tensors.OrderBy(t => alignment > 8 && t.ByteLength % 64 != 0).ThenByDescending(t => CheckpointTensor.SizeOf(t.Type)))
        {
            if (tensor.Name == "__metadata__")
                throw new ArgumentException("No tensor may be named __metadata__.", nameof(tensors));
            if (tensor.Shape.Any(d => d < 0))
                throw new ArgumentException($"'{tensor.Name}' has a negative dimension.", nameof(tensors));
            long size = tensor.ByteLength;
            if (!slots.TryAdd(tensor.Name, new Slot(tensor, length, size)))
                throw new ArgumentException($"'{tensor.Name}' is there twice.", nameof(tensors));
            length = checked(length + size);
        }
        return slots;
    }

    private static byte[] MakeHeader(Dictionary<string, Slot> slots, IReadOnlyDictionary<string, string>? metadata, int alignment)
    {
        using var buffer = new MemoryStream();
        buffer.Write(new byte[8]);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata)
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            foreach (Slot slot in slots.Values)
                slot.WriteTo(json);
            json.WriteEndObject();
        }
        while (buffer.Length % alignment != 0)
            buffer.WriteByte((byte)' ');
        byte[] header = buffer.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - 8);
        return header;
    }

    private sealed class Slot(TensorPlan plan, long start, long length)
    {
        public long Written;

        public long Start => start;

        public long Length => length;

        public void WriteTo(Utf8JsonWriter json)
        {
            json.WriteStartObject(plan.Name);
            json.WriteString("dtype", SafeTensorsFile.NameOf(plan.Type));
            json.WriteStartArray("shape");
            foreach (long d in plan.Shape)
                json.WriteNumberValue(d);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(start);
            json.WriteNumberValue(start + length);
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }
}
