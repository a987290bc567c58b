#pragma warning disable IDE0060 // first, simple form: on one thread
namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Look-ups of rows.</summary>
internal static unsafe class Embeddings
{
    public static void Embed(CpuThreads threads, CpuWeight table, ReadOnlySpan<int> ids, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
                y.Row(r)[c] = ids[r] < 0 ? 0 : Value(table, ids[r], c);
    }

    public static void EmbedSum(CpuThreads threads, CpuWeight table, ReadOnlySpan<int> ids, int perRow, bool average, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
            {
                float sum = 0;
                for (int i = 0; i < perRow; i++)
                    sum += Value(table, ids[r * perRow + i], c);
                y.Row(r)[c] = average ? sum / perRow : sum;
            }
    }

    public static void TakeRows(CpuThreads threads, Matrix x, ReadOnlySpan<int> rows, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            new ReadOnlySpan<float>(x.Row(rows[r]), x.Columns).CopyTo(new Span<float>(y.Row(r), y.Columns));
    }

    internal static float Value(CpuWeight table, int row, int column)
    {
        long at = (long)row * table.Columns + column;
        return table.IsBFloat16 ? BFloat16.ToSingle(table.Bits[at]) : table.Floats[at];
    }
}
