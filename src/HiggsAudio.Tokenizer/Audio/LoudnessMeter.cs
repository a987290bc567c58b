namespace HiggsAudio;

/// <summary>
/// Loudness of programmes as ITU-R BS.1770-4 and EBU R 128 define it: K-weighted, in blocks of 400 ms every 100 ms, without the blocks below
/// −70 LUFS and then without those 10 LU below the mean of the rest.
/// </summary>
public static class LoudnessMeter
{
    /// <summary>The lowest sampling rate that can be measured, in Hz.</summary>
    public const int MinSamplingRate = 8000;

    private const double AbsoluteGate = -70, RelativeGate = -10, Offset = -0.691;
    private const int HopsPerBlock = 4;

    /// <summary>The integrated loudness of a waveform in LUFS. Mono is one loudspeaker: it measures 3 LU less than the same signal in both channels of stereo.</summary>
    /// <returns>LUFS; negative infinity for silence. Audio shorter than a block of 400 ms is one block.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The sampling rate is below <see cref="MinSamplingRate"/>.</exception>
    public static double IntegratedLoudness(Waveform waveform)
    {
        ArgumentNullException.ThrowIfNull(waveform);
        return Integrate(HopEnergies(waveform.Span, waveform.SamplingRate));
    }

    /// <summary>The integrated loudness of stereo audio in LUFS.</summary>
    /// <param name="left">The left channel.</param>
    /// <param name="right">The right channel.</param>
    /// <param name="samplingRate">At least <see cref="MinSamplingRate"/> Hz.</param>
    /// <returns>LUFS; negative infinity for silence. Audio shorter than a block of 400 ms is one block.</returns>
    /// <exception cref="ArgumentException">The channels differ in length.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The sampling rate is too low.</exception>
    public static double IntegratedLoudness(ReadOnlySpan<float> left, ReadOnlySpan<float> right, int samplingRate)
    {
        if (left.Length != right.Length)
            throw new ArgumentException($"Expected channels of one length, found {left.Length} and {right.Length} samples.", nameof(right));
        double[] energies = HopEnergies(left, samplingRate), other = HopEnergies(right, samplingRate);
        for (int i = 0; i < energies.Length; i++)
            energies[i] += other[i];
        return Integrate(energies);
    }

    /// <summary>Mean squares of the K-weighted signal over 100 ms each; a last incomplete hop is left out unless there is less than a block.</summary>
    private static double[] HopEnergies(ReadOnlySpan<float> samples, int samplingRate)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samplingRate, MinSamplingRate);
        int hop = (samplingRate + 5) / 10;
        if (samples.Length < HopsPerBlock * hop)
            hop = Math.Max(1, samples.Length); // one block, of one hop
        Biquad shelf = Biquad.Shelf(samplingRate), highPass = Biquad.HighPass(samplingRate);
        var energies = new double[samples.Length / hop];
        for (int i = 0; i < energies.Length; i++)
        {
            double sum = 0;
            foreach (float sample in samples.Slice(i * hop, hop))
            {
                double weighted = highPass.Next(shelf.Next(sample));
                sum += weighted * weighted;
            }
            energies[i] = sum / hop;
        }
        return energies;
    }

    private static double Integrate(double[] hops)
    {
        int perBlock = Math.Min(HopsPerBlock, hops.Length);
        var blocks = new double[hops.Length == 0 ? 0 : hops.Length - perBlock + 1];
        for (int i = 0; i < blocks.Length; i++)
            blocks[i] = hops.AsSpan(i, perBlock).ToArray().Average();
        return Loudness(MeanAbove(blocks, Loudness(MeanAbove(blocks, AbsoluteGate)) + RelativeGate));
    }

    /// <summary>The mean of the blocks above both a gate and the absolute one; 0 if there is none.</summary>
    private static double MeanAbove(double[] blocks, double gate)
    {
        double threshold = Math.Pow(10, (Math.Max(gate, AbsoluteGate) - Offset) / 10), sum = 0;
        int count = 0;
        foreach (double block in blocks)
            if (block > threshold)
            {
                sum += block;
                count++;
            }
        return count == 0 ? 0 : sum / count;
    }

    private static double Loudness(double energy) => Offset + 10 * Math.Log10(energy);

    /// <summary>
    /// A second-order filter. The standard gives its two as numbers for 48 kHz; here they are the analogue filters that these come from by the
    /// bilinear transform, for any rate.
    /// </summary>
    internal struct Biquad
    {
        private double _z1, _z2;

        /// <summary>Numerator.</summary>
        public double B0, B1, B2;

        /// <summary>Denominator after its leading 1.</summary>
        public double A1, A2;

        /// <summary>The head's effect: 4 dB more above 1.7 kHz.</summary>
        public static Biquad Shelf(int samplingRate)
        {
            const double Frequency = 1681.974450955533, Quality = 0.7071752369554196;
            double k = Math.Tan(Math.PI * Frequency / samplingRate), high = Math.Pow(10, 3.999843853973347 / 20), middle = Math.Pow(high, 0.4996667741545416);
            double a0 = 1 + k / Quality + k * k;
            return new Biquad
            {
                B0 = (high + middle * k / Quality + k * k) / a0,
                B1 = 2 * (k * k - high) / a0,
                B2 = (high - middle * k / Quality + k * k) / a0,
                A1 = 2 * (k * k - 1) / a0,
                A2 = (1 - k / Quality + k * k) / a0,
            };
        }

        /// <summary>Less below 38 Hz; not normalised, as in the standard.</summary>
        public static Biquad HighPass(int samplingRate)
        {
            const double Frequency = 38.13547087602444, Quality = 0.5003270373238773;
            double k = Math.Tan(Math.PI * Frequency / samplingRate), a0 = 1 + k / Quality + k * k;
            return new Biquad { B0 = 1, B1 = -2, B2 = 1, A1 = 2 * (k * k - 1) / a0, A2 = (1 - k / Quality + k * k) / a0 };
        }

        /// <summary>Filters a sample (transposed direct form II).</summary>
        public double Next(double x)
        {
            double y = B0 * x + _z1;
            _z1 = B1 * x - A1 * y + _z2;
            _z2 = B2 * x - A2 * y;
            return y;
        }
    }
}
