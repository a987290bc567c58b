#pragma warning disable IDE0060 // first, simple form: on one thread
namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Scaled dot-product attention (arXiv:1706.03762) with and without a cache.</summary>
internal static unsafe class Attention
{
    public static void RotateAppendAttend(CpuThreads threads, Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer, Matrix y)
    {
        int dim = rotary.HeadDim, heads = q.Columns / dim, keyValueHeads = k.Columns / dim;
        for (int r = 0; r < q.Rows; r++)
        {
            var cache = (CpuKvCache)rows.Caches[r];
            (int page, int slot) = Math.DivRem(rows.Slots[r], CpuKvCache.PageSlots);
            for (int h = 0; h < heads; h++)
                Rotate(q.Row(r) + h * dim, rotary[rows.Positions[r]]);
            for (int h = 0; h < keyValueHeads; h++)
            {
                Rotate(k.Row(r) + h * dim, rotary[rows.Positions[r]]);
                new ReadOnlySpan<float>(k.Row(r) + h * dim, dim).CopyTo(new Span<float>(cache.Keys(layer, h, page) + slot * dim, dim));
                new ReadOnlySpan<float>(v.Row(r) + h * dim, dim).CopyTo(new Span<float>(cache.Values(layer, h, page) + slot * dim, dim));
            }
        }
        for (int r = 0; r < q.Rows; r++)
            for (int h = 0; h < heads; h++)
                AttendCached(q.Row(r) + h * dim, rows, r, layer, h / (heads / keyValueHeads), dim, y.Row(r) + h * dim);
    }

    public static void SelfAttention(CpuThreads threads, Matrix q, Matrix k, Matrix v, int heads, Matrix y)
    {
        int dim = q.Columns / heads;
        var output = new double[dim];
        for (int r = 0; r < q.Rows; r++)
            for (int h = 0; h < heads; h++)
            {
                float* query = q.Row(r) + h * dim;
                double max = double.NegativeInfinity, total = 0;
                for (int s = 0; s < k.Rows; s++)
                    max = Math.Max(max, Dot(query, k.Row(s) + h * dim, dim));
                Array.Clear(output);
                for (int s = 0; s < k.Rows; s++)
                    total += Accumulate(Math.Exp((Dot(query, k.Row(s) + h * dim, dim) - max) / Math.Sqrt(dim)), v.Row(s) + h * dim, output);
                Store(output, total, y.Row(r) + h * dim);
            }
    }

    private static void AttendCached(float* query, RowMap rows, int row, int layer, int head, int dim, float* y)
    {
        KvCache owner = rows.Caches[row];
        var cache = (CpuKvCache)owner;
        double max = double.NegativeInfinity, total = 0;
        var output = new double[dim];
        for (int pass = 0; pass < 2; pass++)
            for (int s = 0; s <= rows.Slots[row]; s++)
            {
                if (rows.Hidden.Contains((owner, s)))
                    continue;
                (int page, int slot) = Math.DivRem(s, CpuKvCache.PageSlots);
                double score = Dot(query, cache.Keys(layer, head, page) + slot * dim, dim);
                if (pass == 0)
                    max = Math.Max(max, score);
                else
                    total += Accumulate(Math.Exp((score - max) / Math.Sqrt(dim)), cache.Values(layer, head, page) + slot * dim, output);
            }
        Store(output, total, y);
    }

    private static double Accumulate(double weight, float* value, double[] output)
    {
        for (int i = 0; i < output.Length; i++)
            output[i] += weight * value[i];
        return weight;
    }

    private static void Store(double[] output, double total, float* y)
    {
        for (int i = 0; i < output.Length; i++)
            y[i] = total == 0 ? 0 : (float)(output[i] / total);
    }

    private static double Dot(float* a, float* b, int count)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }

    private static void Rotate(float* x, ReadOnlySpan<float> cosinesThenSines)
    {
        int half = cosinesThenSines.Length / 2;
        for (int i = 0; i < half; i++)
        {
            float cosine = cosinesThenSines[i], sine = cosinesThenSines[half + i];
            (x[i], x[half + i]) = (x[i] * cosine - x[half + i] * sine, x[half + i] * cosine + x[i] * sine);
        }
    }
}
