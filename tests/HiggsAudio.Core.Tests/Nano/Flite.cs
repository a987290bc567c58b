using System.Globalization;

namespace HiggsAudio.Core.Tests.Nano;

/// <summary>
/// The synthesizer whose voices the nano voice was trained on, and what the training recipe (<c>training/nano/speech.py</c>) does with its sound.
/// </summary>
internal static class Flite
{
    private const int CodecRate = 24000, CodecHop = 960;

    public const string NotInstalled = "the synthesizer is not installed (Debian: flite)";

    public static bool IsInstalled { get; } = ExternalProgram.IsOnPath("flite");

    // Name of the voice in flite, and how much slower than its own the recipe lets it speak.
    private static readonly Dictionary<string, (string Name, string Stretch)> Voices = new()
    {
        ["feminine"] = ("slt", "1.1"),
        ["masculine"] = ("rms", "1.0"),
        ["scottish"] = ("awb", "1.1"),
    };

    /// <summary>Says it, and prepares the sound as training sounds were: silence cut, level, rate, whole frames of the codec.</summary>
    public static Waveform Say(string text, string voice) => ExternalProgram.InFolder(folder =>
    {
        (string name, string stretch) = Voices[voice];
        string wav = Path.Combine(folder, "speech.wav");
        string phones = ExternalProgram.Run("flite", folder, "-voice", name, "--setf", $"duration_stretch={stretch}", "-psdur", "-t", text, "-o", wav);
        Waveform sound = Level(Trim(Waveform.Load(wav), phones)).ResampleTo(CodecRate);
        var samples = new float[(sound.Length + CodecHop - 1) / CodecHop * CodecHop];
        sound.Span.CopyTo(samples);
        return new Waveform(samples, CodecRate);
    });

    // "pau:0.180 hh:0.281 … pau:2.393": phones and their ends. 60 ms stay before the first that is no pause, 120 ms after the last.
    private static Waveform Trim(Waveform sound, string phones)
    {
        (string Phone, double End)[] all = [.. phones.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Where(item => item.Contains(':', StringComparison.Ordinal)).Select(item => item.Split(':')).Select(parts => (parts[0], double.Parse(parts[1], CultureInfo.InvariantCulture)))];
        double first = all[0].Phone == "pau" ? all[0].End : 0, last = all[^1].Phone == "pau" ? all[^2].End : sound.Duration.TotalSeconds;
        int start = (int)(Math.Max(0, first - 0.06) * sound.SamplingRate), end = (int)(Math.Min(sound.Duration.TotalSeconds, last + 0.12) * sound.SamplingRate);
        return new Waveform(sound.Span[start..end], sound.SamplingRate);
    }

    // To a root mean square of 0.09, as far as no peak gets over 0.9, and faded in and out within 10 ms.
    private static Waveform Level(Waveform sound)
    {
        float gain = Math.Min(0.09f / sound.Rms, 0.9f / sound.Peak);
        float[] samples = [.. sound.Span.ToArray().Select(sample => sample * gain)];
        int fade = sound.SamplingRate / 100;
        for (int i = 0; i < fade; i++)
        {
            samples[i] *= i / (fade - 1f);
            samples[^(i + 1)] *= i / (fade - 1f);
        }
        return new Waveform(samples, sound.SamplingRate);
    }
}
