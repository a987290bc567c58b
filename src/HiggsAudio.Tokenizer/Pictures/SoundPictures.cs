using System.Globalization;

namespace HiggsAudio.Pictures;

/// <summary>Draws sound: as a waveform, as a mel spectrogram, as the codes of the codec. All have the same axis of time, and can be stacked.</summary>
public static class SoundPictures
{
    private static readonly int[] Frequencies = [125, 250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000];

    /// <summary>The waveform: the range of every column in one tone, its root mean square in another.</summary>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static Picture DrawWaveform(Waveform sound, PictureOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(sound);
        var panel = new Panel(options ?? new PictureOptions());
        float peak = Math.Max(sound.Peak, 0.01f), scale = peak > 1 ? peak : NextStep(peak);
        foreach (float level in (ReadOnlySpan<float>)[-1, -0.5f, 0, 0.5f, 1])
        {
            panel.Fill(0, Row(level), panel.Width, 1, panel.Grid);
            panel.Label(string.Create(CultureInfo.InvariantCulture, $"{level * scale:0.##}"), Row(level));
        }
        for (int x = 0; x < panel.Width && sound.Length > 0; x++)
        {
            int first = (int)((long)sound.Length * x / panel.Width), last = (int)Math.Max(first + 1, (long)sound.Length * (x + 1) / panel.Width);
            (float low, float high, double squares) = (float.MaxValue, float.MinValue, 0);
            foreach (float sample in sound.Span[first..Math.Min(last, sound.Length)])
                (low, high, squares) = (Math.Min(low, sample), Math.Max(high, sample), squares + (double)sample * sample);
            float rms = (float)Math.Sqrt(squares / (last - first));
            Bar(x, low, high, panel.Accent);
            Bar(x, Math.Max(low, -rms), Math.Min(high, rms), panel.Strong);
        }
        panel.TimeAxis(sound.Duration.TotalSeconds);
        return panel.Picture;

        int Row(float level) => (int)Math.Round((1 - level) / 2 * (panel.Height - 1));

        void Bar(int x, float low, float high, Rgb colour)
        {
            if (low <= high)
                panel.Fill(x, Row(high / scale), 1, Row(low / scale) - Row(high / scale) + 1, colour);
        }
    }

    /// <summary>The mel spectrogram (<see cref="MelSpectrogram"/>), high pitches on top.</summary>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static Picture DrawMelSpectrogram(Waveform sound, PictureOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(sound);
        options ??= new PictureOptions();
        var panel = new Panel(options);
        int bands = Math.Min(panel.Height, 512);
        MelSpectrogram spectrogram = MelSpectrogram.Compute(sound, panel.Width, bands);
        float loudest = MelSpectrogram.Silence + options.DynamicRange;   // silence is dark, however quiet
        for (int band = 0; band < bands; band++)
            for (int x = 0; x < panel.Width; x++)
                loudest = Math.Max(loudest, spectrogram[band, x]);
        for (int y = 0; y < panel.Height; y++)
        {
            int band = bands - 1 - (int)((long)y * bands / panel.Height);
            for (int x = 0; x < panel.Width; x++)
                panel.Fill(x, y, 1, 1, ColorMap.Ember[1 + (spectrogram[band, x] - loudest) / options.DynamicRange]);
        }
        double highest = MelBand.ToMel(sound.SamplingRate / 2.0);
        foreach (int frequency in Frequencies)
            if (frequency < sound.SamplingRate / 2.0)
                panel.Label(frequency < 1000 ? $"{frequency}" : $"{frequency / 1000}k", (int)((1 - MelBand.ToMel(frequency) / highest) * (panel.Height - 1)));
        panel.TimeAxis(sound.Duration.TotalSeconds);
        return panel.Picture;
    }

    /// <summary>The codes: a column for a frame, a row for a codebook, the coarsest on top; a colour for a code. Codes have no order: neighbours in colour may sound unlike.</summary>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static Picture DrawCodes(AudioCodes codes, PictureOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(codes);
        options ??= new PictureOptions();
        var panel = new Panel(options);
        for (int q = 0; q < codes.Codebooks; q++)
        {
            int top = (int)((long)panel.Height * q / codes.Codebooks), height = (int)((long)panel.Height * (q + 1) / codes.Codebooks) - top;
            int line = height > 6 ? 1 : 0;
            for (int x = 0; x < panel.Width && codes.Frames > 0; x++)
            {
                int code = codes[q, (int)((long)codes.Frames * x / panel.Width)];
                panel.Fill(x, top, 1, height - line, code < options.CodebookSize ? ColorMap.Meadow[code / (options.CodebookSize - 1.0)] : panel.Ink);
            }
            if (height >= PixelFont.Height + 2 || q % 8 == 0)
                panel.Label(q.ToString(CultureInfo.InvariantCulture), top + height / 2);
        }
        panel.TimeAxis(codes.Duration?.TotalSeconds ?? 0);
        return panel.Picture;
    }

    /// <summary>Waveform, mel spectrogram and, where they are given, codes of the same sound, below each other.</summary>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static Picture DrawAll(Waveform sound, AudioCodes? codes = null, PictureOptions? options = null)
    {
        List<Picture> pictures = [DrawWaveform(sound, options), DrawMelSpectrogram(sound, options)];
        if (codes is not null)
            pictures.Add(DrawCodes(codes, options));
        return Picture.Stack(pictures[0][0, 0], pictures);
    }

    // The scale of a quiet sound: 1, 0.5, 0.2, 0.1 …
    private static float NextStep(float peak)
    {
        foreach (float step in (ReadOnlySpan<float>)[0.01f, 0.02f, 0.05f, 0.1f, 0.2f, 0.5f])
            if (peak <= step)
                return step;
        return 1;
    }
}
