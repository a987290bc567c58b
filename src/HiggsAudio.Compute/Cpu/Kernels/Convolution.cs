namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Convolutions over time.</summary>
internal static unsafe class Convolution
{
    public static void Conv1d(CpuThreads threads, Matrix x, CpuWeight weight, float* bias, Conv1dShape shape, Matrix y)
    {
        for (int t = 0; t < y.Rows; t++)
            for (int o = 0; o < y.Columns; o++)
            {
                float sum = bias == null ? 0 : bias[o];
                for (int tap = 0; tap < shape.Kernel; tap++)
                {
                    int source = t * shape.Stride + tap * shape.Dilation - shape.PaddingLeft;
                    if ((uint)source < (uint)x.Rows)
                        sum += MatMul.Dot(x.Row(source), weight, (long)o * weight.Columns + tap * x.Columns, x.Columns);
                }
                y.Row(t)[o] = sum;
            }
    }

    public static void ConvTranspose1d(CpuThreads threads, Matrix x, CpuWeight weight, float* bias, ConvTranspose1dShape shape, Matrix y)
    {
        for (int t = 0; t < y.Rows; t++)
        {
            (int window, int phase) = Math.DivRem(t + shape.Padding, shape.Stride);
            for (int o = 0; o < y.Columns; o++)
            {
                float sum = bias == null ? 0 : bias[o];
                for (int w = 0; w < shape.Taps; w++)
                {
                    int source = window - shape.Taps + 1 + w;
                    if ((uint)source < (uint)x.Rows)
                        sum += MatMul.Dot(x.Row(source), weight, (long)(phase * y.Columns + o) * weight.Columns + w * x.Columns, x.Columns);
                }
                y.Row(t)[o] = sum;
            }
        }
    }
}
