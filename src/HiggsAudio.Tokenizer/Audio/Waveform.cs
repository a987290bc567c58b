using System.Numerics;
using HiggsAudio.Audio;

namespace HiggsAudio;

/// <summary>
/// Mono audio: samples (full scale is ±1) and their rate. Immutable and thread-safe. Every sample is a finite number: this is checked where
/// audio enters, in the constructor and when a file is read.
/// </summary>
public sealed class Waveform
{
    /// <summary>Copies samples.</summary>
    /// <param name="samples">Finite numbers; full scale is ±1, but values beyond are kept.</param>
    /// <param name="samplingRate">1 to <see cref="Resampler.MaxSamplingRate"/> Hz.</param>
    /// <exception cref="ArgumentException">A sample is not a finite number; the message names the first one.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The sampling rate is out of range.</exception>
    public Waveform(ReadOnlySpan<float> samples, int samplingRate) : this(samples.ToArray().AsMemory(), samplingRate) =>
        CheckFinite(samples, nameof(samples));

    private Waveform(ReadOnlyMemory<float> samples, int samplingRate)
    {
        Resampler.CheckRate(samplingRate, nameof(samplingRate));
        Samples = samples;
        SamplingRate = samplingRate;
    }

    /// <summary>The samples.</summary>
    public ReadOnlyMemory<float> Samples { get; }

    /// <summary>The samples.</summary>
    public ReadOnlySpan<float> Span => Samples.Span;

    /// <summary>The number of samples.</summary>
    public int Length => Samples.Length;

    /// <summary>Samples a second, in Hz.</summary>
    public int SamplingRate { get; }

    /// <summary>How long it is.</summary>
    public TimeSpan Duration => new(Length * TimeSpan.TicksPerSecond / SamplingRate);

    /// <summary>The largest magnitude of a sample; 0 if there is none.</summary>
    public float Peak
    {
        get
        {
            float peak = 0;
            foreach (float sample in Span)
                peak = Math.Max(peak, Math.Abs(sample));
            return peak;
        }
    }

    /// <summary>The root of the mean square; 0 if there is no sample.</summary>
    public float Rms
    {
        get
        {
            double sum = 0;
            foreach (float sample in Span)
                sum += (double)sample * sample;
            return Length == 0 ? 0 : (float)Math.Sqrt(sum / Length);
        }
    }

    /// <summary>
    /// Reads a WAV file: PCM of 8 to 32 bits, floating point of 32 or 64 bits, A-law or µ-law, at any rate up to
    /// <see cref="Resampler.MaxSamplingRate"/>; several channels give their mean. Nothing is resampled. A file that ends early gives the
    /// samples that are there.
    /// </summary>
    /// <exception cref="AudioFormatException">It is not a WAV file, of a kind that is not supported, broken, too long, or holds a sample that is not a finite number.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Waveform Load(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 65536, FileOptions.SequentialScan);
        try
        {
            return Load(stream);
        }
        catch (AudioFormatException e)
        {
            throw new AudioFormatException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Reads a WAV file from a stream, from its position on; it need not be able to seek, and is left open somewhere after the samples.</summary>
    /// <inheritdoc cref="Load(string)"/>
    public static Waveform Load(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        (float[] samples, int samplingRate) = WavFile.ReadMono(stream);
        return Own(samples, samplingRate);
    }

    /// <summary>Makes a waveform, without copying, of samples that nobody will write to any more.</summary>
    /// <exception cref="ArgumentException">A sample is not a finite number.</exception>
    internal static Waveform Own(ReadOnlyMemory<float> samples, int samplingRate)
    {
        CheckFinite(samples.Span, nameof(samples));
        return new Waveform(samples, samplingRate);
    }

    /// <summary>Joins waveforms of the same sampling rate.</summary>
    /// <exception cref="ArgumentException">There is none, or the sampling rates differ.</exception>
    public static Waveform Concatenate(params IReadOnlyCollection<Waveform> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Count == 0)
            throw new ArgumentException("There is no waveform to join: the sampling rate is not known.", nameof(parts));
        int samplingRate = parts.First().SamplingRate, length = 0;
        foreach (Waveform part in parts)
        {
            if (part.SamplingRate != samplingRate)
                throw new ArgumentException($"A waveform of {part.SamplingRate} Hz cannot follow one of {samplingRate} Hz: resample it first.", nameof(parts));
            length = checked(length + part.Length);
        }
        var samples = new float[length];
        Span<float> rest = samples;
        foreach (Waveform part in parts)
        {
            part.Span.CopyTo(rest);
            rest = rest[part.Length..];
        }
        return Own(samples, samplingRate);
    }

    /// <summary>Resamples, with <see cref="Resampler.HighQuality"/>.</summary>
    /// <param name="samplingRate">1 to <see cref="Resampler.MaxSamplingRate"/> Hz.</param>
    /// <returns>This waveform, if it has that rate.</returns>
    public Waveform ResampleTo(int samplingRate) =>
        samplingRate == SamplingRate ? this : Own(Resampler.HighQuality(SamplingRate, samplingRate).Resample(Span), samplingRate);

    /// <summary>Scales it to a loudness (<see cref="LoudnessMeter"/>), or as near to it as the limit of its peak allows. Silence stays as it is.</summary>
    /// <param name="targetLufs">The integrated loudness in LUFS; −70 to 0.</param>
    /// <param name="peakLimit">The largest magnitude that a sample may get; above 0. 1 is full scale.</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of range, or the sampling rate too low to measure.</exception>
    public Waveform NormalizeLoudness(double targetLufs, float peakLimit = 1)
    {
        if (!(targetLufs is >= -70 and <= 0))
            throw new ArgumentOutOfRangeException(nameof(targetLufs), targetLufs, "The loudness must be −70 to 0 LUFS.");
        if (!(peakLimit > 0 && float.IsFinite(peakLimit)))
            throw new ArgumentOutOfRangeException(nameof(peakLimit), peakLimit, "The limit of the peak must be a number above 0.");
        double loudness = LoudnessMeter.IntegratedLoudness(this);
        if (double.IsNegativeInfinity(loudness))
            return this;
        double gain = Math.Min(Math.Pow(10, (targetLufs - loudness) / 20), (double)peakLimit / Peak);
        ReadOnlySpan<float> source = Span;
        var samples = new float[Length];
        for (int i = 0; i < samples.Length; i++)
            samples[i] = (float)(source[i] * gain);
        return Own(samples, SamplingRate);
    }

    /// <summary>A part of it, without copying. Times are rounded to samples; a part that goes beyond the end ends there.</summary>
    /// <param name="offset">Where it begins: 0 to <see cref="Duration"/>.</param>
    /// <param name="duration">How long it is; not negative.</param>
    /// <exception cref="ArgumentOutOfRangeException">The offset is outside the waveform, or the duration is negative.</exception>
    public Waveform Slice(TimeSpan offset, TimeSpan duration)
    {
        if (offset < TimeSpan.Zero || offset > Duration)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"The offset must be in the waveform, from 0 to {Duration}.");
        ArgumentOutOfRangeException.ThrowIfLessThan(duration, TimeSpan.Zero);
        int start = ToSamples(offset);
        int end = duration >= Duration - offset ? Length : ToSamples(offset + duration);
        return new Waveform(Samples[start..end], SamplingRate);
    }

    /// <summary>Writes a WAV file. The file appears, or is replaced, when it is complete.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void SaveWav(string path, WavFormat format = WavFormat.Pcm16)
    {
        WavHeader.Check(SamplingRate, format);
        string temporary = $"{path}.{System.IO.Path.GetRandomFileName()}";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
                SaveWav(stream, format);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Writes a WAV file to a stream, which need not be able to seek and is left open.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public void SaveWav(Stream stream, WavFormat format = WavFormat.Pcm16)
    {
        ArgumentNullException.ThrowIfNull(stream);
        WavHeader.Check(SamplingRate, format);
        WavHeader.Write(stream, SamplingRate, format, Length);
        WavWriter.WriteSamples(stream, Span, format);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Duration.TotalSeconds:0.000} s at {SamplingRate} Hz";

    /// <summary>The index of the first sample that is not a finite number; −1 if there is none.</summary>
    internal static int IndexOfNonFinite(ReadOnlySpan<float> samples)
    {
        int i = 0;
        for (; i <= samples.Length - Vector<float>.Count; i += Vector<float>.Count)
            if (!Vector.LessThanAll(Vector.Abs(new Vector<float>(samples[i..])), new Vector<float>(float.PositiveInfinity)))
                break;
        for (; i < samples.Length; i++)
            if (!float.IsFinite(samples[i]))
                return i;
        return -1;
    }

    /// <summary>Refuses samples that are not finite numbers.</summary>
    internal static void CheckFinite(ReadOnlySpan<float> samples, string parameter)
    {
        int index = IndexOfNonFinite(samples);
        if (index >= 0)
            throw new ArgumentException($"Expected finite samples, found {samples[index]} at index {index}.", parameter);
    }

    private int ToSamples(TimeSpan time) => (int)Math.Min(Length, Math.Round(time.TotalSeconds * SamplingRate));
}
