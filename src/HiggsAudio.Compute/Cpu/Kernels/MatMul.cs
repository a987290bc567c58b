namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>y = x · weightᵀ + bias.</summary>
internal static unsafe class MatMul
{
    public static void Linear(CpuThreads threads, Matrix x, CpuWeight weight, float* bias, Matrix y)
    {
        threads.Run(new LinearJob(x, weight, bias, y), weight.Rows);
    }

    private readonly struct LinearJob(Matrix x, CpuWeight weight, float* bias, Matrix y) : IChunkedJob
    {
        private readonly float* _bias = bias;

        public void Execute(int output)
        {
            for (int r = 0; r < x.Rows; r++)
                y.Row(r)[output] = Dot(x.Row(r), weight, (long)output * weight.Columns, x.Columns) + (_bias == null ? 0 : _bias[output]);
        }
    }

    internal static float Dot(float* x, CpuWeight weight, long start, int count)
    {
        float sum = 0;
        if (weight.IsBFloat16)
            for (int i = 0; i < count; i++)
                sum += x[i] * BFloat16.ToSingle(weight.Bits[start + i]);
        else
            for (int i = 0; i < count; i++)
                sum += x[i] * weight.Floats[start + i];
        return sum;
    }
}
