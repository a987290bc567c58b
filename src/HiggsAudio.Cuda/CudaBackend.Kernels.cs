using HiggsAudio.Compute;
using HiggsAudio.Cuda.Compilation;
using HiggsAudio.Cuda.Execution;
using HiggsAudio.Cuda.Weights;

namespace HiggsAudio.Cuda;

// What each operation launches; the sources in Kernels/ say what the kernels expect.
internal sealed partial class CudaBackend
{
    private const int Threads = 256;
    private const int SectionRows = 512;

    protected override void ZeroKernel(Matrix y) => Elements(KernelNames.Zero, y, y.Data, y.RowStride, y.Rows, y.Columns);

    protected override void CopyKernel(Matrix x, Matrix y) => Elements(KernelNames.Copy, y, x.Data, x.RowStride, y.Data, y.RowStride, y.Rows, y.Columns);

    protected override void AddKernel(Matrix x, Matrix y) => HoldAdd(x, y);

    protected override void ScaleKernel(Matrix x, float factor) => Elements(KernelNames.Scale, x, x.Data, x.RowStride, factor, x.Rows, x.Columns);

    protected override void SwiGluKernel(Matrix gate, Matrix up, Matrix y)
    {
        if (!TryGate(gate, up, y))
            Elements(KernelNames.SwiGlu, y, gate.Data, gate.RowStride, up.Data, up.RowStride, y.Data, y.RowStride, y.Rows, y.Columns);
    }

    protected override void GeluKernel(Matrix x, Matrix y) => Elements(KernelNames.Gelu, y, x.Data, x.RowStride, y.Data, y.RowStride, y.Rows, y.Columns);

    protected override void EluKernel(Matrix x, Matrix y) => Elements(KernelNames.Elu, y, x.Data, x.RowStride, y.Data, y.RowStride, y.Rows, y.Columns);

    protected override void SnakeKernel(Matrix x, Weight alpha, Matrix y) =>
        Elements(KernelNames.Snake, y, x.Data, x.RowStride, Vector(alpha), y.Data, y.RowStride, y.Rows, y.Columns);

    protected override void EmbedKernel(Weight table, ReadOnlySpan<int> ids, Matrix y)
    {
        CudaWeight entries = Table(table);
        long mark = _arena.Mark;
        Elements(KernelNames.Embed[entries.Format], y, entries.Data, entries.Stride, UploadIds(ids), y.Data, y.RowStride, y.Rows, y.Columns);
        _arena.Release(mark);
    }

    protected override void EmbedSumKernel(Weight table, ReadOnlySpan<int> ids, int perRow, bool average, Matrix y)
    {
        CudaWeight entries = Table(table);
        long mark = _arena.Mark;
        Elements(KernelNames.EmbedSum[entries.Format], y, entries.Data, entries.Stride, UploadIds(ids), perRow, average ? (float)perRow : 1f, y.Data, y.RowStride, y.Rows, y.Columns);
        _arena.Release(mark);
    }

    protected override void TakeRowsKernel(Matrix x, ReadOnlySpan<int> rows, Matrix y)
    {
        long mark = _arena.Mark;
        Elements(KernelNames.TakeRows, y, x.Data, x.RowStride, UploadIds(rows), y.Data, y.RowStride, y.Rows, y.Columns);
        _arena.Release(mark);
    }

    protected override unsafe void NearestRowKernel(Matrix x, Weight table, Span<int> indices)
    {
        CudaWeight entries = Table(table);
        long mark = _arena.Mark, bytes = (long)indices.Length * sizeof(int);
        nint found = Allocate(bytes);
        Launch(KernelNames.NearestRow[entries.Format], x.Rows, Threads, x.Columns * sizeof(float),
            x.Data, x.RowStride, entries.Data, entries.Stride, entries.Rows, x.Columns, found);
        fixed (int* to = indices)
            Download(found, (byte*)to, bytes);
        _arena.Release(mark);
    }

    protected override void RmsNormKernel(Matrix x, Weight gain, float epsilon, Matrix y)
    {
        if (!TryAddAndNorm(x, Vector(gain), epsilon, y))
            Launch(KernelNames.RmsNorm, x.Rows, Threads, 0, x.Data, x.RowStride, Vector(gain), epsilon, y.Data, y.RowStride, x.Columns);
    }

    protected override void LayerNormKernel(Matrix x, Weight gain, Weight bias, float epsilon, Matrix y) =>
        Launch(KernelNames.LayerNorm, x.Rows, Threads, 0, x.Data, x.RowStride, Vector(gain), Vector(bias), epsilon, y.Data, y.RowStride, x.Columns);

    protected override void GroupNormKernel(Matrix x, int groups, Weight gain, Weight bias, float epsilon, Matrix y)
    {
        long mark = _arena.Mark;
        int sections = Parts(x.Rows, SectionRows);
        nint sums = Allocate((long)sections * 2 * x.Columns * sizeof(double)), factors = Allocate(3L * x.Columns * sizeof(float));
        Launch(KernelNames.GroupNormSums, new Extent(Parts(x.Columns, 32), sections), new Extent(32, 8), 0, x.Data, x.RowStride, x.Rows, x.Columns, SectionRows, sums);
        Launch(KernelNames.GroupNormJoin, groups, Threads, 0, x.Data, sums, x.Rows, x.Columns, groups, sections, Vector(gain), epsilon, factors);
        Elements(KernelNames.GroupNormApply, y, x.Data, x.RowStride, factors, Vector(bias), y.Data, y.RowStride, y.Rows, y.Columns);
        _arena.Release(mark);
    }

    // Four columns of a row for each thread.
    private void Elements(KernelName kernel, Matrix shape, params ReadOnlySpan<Argument> arguments)
    {
        if (shape.Rows == 0 || shape.Columns == 0)
            return;
        int across = 1;
        while (across < Threads && 4L * across < shape.Columns)
            across *= 2;
        int down = Threads / across;
        Launch(kernel, new Extent(Parts(shape.Rows, down), Parts(shape.Columns, 4 * across)), new Extent(across, down), 0, arguments);
    }

    private static int Parts(int count, int size) => (int)(((long)count + size - 1) / size);
}
