#pragma warning disable IDE0060 // first, simple form: on one thread
namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Normalisations of rows and of groups of columns.</summary>
internal static unsafe class Normalization
{
    public static void RmsNorm(CpuThreads threads, Matrix x, float* gain, float epsilon, Matrix y)
    {
        for (int r = 0; r < x.Rows; r++)
        {
            double squares = 0;
            for (int c = 0; c < x.Columns; c++)
                squares += (double)x.Row(r)[c] * x.Row(r)[c];
            float scale = (float)(1 / Math.Sqrt(squares / x.Columns + epsilon));
            for (int c = 0; c < x.Columns; c++)
                y.Row(r)[c] = x.Row(r)[c] * scale * gain[c];
        }
    }

    public static void LayerNorm(CpuThreads threads, Matrix x, float* gain, float* bias, float epsilon, Matrix y)
    {
        for (int r = 0; r < x.Rows; r++)
            Normalize(x[r..(r + 1)], gain, bias, epsilon, y[r..(r + 1)]);
    }

    public static void GroupNorm(CpuThreads threads, Matrix x, int groups, float* gain, float* bias, float epsilon, Matrix y)
    {
        int size = x.Columns / groups;
        for (int g = 0; g < groups; g++)
            Normalize(x.Slice(g * size, size), gain + g * size, bias + g * size, epsilon, y.Slice(g * size, size));
    }

    private static void Normalize(Matrix x, float* gain, float* bias, float epsilon, Matrix y)
    {
        double sum = 0, squares = 0, count = (double)x.Rows * x.Columns;
        for (int r = 0; r < x.Rows; r++)
            for (int c = 0; c < x.Columns; c++)
                sum += x.Row(r)[c];
        double mean = sum / count;
        for (int r = 0; r < x.Rows; r++)
            for (int c = 0; c < x.Columns; c++)
                squares += (x.Row(r)[c] - mean) * (x.Row(r)[c] - mean);
        double scale = 1 / Math.Sqrt(squares / count + epsilon);
        for (int r = 0; r < x.Rows; r++)
            for (int c = 0; c < x.Columns; c++)
                y.Row(r)[c] = (float)((x.Row(r)[c] - mean) * scale) * gain[c] + bias[c];
    }
}
