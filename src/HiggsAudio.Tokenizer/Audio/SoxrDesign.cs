using System.Numerics;

namespace HiggsAudio.Audio;

/// <summary>
/// The filters of the SoX resampler library's "HQ" recipe (20 bits, linear phase), which librosa uses by default: the same stages, each the
/// same windowed sinc, so that results differ by rounding only. Where the ratio is 4 or more either way, or is not one of small numbers, a
/// stage is of our own design; there the difference is that of two filters with more than 120 dB of rejection.
/// <code>
/// to / from   1/2, 2/3, 3/1 …  one steep filter
///             above 2/3        steep filter to twice the source's rate, then interpolate
///             1/2 … 2/3        interpolate to twice the target's rate, then steep filter
///             1/4 … 1/2        steep filter at the source's rate, then interpolate
///             below 1/4        halve until one of the above is left
///             above 4          one of the above, then multiply the rate by a power of 2
/// </code>
/// The steep filter sets the pass band; the others are short and only have to reject images far from it.
/// Frequencies are parts of half the rate that a stage's filter runs at.
/// </summary>
internal static class SoxrDesign
{
    /// <summary>End of the pass band, as a part of half the lower rate, where the stop band begins.</summary>
    public const double PassBand = 0.9137436532733066;

    private const int LargestExactRatio = 2048;
    private const double RejectionOfOneStage = 21 * 6.020599913279624; // dB: 20 bits, and one for what two ripples add up to
    private const double BetaOfWideTransition = 14.058638741903037;
    // Interpolation may lose 0.01 dB at the end of the pass band; its transition band is wider by this factor.
    private const double Droop = 1.1438861955243003;

    /// <summary>The filters from one rate to another one, in order; the halving ones come first.</summary>
    /// <param name="from">The source's rate, without the common factor.</param>
    /// <param name="to">The target's rate, without the common factor.</param>
    /// <param name="halvings">How many of the stages are halvings.</param>
    public static FilterStage[] Stages(int from, int to, out int halvings)
    {
        halvings = from / to >= 4 ? BitOperations.Log2((uint)(from / to / 2)) : 0;
        int multiplier = Multiplier((double)to / from);
        (long up, long down) = Reduce((long)to << halvings, (long)from * multiplier);
        bool simple = Math.Max(up, down) < 5 || up * down < 6;
        // What several stages let through adds up.
        double rejection = RejectionOfOneStage + Decibels(halvings + 1 + (multiplier > 1 ? 1 : 0)) + (simple ? 0 : Decibels(2));

        List<FilterStage> stages = [.. Enumerable.Repeat(HalfBand(rejection), halvings)];
        AddCore(stages, (int)up, (int)down, simple, rejection);
        if (multiplier > 1)
            stages.Add(MultiplyingFilter(multiplier, (double)up / down, rejection));
        return [.. stages];
    }

    private static void AddCore(List<FilterStage> stages, int up, int down, bool simple, double rejection)
    {
        double ratio = (double)down / up;
        if (simple)
        {
            stages.Add(SteepFilter(up, down, Math.Max(up, down), rejection));
        }
        else if (ratio <= 1.5)
        {
            double band = Math.Max(1, ratio) * 2;
            stages.Add(SteepFilter(2, 1, band, rejection));
            stages.Add(Interpolator(up, 2L * down, PassBand / band, ImagesBegin(band), evenTaps: ratio > 1));
        }
        else if (ratio < 2)
        {
            stages.Add(Interpolator(2L * up, down, PassBand / ratio, 3 / ratio, evenTaps: false));
            stages.Add(SteepFilter(1, 2, 2, rejection));
        }
        else
        {
            stages.Add(SteepFilter(1, 1, ratio, rejection));
            stages.Add(Interpolator(up, down, PassBand / ratio, ImagesBegin(ratio), evenTaps: true));
        }
    }

    /// <summary>Where the images of a band that a steep filter has limited begin to matter: 0.7 of the way through its transition.</summary>
    private static double ImagesBegin(double band) => 2 - (0.3 * PassBand + 0.7) / band;

    /// <summary>The filter that sets the pass band.</summary>
    /// <param name="up">Factor from the source's rate to the one that the filter runs at.</param>
    /// <param name="down">Factor from there to the target's rate.</param>
    /// <param name="band">The filter's rate divided by the lower rate.</param>
    /// <param name="rejection">Stop-band rejection in decibels.</param>
    private static PolyphaseStage SteepFilter(int up, int down, double band, double rejection)
    {
        double halfTransition = (1 - PassBand) / band / 2, beta = Beta(rejection);
        return Centered(up, down, 1 / band - halfTransition, beta, Taps(beta, halfTransition, BitOperations.IsPow2(up) && band == up ? 2 * up : 4));
    }

    /// <summary>Resamples by any ratio a signal that leaves room between its band and the band's images.</summary>
    private static FilterStage Interpolator(long up, long down, double passBand, double stopBand, bool evenTaps)
    {
        (up, down) = Reduce(up, down);
        passBand = stopBand - (stopBand - passBand) * Droop;
        double halfTransition = Math.Min(stopBand - passBand, stopBand) / 2;
        bool exact = up <= LargestExactRatio;
        long phases = exact ? Math.Max(up, 19) : LargestExactRatio;
        int taps = (int)(Math.Ceiling(TapFactor(BetaOfWideTransition) * phases / halfTransition + 1) / phases) + 1;
        if (evenTaps)
            taps += taps & 1;
        phases = !exact ? LargestExactRatio : taps % 2 == 1 && up % 2 == 1 ? 2 * up : up;

        double halfWidth = (taps * phases - 2) / 2.0;
        var kernel = new KaiserSinc(stopBand - halfTransition, BetaOfWideTransition, (halfWidth + 0.75) / phases);
        return exact
            ? new PolyphaseStage((int)up, (int)down, t => kernel[t], halfWidth / phases)
            : new InterpolatedStage((int)up, (int)down, t => kernel[t], halfWidth / phases);
    }

    /// <summary>Multiplies the rate of a signal whose band ends at <paramref name="room"/> times below half of it.</summary>
    private static PolyphaseStage MultiplyingFilter(int factor, double room, double rejection)
    {
        double passBand = PassBand / room / factor, stopBand = Math.Max(2 - 1 / room, 1) / factor;
        double halfTransition = (stopBand - passBand) / 2, cutoff = stopBand - halfTransition;
        double beta = Beta(rejection) + Math.Clamp(1.42 * (halfTransition / cutoff / 2 - 0.0227), 0, 0.347); // measured
        return Centered(factor, 1, cutoff, beta, Taps(beta, halfTransition, 2 * factor));
    }

    /// <summary>Halves the rate of a signal of which a quarter of the band is wanted.</summary>
    private static PolyphaseStage HalfBand(double rejection) =>
        rejection < 136.5 ? Centered(1, 2, 0.5, beta: 13.3, taps: 35, inset: 0.25) : Centered(1, 2, 0.5, beta: 14.7, taps: 39, inset: 0.25);

    /// <summary>An odd number of taps, symmetric around an input sample.</summary>
    private static PolyphaseStage Centered(int up, int down, double cutoff, double beta, int taps, double inset = 0)
    {
        var kernel = new KaiserSinc(cutoff, beta, taps / 2.0 - inset);
        return new PolyphaseStage(up, down, t => up * kernel[up * t], (taps - 1) / 2.0 / up);
    }

    private static int Taps(double beta, double halfTransition, int multiple) =>
        ((int)Math.Ceiling(TapFactor(beta) / halfTransition + 1) + multiple - 2) / multiple * multiple + 1;

    /// <summary>Half the transition band's width times the number of taps, measured.</summary>
    private static double TapFactor(double beta) => (6.88868e-5 * (beta - 14) + 0.636590894) * (beta - 14) + 8.91337154;

    /// <summary>The window's shape for a rejection in decibels, measured for the transition band that <see cref="PassBand"/> leaves.</summary>
    private static double Beta(double rejection) => (1.11568295e-5 * (rejection - 132) + 0.111535392) * (rejection - 132) + 13.6606535;

    /// <summary>The factor of the last stage: 1 up to a ratio of 4, and for 5.</summary>
    private static int Multiplier(double ratio) =>
        ratio is <= 4 or 5 ? 1 : 1 << Math.Clamp(BitOperations.Log2((uint)(ratio / 16) | 1) + 2, 2, 8);

    private static double Decibels(double factor) => 20 * Math.Log10(factor);

    private static (long Up, long Down) Reduce(long up, long down)
    {
        long divisor = (long)BigInteger.GreatestCommonDivisor(up, down);
        return (up / divisor, down / divisor);
    }
}
