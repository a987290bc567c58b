using HiggsAudio.Compute.Cpu.Kernels;

namespace HiggsAudio.Compute.Cpu;

/// <summary>One lane of a <see cref="CpuDevice"/>: scratch memory of its own, the device's threads shared with the other lanes.</summary>
internal sealed unsafe class CpuBackend(CpuDevice device) : Backend
{
    private readonly CpuArena _arena = new(device.Scratch, device.Threads);

    public override Device Device => device;

    public override long ScratchBytes => _arena.Bytes;

    private CpuThreads Threads => device.Threads;

    public override Matrix Empty(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        return new Matrix((nint)_arena.Allocate((long)rows * columns), rows, columns, columns);
    }

    protected internal override long Mark() => _arena.Mark;

    protected internal override void Release(long mark) => _arena.Release(mark);

    protected override void Dispose(bool disposing) => _arena.Dispose();

    protected override void UploadKernel(ReadOnlySpan<float> values, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            values.Slice(r * y.Columns, y.Columns).CopyTo(new Span<float>(y.Row(r), y.Columns));
    }

    protected override void ReadKernel(Matrix x, Span<float> destination)
    {
        for (int r = 0; r < x.Rows; r++)
            new ReadOnlySpan<float>(x.Row(r), x.Columns).CopyTo(destination[(r * x.Columns)..]);
    }

    protected override void ZeroKernel(Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            new Span<float>(y.Row(r), y.Columns).Clear();
    }

    protected override void EmbedKernel(Weight table, ReadOnlySpan<int> ids, Matrix y) => Embeddings.Embed(Threads, Table(table), ids, y);

    protected override void EmbedSumKernel(Weight table, ReadOnlySpan<int> ids, int perRow, bool average, Matrix y) =>
        Embeddings.EmbedSum(Threads, Table(table), ids, perRow, average, y);

    protected override void TakeRowsKernel(Matrix x, ReadOnlySpan<int> rows, Matrix y) => Embeddings.TakeRows(Threads, x, rows, y);

    protected override void LinearKernel(Matrix x, Weight weight, Weight? bias, Matrix y)
    {
        if (Of(weight) is { Layout: WeightLayout.QuantizedPanels } quantized)
            QuantizedMatMul.Linear(Threads, _arena, x, quantized, VectorOrNull(bias), y);
        else
            MatMul.Linear(Threads, _arena, x, Of(weight), VectorOrNull(bias), y);
    }

    protected override void Conv1dKernel(Matrix x, Weight weight, Weight? bias, Conv1dShape shape, Matrix y) =>
        Convolution.Conv1d(Threads, _arena, x, Floats(weight), VectorOrNull(bias), shape, y);

    protected override void ConvTranspose1dKernel(Matrix x, Weight weight, Weight? bias, ConvTranspose1dShape shape, Matrix y) =>
        Convolution.ConvTranspose1d(Threads, _arena, x, Floats(weight), VectorOrNull(bias), shape, y);

    protected override void RmsNormKernel(Matrix x, Weight gain, float epsilon, Matrix y) =>
        Normalization.RmsNorm(Threads, x, Vector(gain), epsilon, y);

    protected override void LayerNormKernel(Matrix x, Weight gain, Weight bias, float epsilon, Matrix y) =>
        Normalization.LayerNorm(Threads, x, Vector(gain), Vector(bias), epsilon, y);

    protected override void GroupNormKernel(Matrix x, int groups, Weight gain, Weight bias, float epsilon, Matrix y) =>
        Kernels.GroupNorm.Run(Threads, _arena, x, groups, Vector(gain), Vector(bias), epsilon, y);

    protected override void RotateAppendAttendKernel(Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer, Matrix y) =>
        Attention.RotateAppendAttend(Threads, _arena, q, k, v, rotary, rows, layer, y);

    protected override void SelfAttentionKernel(Matrix q, Matrix k, Matrix v, int heads, Matrix y) =>
        Attention.SelfAttention(Threads, _arena, q, k, v, heads, y);

    protected override void SwiGluKernel(Matrix gate, Matrix up, Matrix y) => Activations.SwiGlu(Threads, gate, up, y);

    protected override void GeluKernel(Matrix x, Matrix y) => Activations.Gelu(Threads, x, y);

    protected override void EluKernel(Matrix x, Matrix y) => Activations.Elu(Threads, x, y);

    protected override void SnakeKernel(Matrix x, Weight alpha, Matrix y) => Kernels.Snake.Run(Threads, x, Vector(alpha), y);

    protected override void AddKernel(Matrix x, Matrix y) => Activations.Add(Threads, x, y);

    protected override void ScaleKernel(Matrix x, float factor) => Activations.Scale(Threads, x, factor);

    protected override void CopyKernel(Matrix x, Matrix y) => Activations.Copy(Threads, x, y);

    protected override void NearestRowKernel(Matrix x, Weight table, Span<int> indices) => Kernels.NearestRow.Find(Threads, x, Table(table), indices);

    private static CpuWeight Of(Weight weight) =>
        weight as CpuWeight ?? throw new ArgumentException($"The weight {weight} was made by another device than the lane's.");

    private static CpuWeight Floats(Weight weight) =>
        Of(weight) is { Layout: not WeightLayout.QuantizedPanels } floats ? floats : throw new ArgumentException($"The weight {weight} of a convolution has no floats.");

    private static CpuWeight Table(Weight weight) =>
        Of(weight) is { Layout: WeightLayout.Rows } table ? table : throw new ArgumentException($"The weight {weight} was not made as a table.");

    private static float* Vector(Weight weight) =>
        Of(weight) is { IsBFloat16: false, Layout: WeightLayout.Rows } vector ? vector.Floats : throw new ArgumentException($"The weight {weight} was not made as a vector.");

    private static float* VectorOrNull(Weight? weight) => weight is null ? null : Vector(weight);
}
