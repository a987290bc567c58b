using HiggsAudio.Compute;

namespace HiggsAudio.Cuda.Weights;

/// <summary>
/// A weight in device memory. 32-bit floats and bfloat16 lie row by row, rows padded with zeros to a multiple of 32 values (a vector's are not). For quantized ones
/// see <see cref="QuantizedRows"/>: values and, apart, scales.
/// </summary>
internal sealed class CudaWeight(CudaDevice owner, int rows, int columns, WeightFormat format, WeightUse use, nint data, nint scales) : Weight(rows, columns, format)
{
    private const int Padding = 32;

    private nint _data = data, _scales = scales;

    /// <summary>The device that made it.</summary>
    public CudaDevice Owner => owner;

    /// <summary>What it was made for.</summary>
    public WeightUse Use { get; } = use;

    /// <summary>Address of the values.</summary>
    /// <exception cref="ObjectDisposedException">The device was disposed.</exception>
    public nint Data => _data != 0 ? _data : throw new ObjectDisposedException(nameof(CudaDevice), "The device of this weight was disposed.");

    /// <summary>Address of the scales of what is quantized.</summary>
    public nint Scales => _scales;

    /// <summary>Values between the starts of two rows.</summary>
    public int Stride => StrideOf(Columns, Use);

    /// <summary>Values from one row to the next.</summary>
    public static int StrideOf(int columns, WeightUse use) => use == WeightUse.Vector ? columns : checked((columns + Padding - 1) / Padding * Padding);

    /// <summary>Forgets the values: their memory is freed.</summary>
    internal void Close() => (_data, _scales) = (0, 0);
}
