using HiggsAudio.Compute;
using HiggsAudio.Cuda.Compilation;
using HiggsAudio.Cuda.Execution;
using HiggsAudio.Cuda.Weights;

namespace HiggsAudio.Cuda;

// Operations that one launch can do together, with the same bits: the last ones are held back until it is known what follows. Everything else that is written
// down lets go of them first, so that the order is that of the calls.
internal sealed unsafe partial class CudaBackend
{
    private const int MostTogether = 3;

    private readonly record struct HeldLinear(CudaWeight Weight, nint Bias, Matrix Y);

    private readonly HeldLinear[] _held = new HeldLinear[MostTogether];
    private int _heldCount;
    private Matrix _heldInput;
    private Matrix _addedTo, _addend;

    /// <summary>Writes down what was held back.</summary>
    private void LetGo()
    {
        if (_heldCount > 0)
            LetGoOfLinears();
        if (!_addedTo.IsDefault)
        {
            (Matrix x, Matrix y) = (_addedTo, _addend);
            _addedTo = default;
            Elements(KernelNames.Add, x, x.Data, x.RowStride, y.Data, y.RowStride, x.Rows, x.Columns);
        }
    }

    // x += y, which a norm of x may do on its way.
    private void HoldAdd(Matrix x, Matrix y)
    {
        LetGo();
        (_addedTo, _addend) = (x, y);
        if (!_device.Options.FuseOperations || x.Columns == 0)
            LetGo();
    }

    private bool TryAddAndNorm(Matrix x, nint gain, float epsilon, Matrix y)
    {
        if (_addedTo != x || Overlap(_addend, y))
            return false;
        Matrix addend = _addend;
        _addedTo = default;
        Launch(KernelNames.AddRmsNorm, x.Rows, Threads, 0, x.Data, x.RowStride, addend.Data, addend.RowStride, gain, epsilon, y.Data, y.RowStride, x.Columns);
        return true;
    }

    // A product of few rows: those of the same rows with two or three weights are one launch.
    private void HoldLinear(Matrix x, CudaWeight weight, nint bias, Matrix y)
    {
        _ = weight.Data;    // there still
        bool together = _heldCount > 0 && _heldCount < MostTogether && _heldInput == x && _held[0].Weight.Format == weight.Format;
        for (int i = 0; together && i < _heldCount; i++)
            together = !Overlap(_held[i].Y, y);
        if (!together)
            LetGo();
        _heldInput = x;
        _held[_heldCount++] = new HeldLinear(weight, bias, y);
        if (!_device.Options.FuseOperations)
            LetGo();
    }

    private bool TryGate(Matrix gate, Matrix up, Matrix y)
    {
        if (_heldCount != 2 || _held[0].Y != gate || _held[1].Y != up || y != gate || _held[0].Bias != 0 || _held[1].Bias != 0)
            return false;
        (CudaWeight g, CudaWeight u, Matrix x) = (_held[0].Weight, _held[1].Weight, _heldInput);
        _heldCount = 0;
        Extent grid = new(1, Parts(g.Rows, FewRowOutputs));
        if (g.Format is WeightFormat.Int8 or WeightFormat.Int4)
            Launch(KernelNames.QuantizedGated[g.Format], grid, Threads, QuantizedSharedBytes(x), x.Data, x.RowStride, g.Data, g.Scales, u.Data, u.Scales,
                y.Data, y.RowStride, up.Data, up.RowStride, x.Rows, x.Columns, g.Rows);
        else
            Launch(KernelNames.LinearGated[g.Format], grid, Threads, 0, x.Data, x.RowStride, g.Data, u.Data, g.Stride,
                y.Data, y.RowStride, up.Data, up.RowStride, x.Rows, x.Columns, g.Rows);
        return true;
    }

    private void LetGoOfLinears()
    {
        int count = _heldCount;
        Matrix x = _heldInput;
        (HeldLinear a, HeldLinear b, HeldLinear c) = (_held[0], _held[1], _held[2]);
        _heldCount = 0;
        bool quantized = a.Weight.Format is WeightFormat.Int8 or WeightFormat.Int4;
        if (count == 1 && quantized)
            Launch(KernelNames.QuantizedFew[a.Weight.Format], Tiles(x.Rows, a.Weight.Rows), Threads, QuantizedSharedBytes(x),
                x.Data, x.RowStride, a.Weight.Data, a.Weight.Scales, a.Bias, a.Y.Data, a.Y.RowStride, x.Rows, x.Columns, a.Weight.Rows);
        else if (count == 1)
            Floats(x, a.Weight.Format, a.Weight, a.Bias, a.Y);
        else
            LaunchTogether(x, quantized, a, b, count == 3 ? c : default);
    }

    private void LaunchTogether(Matrix x, bool quantized, HeldLinear a, HeldLinear b, HeldLinear c)
    {
        (CudaWeight u, CudaWeight v, CudaWeight? w) = (a.Weight, b.Weight, c.Weight);
        int outputs = w?.Rows ?? 0;
        Extent grid = new(1, Parts(u.Rows, FewRowOutputs) + Parts(v.Rows, FewRowOutputs) + Parts(outputs, FewRowOutputs));
        if (quantized)
            Launch(KernelNames.QuantizedTogether[u.Format], grid, Threads, QuantizedSharedBytes(x), x.Data, x.RowStride, x.Rows, x.Columns,
                u.Data, u.Scales, a.Bias, a.Y.Data, a.Y.RowStride, u.Rows, v.Data, v.Scales, b.Bias, b.Y.Data, b.Y.RowStride, v.Rows,
                w?.Data ?? 0, w?.Scales ?? 0, c.Bias, c.Y.Data, c.Y.RowStride, outputs);
        else
            Launch(KernelNames.LinearTogether[u.Format], grid, Threads, 0, x.Data, x.RowStride, x.Rows, x.Columns, u.Stride,
                u.Data, a.Bias, a.Y.Data, a.Y.RowStride, u.Rows, v.Data, b.Bias, b.Y.Data, b.Y.RowStride, v.Rows,
                w?.Data ?? 0, c.Bias, c.Y.Data, c.Y.RowStride, outputs);
    }

    private static bool Overlap(Matrix a, Matrix b) => a.Data < End(b) && b.Data < End(a);

    private static nint End(Matrix x) => x.Data + (nint)(((long)(x.Rows - 1) * x.RowStride + x.Columns) * sizeof(float));
}
