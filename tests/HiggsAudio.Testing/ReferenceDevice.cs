using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Testing;

/// <summary>A device of scalar, obviously correct kernels: what every other device is tested against.</summary>
public sealed class ReferenceDevice : Device
{
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

    public override KvCache CreateKvCache(KvCacheShape shape) => new ReferenceKvCache(shape);

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

public sealed class ReferenceKvCache(KvCacheShape shape) : KvCache(shape)
{
    private readonly List<float[]> _keys = [];
    private readonly List<float[]> _values = [];

    private int Width => Shape.KeyValueHeads * Shape.HeadDim;

    public override int Capacity => _keys.Count;

    public override long Bytes => 2L * _keys.Count * Shape.Layers * Width * sizeof(float);

    public override void Reserve(int slots)
    {
        while (_keys.Count < slots)
        {
            _keys.Add(new float[Shape.Layers * Width]);
            _values.Add(new float[Shape.Layers * Width]);
        }
    }

    public Span<float> Key(int layer, int slot) => _keys[slot].AsSpan(layer * Width, Width);

    public Span<float> Value(int layer, int slot) => _values[slot].AsSpan(layer * Width, Width);

    public override void Read(int layer, int slot, Span<float> key, Span<float> value)
    {
        Key(layer, slot).CopyTo(key);
        Value(layer, slot).CopyTo(value);
    }

    protected override void Dispose(bool disposing)
    {
    }
}
