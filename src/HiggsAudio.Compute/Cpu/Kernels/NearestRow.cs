#pragma warning disable IDE0060 // first, simple form: on one thread
namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>The nearest entry of a table.</summary>
internal static unsafe class NearestRow
{
    public static void Find(CpuThreads threads, Matrix x, CpuWeight table, Span<int> indices)
    {
        for (int r = 0; r < x.Rows; r++)
        {
            float best = float.NegativeInfinity;
            indices[r] = 0;
            for (int e = 0; e < table.Rows; e++)
            {
                double norm = 0, product = 0, square = 0;
                for (int c = 0; c < x.Columns; c++)
                {
                    float value = x.Row(r)[c], entry = Embeddings.Value(table, e, c);
                    norm += (double)value * value;
                    product += (double)value * entry;
                    square += (double)entry * entry;
                }
                float score = (float)-(norm - 2 * product + square);
                if (score > best)
                    (best, indices[r]) = (score, e);
            }
        }
    }
}
