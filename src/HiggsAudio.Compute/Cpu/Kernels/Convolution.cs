namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>
/// Convolutions over time as multiplications of windows: the rows of time-major data that a window covers lie one after the other, so
/// nothing is copied but what the padding at the ends of the data touches.
/// </summary>
internal static unsafe class Convolution
{
    private const int SmallInput = 1 << 16;

    public static void Conv1d(CpuThreads threads, CpuArena arena, Matrix x, CpuWeight weight, float* bias, Conv1dShape shape, Matrix y)
    {
        int span = (shape.Kernel - 1) * shape.Dilation + 1;
        // Rows of the result that no padding touches.
        int first = Math.Min((shape.PaddingLeft + shape.Stride - 1) / shape.Stride, y.Rows);
        int inside = x.Rows + shape.PaddingLeft - span;
        int end = Math.Clamp(inside < 0 ? 0 : inside / shape.Stride + 1, first, y.Rows);
        if (CopiesWhole(x, weight) && (first > 0 || end < y.Rows))
            (first, end) = (y.Rows, y.Rows);

        Rows(0, first, padded: true);
        Rows(first, end, padded: false);
        Rows(end, y.Rows, padded: true);

        void Rows(int from, int to, bool padded)
        {
            if (from == to)
                return;
            int start = from * shape.Stride - shape.PaddingLeft;
            long mark = arena.Mark;
            Matrix source = padded ? Padded(arena, x, start, (to - from - 1) * shape.Stride + span) : x[start..];
            MatMul.Multiply(threads, arena, Windows.Convolution(source, shape.Kernel, shape.Stride, shape.Dilation), weight, bias, y[from..to]);
            arena.Release(mark);
        }
    }

    public static void ConvTranspose1d(CpuThreads threads, CpuArena arena, Matrix x, CpuWeight weight, float* bias, ConvTranspose1dShape shape, Matrix y)
    {
        long mark = arena.Mark;
        float* biases = bias == null ? null : Repeat(arena, bias, y.Columns, shape.Stride);
        // Window q makes the rows q * stride - padding ... of y, from the rows q - taps + 1 ... q of x.
        int windows = (y.Rows + shape.Padding + shape.Stride - 1) / shape.Stride;
        int first = Math.Min(Math.Max(shape.Taps - 1, (shape.Padding + shape.Stride - 1) / shape.Stride), windows);
        int end = Math.Clamp(Math.Min(x.Rows, (y.Rows + shape.Padding) / shape.Stride), first, windows);
        if (CopiesWhole(x, weight))
            (first, end) = (windows, windows);

        Part(0, first, inside: false);
        Part(first, end, inside: true);
        Part(end, windows, inside: false);
        arena.Release(mark);

        void Part(int from, int to, bool inside)
        {
            if (from == to)
                return;
            long mark = arena.Mark;
            int start = from - shape.Taps + 1, width = shape.Stride * y.Columns;
            Matrix source = inside ? x[start..] : Padded(arena, x, start, to - from + shape.Taps - 1);
            bool inPlace = inside && y.RowStride == y.Columns;
            Matrix result = inPlace
                ? new Matrix((nint)y.Row(from * shape.Stride - shape.Padding), to - from, width, width)
                : new Matrix((nint)arena.Allocate((long)(to - from) * width), to - from, width, width);
            MatMul.Multiply(threads, arena, Windows.Convolution(source, shape.Taps, 1, 1), weight, biases, result);
            if (!inPlace)
                CopyRows(result, from * shape.Stride - shape.Padding, shape.Stride, y);
            arena.Release(mark);
        }
    }

    // Copying the input costs less than reading the weight again for the ends.
    private static bool CopiesWhole(Matrix x, CpuWeight weight) =>
        (long)x.Rows * x.Columns <= Math.Max(SmallInput, (long)weight.Rows * weight.Columns);

    // The rows start ... start + count - 1, zeros where there is none.
    private static Matrix Padded(CpuArena arena, Matrix x, int start, int count)
    {
        var padded = new Matrix((nint)arena.Allocate((long)count * x.Columns), count, x.Columns, x.Columns);
        for (int r = 0; r < count; r++)
        {
            var row = new Span<float>(padded.Row(r), x.Columns);
            if ((uint)(start + r) < (uint)x.Rows)
                new ReadOnlySpan<float>(x.Row(start + r), x.Columns).CopyTo(row);
            else
                row.Clear();
        }
        return padded;
    }

    private static float* Repeat(CpuArena arena, float* values, int count, int times)
    {
        float* repeated = arena.Allocate((long)count * times);
        for (int i = 0; i < times; i++)
            new ReadOnlySpan<float>(values, count).CopyTo(new Span<float>(repeated + i * count, count));
        return repeated;
    }

    // Every row of `windows` is `stride` rows of y, from row `start` on; those that y has are copied.
    private static void CopyRows(Matrix windows, int start, int stride, Matrix y)
    {
        for (int r = Math.Max(0, start); r < Math.Min(y.Rows, start + windows.Rows * stride); r++)
        {
            (int window, int phase) = Math.DivRem(r - start, stride);
            new ReadOnlySpan<float>(windows.Row(window) + phase * y.Columns, y.Columns).CopyTo(new Span<float>(y.Row(r), y.Columns));
        }
    }
}
