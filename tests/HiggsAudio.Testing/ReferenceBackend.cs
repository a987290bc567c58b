using System.Runtime.InteropServices;
using HiggsAudio.Compute;

namespace HiggsAudio.Testing;

/// <summary>One lane of a <see cref="ReferenceDevice"/>. Sums are in double precision.</summary>
public sealed unsafe class ReferenceBackend(Device device) : Backend
{
    private readonly List<nint> _blocks = [];

    public override Device Device => device;

    /// <summary>Fresh memory is filled with NaN, so that a kernel that reads what it should not shows.</summary>
    public override Matrix Empty(int rows, int columns)
    {
        long count = Math.Max(1, (long)rows * columns);
        var data = (float*)NativeMemory.Alloc((nuint)count, sizeof(float));
        for (long i = 0; i < count; i++)
            data[i] = float.NaN;
        _blocks.Add((nint)data);
        return new Matrix((nint)data, rows, columns, columns);
    }

    protected internal override long Mark() => _blocks.Count;

    protected internal override void Release(long mark)
    {
        for (; _blocks.Count > mark; _blocks.RemoveAt(_blocks.Count - 1))
            NativeMemory.Free((void*)_blocks[^1]);
    }

    protected override void Dispose(bool disposing) => Release(0);

    public static Span<float> Row(Matrix x, int row) => new((float*)x.Data + (long)row * x.RowStride, x.Columns);

    private static ReadOnlySpan<float> Row(Weight w, int row) => ((ReferenceWeight)w).Row(row);

    private static void Each(Matrix x, Matrix y, Func<float, int, float> f)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
                Row(y, r)[c] = f(Row(x, r)[c], c);
    }

    protected override void UploadKernel(ReadOnlySpan<float> values, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            values.Slice(r * y.Columns, y.Columns).CopyTo(Row(y, r));
    }

    protected override void ReadKernel(Matrix x, Span<float> destination)
    {
        for (int r = 0; r < x.Rows; r++)
            Row(x, r).CopyTo(destination[(r * x.Columns)..]);
    }

    protected override void ZeroKernel(Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            Row(y, r).Clear();
    }

    protected override void EmbedKernel(Weight table, ReadOnlySpan<int> ids, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
        {
            if (ids[r] < 0)
                Row(y, r).Clear();
            else
                Row(table, ids[r]).CopyTo(Row(y, r));
        }
    }

    protected override void EmbedSumKernel(Weight table, ReadOnlySpan<int> ids, int perRow, bool average, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
            {
                double sum = 0;
                for (int i = 0; i < perRow; i++)
                    sum += Row(table, ids[r * perRow + i])[c];
                Row(y, r)[c] = (float)(average ? sum / perRow : sum);
            }
    }

    protected override void LinearKernel(Matrix x, Weight weight, Weight? bias, Matrix y)
    {
        bool quantized = weight.Format is WeightFormat.Int8 or WeightFormat.Int4;
        for (int r = 0; r < x.Rows; r++)
        {
            ReadOnlySpan<float> row = quantized ? Quantized(Row(x, r)) : Row(x, r);
            for (int o = 0; o < weight.Rows; o++)
                Row(y, r)[o] = (float)(Dot(row, Row(weight, o)) + (bias is null ? 0 : Row(bias, 0)[o]));
        }
    }

    // To 8 bits, in blocks of 32 with a scale each.
    private static float[] Quantized(ReadOnlySpan<float> row)
    {
        float[] values = row.ToArray();
        for (int start = 0; start < values.Length; start += 32)
        {
            Span<float> block = values.AsSpan(start, Math.Min(32, values.Length - start));
            float largest = 0;
            foreach (float value in block)
                largest = Math.Max(largest, Math.Abs(value));
            float inverse = 127 / largest, scale = largest / 127;
            foreach (ref float value in block)
                value = largest == 0 ? 0 : MathF.Round(value * inverse) * scale;
        }
        return values;
    }

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }

    protected override void RmsNormKernel(Matrix x, Weight gain, float epsilon, Matrix y)
    {
        for (int r = 0; r < x.Rows; r++)
        {
            double scale = 1 / Math.Sqrt(Dot(Row(x, r), Row(x, r)) / x.Columns + epsilon);
            for (int c = 0; c < x.Columns; c++)
                Row(y, r)[c] = (float)(Row(x, r)[c] * scale * Row(gain, 0)[c]);
        }
    }

    protected override void LayerNormKernel(Matrix x, Weight gain, Weight bias, float epsilon, Matrix y)
    {
        for (int r = 0; r < x.Rows; r++)
            Normalize(x[r..(r + 1)], Row(gain, 0), Row(bias, 0), epsilon, y[r..(r + 1)]);
    }

    protected override void GroupNormKernel(Matrix x, int groups, Weight gain, Weight bias, float epsilon, Matrix y)
    {
        int size = x.Columns / groups;
        for (int g = 0; g < groups; g++)
            Normalize(x.Slice(g * size, size), Row(gain, 0).Slice(g * size, size), Row(bias, 0).Slice(g * size, size), epsilon, y.Slice(g * size, size));
    }

    private static void Normalize(Matrix x, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, float epsilon, Matrix y)
    {
        double sum = 0, squares = 0, count = (double)x.Rows * x.Columns;
        for (int r = 0; r < x.Rows; r++)
            foreach (float v in Row(x, r))
                sum += v;
        for (int r = 0; r < x.Rows; r++)
            foreach (float v in Row(x, r))
                squares += (v - sum / count) * (v - sum / count);
        double scale = 1 / Math.Sqrt(squares / count + epsilon);
        for (int r = 0; r < x.Rows; r++)
            for (int c = 0; c < x.Columns; c++)
                Row(y, r)[c] = (float)((Row(x, r)[c] - sum / count) * scale * gain[c] + bias[c]);
    }

    protected override void RotateAppendAttendKernel(Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer, Matrix y)
    {
        int dim = rotary.HeadDim, group = q.Columns / k.Columns;
        for (int r = 0; r < q.Rows; r++)
        {
            var cache = (ReferenceKvCache)rows.Caches[r];
            for (int h = 0; h < q.Columns; h += dim)
                Rotate(Row(q, r).Slice(h, dim), rotary[rows.Positions[r]]);
            for (int h = 0; h < k.Columns; h += dim)
                Rotate(Row(k, r).Slice(h, dim), rotary[rows.Positions[r]]);
            cache.Keep(Row(k, r), cache.Key(layer, rows.Slots[r]));
            cache.Keep(Row(v, r), cache.Value(layer, rows.Slots[r]));
        }
        for (int r = 0; r < q.Rows; r++)
        {
            var cache = (ReferenceKvCache)rows.Caches[r];
            int[] visible = [.. Enumerable.Range(0, rows.Slots[r] + 1).Where(s => !rows.Hidden.Contains((cache, s)))];
            for (int h = 0; h < q.Columns; h += dim)
            {
                int kv = h / dim / group * dim;
                Attend(Row(q, r).Slice(h, dim), visible.Length, s => cache.Key(layer, visible[s]).Slice(kv, dim),
                    s => cache.Value(layer, visible[s]).Slice(kv, dim), Row(y, r).Slice(h, dim));
            }
        }
    }

    protected override void SelfAttentionKernel(Matrix q, Matrix k, Matrix v, int heads, Matrix y)
    {
        int dim = q.Columns / heads;
        for (int r = 0; r < q.Rows; r++)
            for (int h = 0; h < q.Columns; h += dim)
                Attend(Row(q, r).Slice(h, dim), k.Rows, s => Row(k, s).Slice(h, dim), s => Row(v, s).Slice(h, dim), Row(y, r).Slice(h, dim));
    }

    private delegate ReadOnlySpan<float> SlotOf(int slot);

    private static void Attend(ReadOnlySpan<float> query, int slots, SlotOf key, SlotOf value, Span<float> output)
    {
        var weights = new double[slots];
        double max = double.NegativeInfinity, total = 0;
        for (int s = 0; s < slots; s++)
            max = Math.Max(max, weights[s] = Dot(query, key(s)) / Math.Sqrt(query.Length));
        for (int s = 0; s < slots; s++)
            total += weights[s] = Math.Exp(weights[s] - max);
        for (int i = 0; i < output.Length; i++)
        {
            double sum = 0;
            for (int s = 0; s < slots; s++)
                sum += weights[s] / total * value(s)[i];
            output[i] = (float)sum;
        }
    }

    private static void Rotate(Span<float> x, ReadOnlySpan<float> cosinesThenSines)
    {
        int half = x.Length / 2;
        for (int i = 0; i < half; i++)
        {
            float cosine = cosinesThenSines[i], sine = cosinesThenSines[half + i];
            (x[i], x[half + i]) = (x[i] * cosine - x[half + i] * sine, x[half + i] * cosine + x[i] * sine);
        }
    }

    protected override void SwiGluKernel(Matrix gate, Matrix up, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            for (int c = 0; c < y.Columns; c++)
                Row(y, r)[c] = (float)(Row(gate, r)[c] / (1 + Math.Exp(-Row(gate, r)[c])) * Row(up, r)[c]);
    }

    protected override void GeluKernel(Matrix x, Matrix y) => Each(x, y, (v, _) => (float)(v * 0.5 * (1 + Erf(v / Math.Sqrt(2)))));

    protected override void EluKernel(Matrix x, Matrix y) => Each(x, y, (v, _) => v > 0 ? v : (float)(Math.Exp(v) - 1));

    protected override void SnakeKernel(Matrix x, Weight alpha, Matrix y) => Each(x, y, (v, c) =>
    {
        double a = Row(alpha, 0)[c], sine = Math.Sin(a * v);
        return (float)(v + sine * sine / (a + 1e-9));
    });

    protected override void AddKernel(Matrix x, Matrix y)
    {
        for (int r = 0; r < x.Rows; r++)
            for (int c = 0; c < x.Columns; c++)
                Row(x, r)[c] += Row(y, r)[c];
    }

    protected override void ScaleKernel(Matrix x, float factor) => Each(x, x, (v, _) => v * factor);

    protected override void CopyKernel(Matrix x, Matrix y) => Each(x, y, (v, _) => v);

    protected override void TakeRowsKernel(Matrix x, ReadOnlySpan<int> rows, Matrix y)
    {
        for (int r = 0; r < y.Rows; r++)
            Row(x, rows[r]).CopyTo(Row(y, r));
    }

    protected override void Conv1dKernel(Matrix x, Weight weight, Weight? bias, Conv1dShape shape, Matrix y)
    {
        for (int t = 0; t < y.Rows; t++)
            for (int o = 0; o < y.Columns; o++)
            {
                double sum = bias is null ? 0 : Row(bias, 0)[o];
                for (int k = 0; k < shape.Kernel; k++)
                {
                    int source = t * shape.Stride + k * shape.Dilation - shape.PaddingLeft;
                    if (source >= 0 && source < x.Rows)
                        sum += Dot(Row(x, source), Row(weight, o).Slice(k * x.Columns, x.Columns));
                }
                Row(y, t)[o] = (float)sum;
            }
    }

    protected override void ConvTranspose1dKernel(Matrix x, Weight weight, Weight? bias, ConvTranspose1dShape shape, Matrix y)
    {
        for (int t = 0; t < y.Rows; t++)
        {
            (int window, int phase) = Math.DivRem(t + shape.Padding, shape.Stride);
            for (int o = 0; o < y.Columns; o++)
            {
                double sum = bias is null ? 0 : Row(bias, 0)[o];
                for (int w = 0; w < shape.Taps; w++)
                {
                    int source = window - shape.Taps + 1 + w;
                    if (source >= 0 && source < x.Rows)
                        sum += Dot(Row(x, source), Row(weight, phase * y.Columns + o).Slice(w * x.Columns, x.Columns));
                }
                Row(y, t)[o] = (float)sum;
            }
        }
    }

    protected override void NearestRowKernel(Matrix x, Weight table, Span<int> indices)
    {
        for (int r = 0; r < x.Rows; r++)
        {
            double best = double.NegativeInfinity;
            for (int e = 0; e < table.Rows; e++)
            {
                double score = -(Dot(Row(x, r), Row(x, r)) - 2 * Dot(Row(x, r), Row(table, e)) + Dot(Row(table, e), Row(table, e)));
                if (score > best)
                    (best, indices[r]) = (score, e);
            }
        }
    }

    // The error function to double precision: Abramowitz & Stegun 7.1.5 (series) and 7.1.14 (continued fraction).
    private static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (double.IsNaN(x))
            return x;
        if (a > 6)
            return Math.Sign(x);
        if (a < 3)
        {
            double term = x, sum = x;
            for (int n = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); n++)
            {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }
            return 2 / Math.Sqrt(Math.PI) * sum;
        }
        double fraction = 0;
        for (int n = 60; n > 0; n--)
            fraction = n / 2.0 / (a + fraction);
        return Math.Sign(x) * (1 - Math.Exp(-a * a) / (a + fraction) / Math.Sqrt(Math.PI));
    }
}
