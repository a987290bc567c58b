#pragma warning disable IDE0060 // first, simple form: on one thread
namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Functions of single elements.</summary>
internal static unsafe class Activations
{
    public static void SwiGlu(CpuThreads threads, Matrix gate, Matrix up, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
                y.Row(r)[c] = gate.Row(r)[c] / (1 + MathF.Exp(-gate.Row(r)[c])) * up.Row(r)[c];
    }

    public static void Gelu(CpuThreads threads, Matrix x, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
                y.Row(r)[c] = (float)(x.Row(r)[c] * 0.5 * ErfC(-x.Row(r)[c] / Math.Sqrt(2)));
    }

    public static void Elu(CpuThreads threads, Matrix x, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
                y.Row(r)[c] = x.Row(r)[c] > 0 ? x.Row(r)[c] : (float)(Math.Exp(x.Row(r)[c]) - 1);
    }

    public static void Snake(CpuThreads threads, Matrix x, float* alpha, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
            {
                float sine = MathF.Sin(alpha[c] * x.Row(r)[c]);
                y.Row(r)[c] = x.Row(r)[c] + sine * sine / (alpha[c] + 1e-9f);
            }
    }

    public static void Add(CpuThreads threads, Matrix x, Matrix y)
    {
        for (int r = 0; r < x.Rows; r++)
            for (int c = 0; c < x.Columns; c++)
                x.Row(r)[c] += y.Row(r)[c];
    }

    public static void Scale(CpuThreads threads, Matrix x, float factor)
    {
        for (int r = 0; r < x.Rows; r++)
            for (int c = 0; c < x.Columns; c++)
                x.Row(r)[c] *= factor;
    }

    public static void Copy(CpuThreads threads, Matrix x, Matrix y)
    {
        for (int r = 0; r < x.Rows; r++)
            new ReadOnlySpan<float>(x.Row(r), x.Columns).CopyTo(new Span<float>(y.Row(r), y.Columns));
    }

    // 1 − erf(x), to 1.2e-7 of its value (Numerical Recipes in C, 6.2).
    private static double ErfC(double x)
    {
        double z = Math.Abs(x), t = 1 / (1 + 0.5 * z);
        double value = t * Math.Exp(-z * z - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
            + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
        return x >= 0 ? value : 2 - value;
    }
}
