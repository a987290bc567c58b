using System.Runtime.Intrinsics;

namespace HiggsAudio.Compute.Cpu.Kernels;

/// <summary>Makes the elements of keys and values from floats, a group at a time: one in a word each.</summary>
internal static unsafe class KeyValueCodes
{
    /// <summary>What the largest magnitude's code of 127 stands for; not a number if a value is not finite.</summary>
    public static float Scale(float* values, int count)
    {
        Vector512<float> largest = default, odd = default;
        for (int first = 0; first < count; first += KeyValueGroup.Half)
        {
            Vector512<float> x = Part(values + first, count - first);
            largest = Vector512.Max(largest, Vector512.Abs(x));
            odd += x * 0;
        }
        float most = 0;
        for (int i = 0; i < KeyValueGroup.Half; i++)
            most = Math.Max(most, largest[i]);
        return most / 127 + Vector512.Sum(odd);
    }

    /// <summary>The elements of up to 32 floats.</summary>
    /// <param name="format">The cache's.</param>
    /// <param name="values">The floats.</param>
    /// <param name="count">Their number; the rest of the group is zeros.</param>
    /// <param name="scale">With 8 bits: what they are divided by.</param>
    /// <param name="codes">[32]</param>
    public static void Encode(KeyValueFormat format, float* values, int count, float scale, uint* codes)
    {
        for (int i = 0; i < KeyValueGroup.Size; i += KeyValueGroup.Half)
        {
            Vector512<float> x = Part(values + i, count - i);
            Vector512<uint> y = format switch
            {
                KeyValueFormat.Float32 => x.AsUInt32(),
                KeyValueFormat.BFloat16 => Round(x),
                _ => Divide(x, scale),
            };
            y.Store(codes + i);
        }
    }

    // As BFloat16.Round.
    private static Vector512<uint> Round(Vector512<float> x)
    {
        Vector512<uint> bits = x.AsUInt32(), upper = bits >> 16;
        Vector512<uint> nearest = (bits + Vector512.Create(0x7FFFu) + (upper & Vector512<uint>.One)) >> 16;
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), nearest, upper | Vector512.Create(0x40u));
    }

    private static Vector512<uint> Divide(Vector512<float> x, float scale)
    {
        float inverse = 1 / scale is var one && float.IsFinite(one) ? one : 0;
        Vector512<float> code = Vector512.Round(x * Vector512.Create(inverse));
        return Vector512.ConvertToInt32(Vector512.Max(Vector512.Min(code, Vector512.Create(127f)), Vector512.Create(-127f))).AsUInt32();
    }

    // Up to 16 floats, and zeros behind them.
    private static Vector512<float> Part(float* values, int count)
    {
        if (count >= KeyValueGroup.Half)
            return Vector512.Load(values);
        float* padded = stackalloc float[KeyValueGroup.Half];
        new Span<float>(padded, KeyValueGroup.Half).Clear();
        if (count > 0)
            new ReadOnlySpan<float>(values, count).CopyTo(new Span<float>(padded, count));
        return Vector512.Load(padded);
    }
}
