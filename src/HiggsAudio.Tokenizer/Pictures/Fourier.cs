namespace HiggsAudio.Pictures;

/// <summary>The power spectrum of windows of a power of two of samples (Cooley and Tukey, 1965; in place, radix 2).</summary>
internal sealed class Fourier
{
    private readonly float[] _window, _cosines, _sines;
    private readonly int[] _reversed;
    private readonly float[] _real, _imaginary;

    /// <param name="size">Samples of a window: a power of two.</param>
    public Fourier(int size)
    {
        Size = size;
        (_real, _imaginary) = (new float[size], new float[size]);
        // Hann's window, periodic.
        _window = [.. Enumerable.Range(0, size).Select(i => (float)(0.5 - 0.5 * Math.Cos(2 * Math.PI * i / size)))];
        _cosines = [.. Enumerable.Range(0, size / 2).Select(i => (float)Math.Cos(2 * Math.PI * i / size))];
        _sines = [.. Enumerable.Range(0, size / 2).Select(i => (float)-Math.Sin(2 * Math.PI * i / size))];
        int bits = (int)Math.Log2(size);
        _reversed = new int[size];
        for (int i = 0; i < size; i++)
            for (int bit = 0; bit < bits; bit++)
                _reversed[i] |= (i >> bit & 1) << bits - 1 - bit;
    }

    /// <summary>Samples of a window.</summary>
    public int Size { get; }

    /// <summary>Adds the power at the frequencies i / size of the sampling rate.</summary>
    /// <param name="samples">The sound.</param>
    /// <param name="centre">The sample in the middle of the window; outside the sound is silence.</param>
    /// <param name="power">size / 2 + 1 values; a sine of amplitude 1 has about 1 at its frequency.</param>
    public void AddPower(ReadOnlySpan<float> samples, long centre, Span<double> power)
    {
        for (int i = 0; i < Size; i++)
        {
            long at = centre - Size / 2 + i;
            _real[_reversed[i]] = at >= 0 && at < samples.Length ? samples[(int)at] * _window[i] : 0;
        }
        Array.Clear(_imaginary);
        for (int half = 1; half < Size; half *= 2)
            Butterflies(half);
        double scale = 16.0 / ((double)Size * Size);   // the window's sum is size / 2, a sine's two halves
        for (int i = 0; i < power.Length; i++)
            power[i] += scale * ((double)_real[i] * _real[i] + (double)_imaginary[i] * _imaginary[i]);
    }

    private void Butterflies(int half)
    {
        int step = Size / (2 * half);
        for (int start = 0; start < Size; start += 2 * half)
            for (int k = 0; k < half; k++)
            {
                int upper = start + k, lower = upper + half;
                (float c, float s) = (_cosines[k * step], _sines[k * step]);
                float real = _real[lower] * c - _imaginary[lower] * s, imaginary = _real[lower] * s + _imaginary[lower] * c;
                (_real[lower], _imaginary[lower]) = (_real[upper] - real, _imaginary[upper] - imaginary);
                (_real[upper], _imaginary[upper]) = (_real[upper] + real, _imaginary[upper] + imaginary);
            }
    }
}
