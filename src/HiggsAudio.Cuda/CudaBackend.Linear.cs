using HiggsAudio.Compute;
using HiggsAudio.Cuda.Compilation;
using HiggsAudio.Cuda.Execution;
using HiggsAudio.Cuda.Weights;

namespace HiggsAudio.Cuda;

// Matrix products and convolutions: tiles of 8 or of 32 rows, which give the same bits.
internal sealed partial class CudaBackend
{
    private const int FewRows = 8, FewRowOutputs = 16, ManyRows = 32, ManyRowOutputs = 64;

    protected override void LinearKernel(Matrix x, Weight weight, Weight? bias, Matrix y)
    {
        CudaWeight w = Of(weight);
        if (y.Columns == 0)
            return;
        if (w.Format is WeightFormat.Int8 or WeightFormat.Int4 && x.Columns > 0)
            Quantized(x, w, VectorOrNull(bias), y);
        else
            Launch(x.Rows <= FewRows ? KernelNames.LinearFew[w.Format] : KernelNames.LinearMany[w.Format], Tiles(x.Rows, w.Rows), Threads, 0,
                x.Data, x.RowStride, w.Data, w.Stride, VectorOrNull(bias), y.Data, y.RowStride, x.Rows, x.Columns, w.Rows);
    }

    protected override void Conv1dKernel(Matrix x, Weight weight, Weight? bias, Conv1dShape shape, Matrix y) =>
        Convolve(x, Floats(weight), bias, y, windows: y.Rows, shape.Kernel, shape.Stride, shape.Dilation, shape.PaddingLeft, phases: 1, cut: 0);

    protected override void ConvTranspose1dKernel(Matrix x, Weight weight, Weight? bias, ConvTranspose1dShape shape, Matrix y) =>
        Convolve(x, Floats(weight), bias, y, windows: (y.Rows - 1 + shape.Padding) / shape.Stride + 1, shape.Taps, stride: 1, dilation: 1, shape.Taps - 1, shape.Stride, shape.Padding);

    private void Convolve(Matrix x, CudaWeight w, Weight? bias, Matrix y, int windows, int taps, int stride, int dilation, int padding, int phases, int cut) =>
        Launch(windows <= FewRows ? KernelNames.ConvolutionFew[w.Format] : KernelNames.ConvolutionMany[w.Format], Tiles(windows, w.Rows), Threads, 0,
            x.Data, x.RowStride, x.Rows, w.Data, w.Stride, VectorOrNull(bias), y.Data, y.RowStride, y.Rows, windows, x.Columns, taps, stride, dilation, padding, w.Rows, phases, cut);

    // Rows are quantized, too: few of them by every block for itself, in shared memory.
    private void Quantized(Matrix x, CudaWeight w, nint bias, Matrix y)
    {
        int groups = QuantizedRows.Groups(x.Columns);
        long shared = 8L * x.Rows * (Parts(groups, 8) * 144L + 32);
        if (x.Rows <= FewRows && shared <= _context.SharedBytes)
        {
            Launch(KernelNames.QuantizedFew[w.Format], Tiles(x.Rows, w.Rows), Threads, (int)shared,
                x.Data, x.RowStride, w.Data, w.Scales, bias, y.Data, y.RowStride, x.Rows, x.Columns, w.Rows);
            return;
        }
        long mark = _arena.Mark;
        nint codes = Allocate((long)x.Rows * groups * QuantizedRows.Inputs), scales = Allocate((long)x.Rows * groups * QuantizedRows.Blocks * sizeof(float));
        Launch(KernelNames.QuantizeRows, x.Rows, Threads, 0, x.Data, x.RowStride, codes, scales, x.Rows, x.Columns);
        Launch(KernelNames.QuantizedMany[w.Format], new Extent(Parts(x.Rows, ManyRows), Parts(w.Rows, ManyRowOutputs)), Threads, 0,
            codes, scales, w.Data, w.Scales, bias, y.Data, y.RowStride, x.Rows, x.Columns, w.Rows);
        _arena.Release(mark);
    }

    private static Extent Tiles(int rows, int outputs) => rows <= FewRows
        ? new Extent(Parts(rows, FewRows), Parts(outputs, FewRowOutputs))
        : new Extent(Parts(rows, ManyRows), Parts(outputs, ManyRowOutputs));
}
