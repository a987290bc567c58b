namespace HiggsAudio.Pictures;

/// <summary>
/// The power of a sound by time and pitch, in decibels. Windows are Hann's; bands are triangles on the mel scale of O'Shaughnessy
/// (2595·log₁₀(1 + f / 700)), each with a sum of 1: noise that is even over the frequencies is even over the bands.
/// </summary>
public sealed class MelSpectrogram
{
    /// <summary>The lowest value, in dB: silence.</summary>
    public const float Silence = -120;

    private readonly float[] _decibels;   // [bands, columns]

    private MelSpectrogram(int bands, int columns, float[] decibels, double[] centres) => (Bands, Columns, _decibels, Centres) = (bands, columns, decibels, centres);

    /// <summary>Bands, the lowest first.</summary>
    public int Bands { get; }

    /// <summary>Columns in time.</summary>
    public int Columns { get; }

    /// <summary>The frequency of each band's middle, in Hz.</summary>
    public IReadOnlyList<double> Centres { get; }

    /// <summary>A value in dB: 10·log₁₀ of the mean power of a band, of which a sine of full scale has about 0 where the band is narrow; at least <see cref="Silence"/>.</summary>
    public float this[int band, int column]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)band, (uint)Bands, nameof(band));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)column, (uint)Columns, nameof(column));
            return _decibels[band * Columns + column];
        }
    }

    /// <summary>Computes the spectrogram of a sound in a number of columns that divide its time evenly.</summary>
    /// <param name="sound">The sound.</param>
    /// <param name="columns">How many, 1 to 32768. Where they are farther apart than windows, a column is the mean of several.</param>
    /// <param name="bands">Bands between 0 Hz and half the sampling rate, 1 to 512.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static MelSpectrogram Compute(Waveform sound, int columns, int bands = 96)
    {
        ArgumentNullException.ThrowIfNull(sound);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, 32_768);
        ArgumentOutOfRangeException.ThrowIfLessThan(bands, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bands, 512);
        int size = WindowSize(sound.SamplingRate);
        var fourier = new Fourier(size);
        MelBand[] filters = MelBand.Between(0, sound.SamplingRate / 2.0, bands, sound.SamplingRate / (double)size, size / 2 + 1);
        var decibels = new float[bands * columns];
        var power = new double[size / 2 + 1];
        double hop = (double)sound.Length / columns;
        int windows = (int)Math.Max(1, Math.Ceiling(hop / (size / 2.0)));
        for (int column = 0; column < columns; column++)
        {
            Array.Clear(power);
            for (int i = 0; i < windows; i++)
                fourier.AddPower(sound.Span, (long)((column + (i + 0.5) / windows) * hop), power);
            for (int band = 0; band < bands; band++)
                decibels[band * columns + column] = (float)Math.Max(Silence, 10 * Math.Log10(filters[band].Mean(power) / windows + 1e-30));
        }
        return new MelSpectrogram(bands, columns, decibels, [.. filters.Select(f => f.Centre)]);
    }

    // About 43 ms: two harmonics of a low voice are apart, two syllables too.
    private static int WindowSize(int rate)
    {
        int size = 64;
        while (size < rate / 30 && size < 1 << 16)
            size *= 2;
        return size;
    }
}

/// <summary>A band: weights of neighbouring frequencies with a sum of 1.</summary>
/// <param name="Centre">The frequency of its middle, in Hz.</param>
/// <param name="First">The first frequency's index.</param>
/// <param name="Weights">The weights.</param>
internal sealed record MelBand(double Centre, int First, double[] Weights)
{
    /// <summary>Frequency to mel.</summary>
    public static double ToMel(double frequency) => 2595 * Math.Log10(1 + frequency / 700);

    /// <summary>Mel to frequency.</summary>
    public static double FromMel(double mel) => 700 * (Math.Pow(10, mel / 2595) - 1);

    /// <summary>Bands evenly spaced in mel, each from its lower to its upper neighbour's middle.</summary>
    public static MelBand[] Between(double lowest, double highest, int bands, double spacing, int frequencies)
    {
        double[] edges = [.. Enumerable.Range(0, bands + 2).Select(i => FromMel(ToMel(lowest) + (ToMel(highest) - ToMel(lowest)) * i / (bands + 1)))];
        return [.. Enumerable.Range(1, bands).Select(i => Triangle(edges[i - 1], edges[i], edges[i + 1], spacing, frequencies))];
    }

    /// <summary>The weighted mean.</summary>
    public double Mean(ReadOnlySpan<double> power)
    {
        double sum = 0;
        for (int i = 0; i < Weights.Length; i++)
            sum += Weights[i] * power[First + i];
        return sum;
    }

    // A band that is narrower than the frequencies are apart takes them from its two neighbours.
    private static MelBand Triangle(double left, double centre, double right, double spacing, int frequencies)
    {
        (left, right) = (Math.Min(left, centre - spacing), Math.Max(right, centre + spacing));
        int first = Math.Clamp((int)Math.Floor(left / spacing) + 1, 0, frequencies - 1), last = Math.Clamp((int)Math.Ceiling(right / spacing) - 1, first, frequencies - 1);
        double[] weights = [.. Enumerable.Range(first, last - first + 1).Select(i => i * spacing)
            .Select(f => Math.Max(0, f <= centre ? (f - left) / (centre - left) : (right - f) / (right - centre)))];
        double sum = weights.Sum();
        return new MelBand(centre, first, [.. weights.Select(w => w / sum)]);
    }
}
