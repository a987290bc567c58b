using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Testing;

/// <summary>A device of scalar, obviously correct kernels: what every other device is tested against.</summary>
public sealed class ReferenceDevice : Device
{
    private long _cacheBytes;

    public override string Name => "reference";

    public override Weight CreateWeight(ReadOnlySpan<CheckpointTensor> parts, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        float[] values = [.. parts.ToArray().SelectMany(p => p.ToFloats())];
        return CreateWeight(values, rows, columns, use, format);
    }

    public override Weight CreateWeight(ReadOnlySpan<float> values, int rows, int columns, WeightUse use, WeightFormat format = WeightFormat.AsStored)
    {
        if (values.Length != (long)rows * columns)
            throw new ArgumentException($"{values.Length} values for [{rows}, {columns}].");
        float[] copy = values.ToArray();
        if (format == WeightFormat.BFloat16)
            for (int i = 0; i < copy.Length; i++)
                copy[i] = RoundToBFloat16(copy[i]);
        bool quantized = format is WeightFormat.Int8 or WeightFormat.Int4;
        if (quantized && use == WeightUse.Linear)
            for (int row = 0; row < rows; row++)
                Quantize(copy.AsSpan(row * columns, columns), format);
        return new ReferenceWeight(copy, rows, columns, quantized && use != WeightUse.Linear ? WeightFormat.AsStored : format);
    }

    public override long KvCacheBytes => Interlocked.Read(ref _cacheBytes);

    public override KvCache CreateKvCache(KvCacheShape shape) => new ReferenceKvCache(shape, this);

    internal void CountCacheBytes(long bytes) => Interlocked.Add(ref _cacheBytes, bytes);

    public override Backend CreateLane() => new ReferenceBackend(this);

    // To the values that the codes stand for, which 32-bit floats hold exactly.
    private static void Quantize(Span<float> row, WeightFormat format)
    {
        Span<float> block = stackalloc float[BlockQuantization.Size];
        Span<byte> codes = stackalloc byte[BlockQuantization.Size];
        for (; row.Length > 0; row = row[Math.Min(row.Length, block.Length)..])
        {
            Span<float> part = row[..Math.Min(row.Length, block.Length)];
            block.Clear();
            part.CopyTo(block);
            float scale = BitConverter.UInt32BitsToSingle((uint)BlockQuantization.Quantize(format, block, codes) << 16);
            for (int i = 0; i < part.Length; i++)
                part[i] = (codes[i] - BlockQuantization.Offset(format)) * scale;
        }
    }

    /// <summary>The nearest bfloat16, ties to even.</summary>
    public static float RoundToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        bits += 0x7FFF + ((bits >> 16) & 1);
        return BitConverter.UInt32BitsToSingle(bits & 0xFFFF0000);
    }

    protected override void Dispose(bool disposing)
    {
    }
}

public sealed class ReferenceWeight(float[] values, int rows, int columns, WeightFormat format) : Weight(rows, columns, format)
{
    public ReadOnlySpan<float> Row(int row) => values.AsSpan(row * Columns, Columns);
}

public sealed class ReferenceKvCache(KvCacheShape shape, ReferenceDevice device) : KvCache(shape)
{
    private readonly List<float[]> _keys = [];
    private readonly List<float[]> _values = [];

    private int Width => Shape.KeyValueHeads * Shape.HeadDim;

    private long SlotBytes => Shape.BytesPerSlot;

    public override int Capacity => _keys.Count;

    public override long Bytes => _keys.Count * SlotBytes;

    public override void Reserve(int slots)
    {
        while (_keys.Count < slots)
            Add(new float[Shape.Layers * Width], new float[Shape.Layers * Width]);
    }

    /// <summary>Copies all that is kept.</summary>
    public override KvCache Fork(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)slots, (uint)Capacity, nameof(slots));
        var fork = new ReferenceKvCache(Shape, device);
        for (int slot = 0; slot < slots; slot++)
            fork.Add([.. _keys[slot]], [.. _values[slot]]);
        return fork;
    }

    public override void Own(int slot) => ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Capacity, nameof(slot));

    public Span<float> Key(int layer, int slot) => _keys[slot].AsSpan(layer * Width, Width);

    public Span<float> Value(int layer, int slot) => _values[slot].AsSpan(layer * Width, Width);

    /// <summary>Copies a slot's keys or values as the numbers that the cache's format can hold.</summary>
    public void Keep(ReadOnlySpan<float> values, Span<float> kept)
    {
        for (int head = 0; head < Width; head += Shape.HeadDim)
        {
            float largest = 0;
            foreach (float value in values.Slice(head, Shape.HeadDim))
                largest = Math.Max(largest, Math.Abs(value));
            float scale = largest / 127, inverse = scale > 0 ? 1 / scale : 0;
            for (int i = head; i < head + Shape.HeadDim; i++)
                kept[i] = Shape.Format switch
                {
                    KeyValueFormat.Float32 => values[i],
                    KeyValueFormat.BFloat16 => ReferenceDevice.RoundToBFloat16(values[i]),
                    _ => MathF.Round(values[i] * inverse) * scale,
                };
        }
    }

    public override void Read(int layer, int slot, Span<float> key, Span<float> value)
    {
        Key(layer, slot).CopyTo(key);
        Value(layer, slot).CopyTo(value);
    }

    protected override void Dispose(bool disposing)
    {
        device.CountCacheBytes(-Bytes);
        _keys.Clear();
        _values.Clear();
    }

    private void Add(float[] key, float[] value)
    {
        _keys.Add(key);
        _values.Add(value);
        device.CountCacheBytes(SlotBytes);
    }
}
