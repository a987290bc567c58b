namespace HiggsAudio.Audio;

/// <summary>A low-pass impulse response: a sinc under a Kaiser window (J. F. Kaiser, "Nonrecursive digital filter design", 1974), over continuous time.</summary>
/// <param name="cutoff">The −6 dB point, in units of half the rate that time is counted in.</param>
/// <param name="beta">The window's shape.</param>
/// <param name="windowHalfWidth">Where the window would reach its end, in samples.</param>
internal sealed class KaiserSinc(double cutoff, double beta, double windowHalfWidth)
{
    private readonly double _scale = 1 / BesselI0(beta);

    /// <summary>The value at a time in samples.</summary>
    public double this[double time]
    {
        get
        {
            double y = time / windowHalfWidth;
            if (Math.Abs(y) >= 1)
                return 0;
            double x = Math.PI * time;
            double sinc = Math.Abs(x) < 1e-12 ? cutoff : Math.Sin(cutoff * x) / x;
            return sinc * BesselI0(beta * Math.Sqrt(1 - y * y)) * _scale;
        }
    }

    /// <summary>The modified Bessel function of the first kind and order 0, by its power series.</summary>
    private static double BesselI0(double x)
    {
        double sum = 1, term = 1, quarter = x * x / 4;
        for (int k = 1; term > sum * 1e-17; k++)
        {
            term *= quarter / ((double)k * k);
            sum += term;
        }
        return sum;
    }
}
