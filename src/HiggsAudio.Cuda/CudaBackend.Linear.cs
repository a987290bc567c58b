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
        bool quantized = w.Format is WeightFormat.Int8 or WeightFormat.Int4;
        if (x.Columns == 0)
            Floats(x, WeightFormat.Float32, w, VectorOrNull(bias), y);
        else if (x.Rows <= FewRows && (!quantized || QuantizedSharedBytes(x) <= _context.SharedBytes))
            HoldLinear(x, w, VectorOrNull(bias), y);
        else if (quantized)
            Quantized(x, w, VectorOrNull(bias), y);
        else
            Floats(x, w.Format, w, VectorOrNull(bias), y);
    }

    // Of no inputs a weight in any format is left with its bias.
    private void Floats(Matrix x, WeightFormat format, CudaWeight w, nint bias, Matrix y) =>
        Launch(x.Rows <= FewRows ? KernelNames.LinearFew[format] : KernelNames.LinearMany[format], Tiles(x.Rows, w.Rows), Threads, 0,
            x.Data, x.RowStride, w.Data, w.Stride, bias, y.Data, y.RowStride, x.Rows, x.Columns, w.Rows);

    protected override void Conv1dKernel(Matrix x, Weight weight, Weight? bias, Conv1dShape shape, Matrix y) =>
        Convolve(x, Floats(weight), bias, y, windows: y.Rows, shape.Kernel, shape.Stride, shape.Dilation, shape.PaddingLeft, phases: 1, cut: 0);

    protected override void ConvTranspose1dKernel(Matrix x, Weight weight, Weight? bias, ConvTranspose1dShape shape, Matrix y) =>
        Convolve(x, Floats(weight), bias, y, windows: (y.Rows - 1 + shape.Padding) / shape.Stride + 1, shape.Taps, stride: 1, dilation: 1, shape.Taps - 1, shape.Stride, shape.Padding);

    // The outputs of a tile are as many as leave the least of the last one empty.
    private void Convolve(Matrix x, CudaWeight w, Weight? bias, Matrix y, int windows, int taps, int stride, int dilation, int padding, int phases, int cut)
    {
        if (y.Columns == 0)
            return;
        (KernelName kernel, int outputs) = w.Rows <= 16 ? (KernelNames.Convolution16[w.Format], 16)
            : Parts(w.Rows, 32) * 32 < Parts(w.Rows, ManyRowOutputs) * ManyRowOutputs ? (KernelNames.Convolution32[w.Format], 32)
            : (KernelNames.ConvolutionMany[w.Format], ManyRowOutputs);
        bool few = windows <= FewRows;
        Launch(few ? KernelNames.ConvolutionFew[w.Format] : kernel, few ? Tiles(windows, w.Rows) : new Extent(Parts(windows, ManyRows), Parts(w.Rows, outputs)), Threads, 0,
            x.Data, x.RowStride, x.Rows, w.Data, w.Stride, VectorOrNull(bias), y.Data, y.RowStride, y.Rows, windows, x.Columns, taps, stride, dilation, padding, w.Rows, phases, cut);
    }

    // Rows are quantized, too: here all of them once, few of them by every block for itself, in shared memory.
    private void Quantized(Matrix x, CudaWeight w, nint bias, Matrix y)
    {
        int groups = QuantizedRows.Groups(x.Columns);
        long mark = _arena.Mark;
        nint codes = Allocate((long)x.Rows * groups * QuantizedRows.Inputs), scales = Allocate((long)x.Rows * groups * QuantizedRows.Blocks * sizeof(float));
        Launch(KernelNames.QuantizeRows, x.Rows, Threads, 0, x.Data, x.RowStride, codes, scales, x.Rows, x.Columns);
        Launch(KernelNames.QuantizedMany[w.Format], new Extent(Parts(x.Rows, ManyRows), Parts(w.Rows, ManyRowOutputs)), Threads, 0,
            codes, scales, w.Data, w.Scales, bias, y.Data, y.RowStride, x.Rows, x.Columns, w.Rows);
        _arena.Release(mark);
    }

    private static int QuantizedSharedBytes(Matrix x) => checked(8 * x.Rows * (Parts(QuantizedRows.Groups(x.Columns), 8) * 144 + 32));

    private static Extent Tiles(int rows, int outputs) => rows <= FewRows
        ? new Extent(Parts(rows, FewRows), Parts(outputs, FewRowOutputs))
        : new Extent(Parts(rows, ManyRows), Parts(outputs, ManyRowOutputs));
}
