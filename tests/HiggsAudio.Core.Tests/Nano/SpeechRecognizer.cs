using System.Text.RegularExpressions;

namespace HiggsAudio.Core.Tests.Nano;

/// <summary>The recogniser pocketsphinx with Debian's English model, which knows nothing of this project.</summary>
internal static partial class SpeechRecognizer
{
    private const string Model = "/usr/share/pocketsphinx/model/en-us";

    public const string NotInstalled = "the recogniser is not installed (Debian: pocketsphinx pocketsphinx-en-us)";

    public static bool IsInstalled { get; } = Directory.Exists(Path.Combine(Model, "en-us")) && ExternalProgram.IsOnPath("pocketsphinx_batch");

    /// <summary>Wrong, missing and added words divided by the words that were said, as the recogniser's own language model hears them.</summary>
    public static double WordErrorRate(IReadOnlyList<string> said, IReadOnlyList<Waveform> sounds)
    {
        string[] heard = Recognize(sounds);
        int errors = said.Zip(heard, (a, b) => Distance(Words(a), Words(b))).Sum();
        return (double)errors / said.Sum(text => Words(text).Length);
    }

    private static string[] Recognize(IReadOnlyList<Waveform> sounds) => ExternalProgram.InFolder<string[]>(folder =>
    {
        for (int i = 0; i < sounds.Count; i++)
            WithSilence(sounds[i].ResampleTo(16000)).SaveWav(Path.Combine(folder, $"{i}.wav"));
        File.WriteAllLines(Path.Combine(folder, "list"), Enumerable.Range(0, sounds.Count).Select(i => $"{i}"));
        ExternalProgram.Run("pocketsphinx_batch", folder, "-hmm", Path.Combine(Model, "en-us"), "-lm", Path.Combine(Model, "en-us.lm.bin"),
            "-dict", Path.Combine(Model, "cmudict-en-us.dict"), "-adcin", "yes", "-adchdr", "44", "-cepdir", folder, "-cepext", ".wav",
            "-ctl", Path.Combine(folder, "list"), "-hyp", Path.Combine(folder, "heard"), "-logfn", Path.Combine(folder, "log"));
        return [.. File.ReadAllLines(Path.Combine(folder, "heard")).Select(line => Score().Replace(line, ""))];
    });

    // The recogniser wants 0.3 s of a quiet room around the speech.
    private static Waveform WithSilence(Waveform sound)
    {
        var random = new Random(0);
        float[] room = [.. Enumerable.Range(0, 4800).Select(_ => random.Next(-8, 9) / 32768f)];
        return new Waveform([.. room, .. sound.Span, .. room], sound.SamplingRate);
    }

    private static string[] Words(string text) => NotLetters().Replace(text.ToLowerInvariant(), " ").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    // Levenshtein's, of words.
    private static int Distance(string[] said, string[] heard)
    {
        int[] row = [.. Enumerable.Range(0, heard.Length + 1)];
        for (int i = 1; i <= said.Length; i++)
        {
            (int diagonal, row[0]) = (row[0], i);
            for (int j = 1; j <= heard.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (said[i - 1] == heard[j - 1] ? 0 : 1)));
        }
        return row[^1];
    }

    // "the words (7 -12345)"
    [GeneratedRegex(@" ?\(\S+ -?\d+\)$")]
    private static partial Regex Score();

    [GeneratedRegex("[^a-z' ]")]
    private static partial Regex NotLetters();
}
