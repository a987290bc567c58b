namespace HiggsAudio.Testing.RandomModels;

/// <summary>
/// Random values that can be computed at any place of a tensor, by any thread: a hash of seed, name and position picks one of 4096
/// quantiles of the normal distribution, four for each hash.
/// </summary>
public sealed class RandomValues(int seed)
{
    private const int Quantiles = 4096;

    private static readonly float[] Normal = MakeQuantiles();

    /// <summary>Elements from <paramref name="start"/> on, a multiple of 4.</summary>
    public void Fill(RandomTensor tensor, long start, Span<float> values)
    {
        switch (tensor.Fill)
        {
            case RandomFill.Constant: values.Fill(tensor.Scale); break;
            case RandomFill.Normal: Pick(tensor.Source, start, Scaled(tensor.Scale, v => v), values); break;
            default: Norms(tensor).AsSpan((int)start, values.Length).CopyTo(values); break;
        }
    }

    /// <summary>The same as bfloat16.</summary>
    public void Fill(RandomTensor tensor, long start, Span<ushort> values)
    {
        if (tensor.Fill == RandomFill.NormOf)
            throw new NotSupportedException("Norms are 32-bit floats.");
        if (tensor.Fill == RandomFill.Constant)
            values.Fill(ToBFloat16(tensor.Scale));
        else
            Pick(tensor.Source, start, Scaled(tensor.Scale, ToBFloat16), values);
    }

    private static T[] Scaled<T>(float scale, Func<float, T> convert) => Array.ConvertAll(Normal, v => convert(v * scale));

    private static ushort ToBFloat16(float value) => (ushort)(BitConverter.SingleToUInt32Bits(ReferenceDevice.RoundToBFloat16(value)) >> 16);

    private void Pick<T>(string source, long start, T[] quantiles, Span<T> values)
    {
        ulong key = Key(source) + (ulong)(start / 4) * Step;
        ReadOnlySpan<T> table = quantiles.AsSpan(0, Quantiles);
        int i = 0;
        for (; i <= values.Length - 4; i += 4, key += Step)
        {
            ulong hash = Mix(key);
            values[i] = table[(int)(hash & (Quantiles - 1))];
            values[i + 1] = table[(int)(hash >> 16 & (Quantiles - 1))];
            values[i + 2] = table[(int)(hash >> 32 & (Quantiles - 1))];
            values[i + 3] = table[(int)(hash >> 48 & (Quantiles - 1))];
        }
        for (ulong hash = Mix(key); i < values.Length; i++, hash >>= 16)
            values[i] = table[(int)(hash & (Quantiles - 1))];
    }

    // The norms of the other tensor over the dimensions in which this one is 1.
    private float[] Norms(RandomTensor tensor)
    {
        var values = new float[tensor.Of!.Aggregate(1L, (product, d) => product * d)];
        Pick(tensor.Source, 0, Scaled(tensor.Scale, v => v), values);
        int kept = Array.FindIndex(tensor.Shape, d => d != 1);
        int inner = kept < 0 ? 1 : (int)tensor.Of!.Skip(kept + 1).Aggregate(1L, (product, d) => product * d);
        var squares = new double[tensor.Count];
        for (int i = 0; i < values.Length; i++)
            squares[i / inner % squares.Length] += (double)values[i] * values[i];
        return Array.ConvertAll(squares, s => (float)Math.Sqrt(s));
    }

    private ulong Key(string source)
    {
        ulong key = Mix((ulong)seed);
        foreach (char c in source)
            key = Mix(key ^ c);
        return key;
    }

    // SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    private const ulong Step = 0x9E3779B97F4A7C15;

    private static ulong Mix(ulong key)
    {
        key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9;
        key = (key ^ key >> 27) * 0x94D049BB133111EB;
        return key ^ key >> 31;
    }

    // The middles of equally probable slices: the density summed in small steps.
    private static float[] MakeQuantiles()
    {
        const double step = 1e-4;
        var quantiles = new float[Quantiles];
        double sum = 0;
        int next = 0;
        for (double x = -8; next < Quantiles; x += step)
        {
            sum += Math.Exp(-x * x / 2) * step / Math.Sqrt(2 * Math.PI);
            for (; next < Quantiles && (next + 0.5) / Quantiles <= sum; next++)
                quantiles[next] = (float)x;
        }
        return quantiles;
    }
}
