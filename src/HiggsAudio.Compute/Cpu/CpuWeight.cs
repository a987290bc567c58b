namespace HiggsAudio.Compute.Cpu;

/// <summary>How the values of a weight lie in memory.</summary>
internal enum WeightLayout
{
    /// <summary>Row by row, as in a checkpoint file; not necessarily aligned.</summary>
    Rows,

    /// <summary>[panel of 32 outputs][column][32 outputs], see <see cref="Kernels.PanelTiles{S, V, F}"/>.</summary>
    Panels,

    /// <summary>Blocks of integers with scales, see <see cref="QuantizedPanels"/>.</summary>
    QuantizedPanels,
}

/// <summary>A weight in memory of its device or in a mapped file: 32-bit floats, bfloat16 or quantized.</summary>
internal sealed unsafe class CpuWeight(int rows, int columns, WeightFormat format, WeightLayout layout, void* data) : Weight(rows, columns, format)
{
    private void* _data = data;

    /// <summary>How the values lie in memory.</summary>
    public WeightLayout Layout { get; } = layout;

    /// <summary>Whether the values are bfloat16; 32-bit floats otherwise.</summary>
    public bool IsBFloat16 => Format == WeightFormat.BFloat16;

    /// <summary>The values.</summary>
    /// <exception cref="ObjectDisposedException">The device was disposed.</exception>
    public void* Data => _data != null ? _data : throw new ObjectDisposedException(nameof(CpuDevice), "The device of this weight was disposed.");

    /// <summary>Some of its bytes, as they lie in memory.</summary>
    public ReadOnlySpan<byte> Bytes(long start, int count) => new((byte*)Data + start, count);

    /// <summary>Converts some values of an output to floats; of what is quantized, those that the codes stand for.</summary>
    public void Read(int row, int column, Span<float> values)
    {
        if (Layout == WeightLayout.QuantizedPanels)
            QuantizedPanels.Read(Format, (byte*)Data, Columns, row, column, values);
        else
            WeightPacking.Read(Layout, Format, Data, Columns, row, column, values);
    }

    /// <summary>The values of a weight of 32-bit floats.</summary>
    public float* Floats => (float*)Data;

    /// <summary>The bits of a weight of bfloat16 values.</summary>
    public ushort* Bits => (ushort*)Data;

    /// <summary>Forgets the values: their memory is freed.</summary>
    internal void Close() => _data = null;
}
