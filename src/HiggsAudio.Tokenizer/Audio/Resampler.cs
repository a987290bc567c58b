using System.Buffers;
using System.Numerics;
using HiggsAudio.Audio;

namespace HiggsAudio;

/// <summary>
/// Changes the sampling rate of mono audio, with one of two methods: <see cref="HighQuality"/> (soxr HQ, librosa's default) or
/// <see cref="SincHann"/> (torchaudio's default). The signal is taken as zero outside its samples. Immutable and thread-safe.
/// </summary>
public sealed class Resampler
{
    /// <summary>The highest sampling rate, in Hz; the lowest is 1.</summary>
    public const int MaxSamplingRate = 768_000;

    private const int Block = 16384; // outputs at a time: what lies between the stages stays in the cache

    private readonly FilterStage[] _stages;
    private readonly int _halvings;
    private readonly bool _exactLength;

    private Resampler(int sourceRate, int targetRate, FilterStage[] stages, int halvings, bool exactLength)
    {
        SourceRate = sourceRate;
        TargetRate = targetRate;
        _stages = stages;
        _halvings = halvings;
        _exactLength = exactLength;
    }

    /// <summary>The rate of the samples that go in, in Hz.</summary>
    public int SourceRate { get; }

    /// <summary>The rate of the samples that come out, in Hz.</summary>
    public int TargetRate { get; }

    /// <summary>
    /// The resampler for music and speech: linear phase, flat to 0.01 dB up to 0.913 of the lower rate's half, images and aliases rejected by
    /// more than 120 dB. Equal to librosa's <c>resample</c> with its default <c>soxr_hq</c>, its output length and its last sample (which is
    /// zero where the length was rounded up) included.
    /// </summary>
    /// <param name="sourceRate">1 to <see cref="MaxSamplingRate"/> Hz.</param>
    /// <param name="targetRate">1 to <see cref="MaxSamplingRate"/> Hz.</param>
    /// <exception cref="ArgumentOutOfRangeException">A rate is out of range.</exception>
    public static Resampler HighQuality(int sourceRate, int targetRate)
    {
        (int up, int down) = Ratio(sourceRate, targetRate);
        int halvings = 0;
        FilterStage[] stages = up == down ? [] : SoxrDesign.Stages(down, up, out halvings);
        return new Resampler(sourceRate, targetRate, stages, halvings, exactLength: false);
    }

    /// <summary>
    /// The resampler of <c>torchaudio.functional.resample</c> with its default method <c>sinc_interp_hann</c>: a short filter, with which the
    /// codec's semantic model was trained. The output has ceil(n · target / source) samples.
    /// </summary>
    /// <param name="sourceRate">1 to <see cref="MaxSamplingRate"/> Hz.</param>
    /// <param name="targetRate">1 to <see cref="MaxSamplingRate"/> Hz.</param>
    /// <param name="lowpassFilterWidth">Zero crossings of the sinc on each side: 1 to 64.</param>
    /// <param name="rolloff">The cut-off frequency as a part of half the lower rate: above 0, at most 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of range.</exception>
    public static Resampler SincHann(int sourceRate, int targetRate, int lowpassFilterWidth = 6, double rolloff = 0.99)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lowpassFilterWidth, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lowpassFilterWidth, 64);
        if (!(rolloff is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(rolloff), rolloff, "The roll-off must be above 0 and at most 1.");
        (int up, int down) = Ratio(sourceRate, targetRate);
        double cutoff = Math.Min(up, down) * rolloff; // zero crossings of a period
        double Weight(int phase, int input) =>
            SincHannKernel(((float)-phase / up + (float)input / down) * (float)cutoff, lowpassFilterWidth) * (float)(cutoff / down);
        FilterStage[] stages = up == down ? [] : [new PolyphaseStage(up, down, Weight, lowpassFilterWidth / cutoff * down)];
        return new Resampler(sourceRate, targetRate, stages, halvings: 0, exactLength: true);
    }

    /// <summary>torchaudio's kernel before its scale, in single precision like there: a sinc under cos², at a time in zero crossings.</summary>
    private static float SincHannKernel(float time, int lowpassFilterWidth)
    {
        float t = Math.Clamp(time, -lowpassFilterWidth, lowpassFilterWidth);
        float window = MathF.Cos(t * MathF.PI / lowpassFilterWidth / 2);
        t *= MathF.PI;
        return (t == 0 ? 1 : MathF.Sin(t) / t) * (window * window);
    }

    /// <summary>The number of samples that <see cref="Resample(ReadOnlySpan{float})"/> makes of <paramref name="length"/> samples: ceil(length · target / source).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative, or the result is too long for an array.</exception>
    public int OutputLength(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        // librosa multiplies by the rounded quotient: 11,025 samples at 44.1 kHz are 6,001 at 24 kHz.
        double output = _exactLength
            ? (double)(((long)length * TargetRate + SourceRate - 1) / SourceRate)
            : Math.Ceiling(length * ((double)TargetRate / SourceRate));
        if (output > Array.MaxLength)
            throw new ArgumentOutOfRangeException(nameof(length), length, $"{length} samples at {SourceRate} Hz are too many to resample to {TargetRate} Hz at once.");
        return (int)output;
    }

    /// <summary>Resamples a whole signal.</summary>
    /// <param name="samples">Finite samples.</param>
    /// <returns><see cref="OutputLength"/> samples, a new array.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The result is too long for an array.</exception>
    public float[] Resample(ReadOnlySpan<float> samples)
    {
        var output = new float[OutputLength(samples.Length)];
        if (_stages.Length == 0)
        {
            samples.CopyTo(output);
            return output;
        }

        int made = _exactLength ? output.Length : (int)Math.Min(output.Length, (long)((double)samples.Length * TargetRate / SourceRate + 0.5));
        for (int i = 0; i < _halvings; i++)
            samples = Halve(_stages[i], samples);
        RenderAll(_stages.AsSpan(_halvings), samples, output.AsSpan(0, made));
        return output;
    }

    /// <summary>The whole output of a halving stage: until the last input sample has left the filter.</summary>
    private static float[] Halve(FilterStage stage, ReadOnlySpan<float> samples)
    {
        var output = new float[(samples.Length + stage.Taps) / 2];
        RenderAll([stage], samples, output);
        return output;
    }

    /// <summary>Computes the first outputs of the last of some stages, block by block.</summary>
    private static void RenderAll(ReadOnlySpan<FilterStage> stages, ReadOnlySpan<float> source, Span<float> output)
    {
        int block = (int)Math.Clamp((long)Block * 16 * stages[^1].Up / stages[^1].Down, 1, Block);
        for (int first = 0; first < output.Length; first += Math.Min(block, output.Length - first))
            Render(stages, source, first, output.Slice(first, Math.Min(block, output.Length - first)));
    }

    /// <summary>Computes consecutive outputs of the last of some stages; what a stage has before its first output and the source outside its samples is zero.</summary>
    private static void Render(ReadOnlySpan<FilterStage> stages, ReadOnlySpan<float> source, long first, Span<float> output)
    {
        if (stages.IsEmpty)
        {
            int start = (int)Math.Min(first, source.Length), count = Math.Min(output.Length, source.Length - start);
            source.Slice(start, count).CopyTo(output);
            output[count..].Clear();
            return;
        }

        FilterStage stage = stages[^1];
        long firstInput = stage.FirstInput(first);
        int length = stage.InputLength(first, output.Length);
        float[] buffer = ArrayPool<float>.Shared.Rent(length);
        Span<float> input = buffer.AsSpan(0, length);
        int outside = (int)Math.Clamp(-firstInput, 0, length);
        input[..outside].Clear();
        if (outside < length)
            Render(stages[..^1], source, firstInput + outside, input[outside..]);
        stage.Apply(input, first, output);
        ArrayPool<float>.Shared.Return(buffer);
    }

    private static (int Up, int Down) Ratio(int sourceRate, int targetRate)
    {
        CheckRate(sourceRate, nameof(sourceRate));
        CheckRate(targetRate, nameof(targetRate));
        int divisor = (int)BigInteger.GreatestCommonDivisor(sourceRate, targetRate);
        return (targetRate / divisor, sourceRate / divisor);
    }

    /// <summary>Refuses a sampling rate that is out of range.</summary>
    internal static void CheckRate(int rate, string parameter)
    {
        if (rate is < 1 or > MaxSamplingRate)
            throw new ArgumentOutOfRangeException(parameter, rate, $"A sampling rate is 1 to {MaxSamplingRate} Hz.");
    }
}
