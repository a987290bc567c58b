using System.Globalization;
using System.Text.Json;

namespace HiggsAudio.Voices;

/// <summary>Where a voice is: a saved one, or a recording and its transcript.</summary>
/// <param name="Saved">The file of a saved voice.</param>
/// <param name="Recording">The audio file.</param>
/// <param name="TranscriptFile">The file of what is said in it, or the one that <paramref name="Transcript"/> is from.</param>
/// <param name="Transcript">What is said in it, if it is known.</param>
internal sealed record VoiceFiles(string? Saved = null, string? Recording = null, string? TranscriptFile = null, string? Transcript = null)
{
    private const int MostTranscript = 1 << 20;

    /// <summary>Changes when the files do.</summary>
    public string Version() => string.Join(';', new[] { Saved, Recording, TranscriptFile }.OfType<string>().Select(path =>
    {
        var file = new FileInfo(path);
        return string.Create(CultureInfo.InvariantCulture, $"{path}:{(file.Exists ? file.Length : -1)}:{file.LastWriteTimeUtc.Ticks}");
    })) + Transcript;

    public string ReadTranscript()
    {
        if (Transcript is not null)
            return Transcript;
        if (new FileInfo(TranscriptFile!).Length > MostTranscript)
            throw new VoiceFormatException(TranscriptFile, $"is no transcript: it is larger than {MostTranscript} bytes");
        return File.ReadAllText(TranscriptFile!).Trim();
    }
}

/// <summary>
/// Lists a folder of voices. A voice's name comes from the folder or its config.json, never from a caller, and names no place outside.
/// </summary>
internal static class VoiceFolder
{
    private const string Presets = "config.json";
    private const int MostPresets = 4 << 20, LongestName = 200;

    /// <summary>Whether it can be a voice's name: one of a file, without its ending, that is not hidden.</summary>
    public static bool IsName(string name) =>
        name.Length is > 0 and <= LongestName && name[0] != '.' && !name.Any(c => char.IsControl(c) || c is '/' or '\\' or ':');

    /// <summary>The voices by name.</summary>
    public static IReadOnlyDictionary<string, VoiceFiles> List(string folder)
    {
        var voices = new Dictionary<string, VoiceFiles>(StringComparer.Ordinal);
        string[] files = Directory.GetFiles(folder);
        var names = new HashSet<string>(files.Select(f => Path.GetFileName(f)), StringComparer.Ordinal);
        foreach ((string path, string name) in Named(files, ".wav"))
            if (names.Contains(name + ".txt"))
                voices[name] = new VoiceFiles(Recording: path, TranscriptFile: Path.Combine(folder, name + ".txt"));
        if (names.Contains(Presets))
            AddPresets(folder, voices);
        foreach ((string path, string name) in Named(files, ".voice"))
            voices[name] = new VoiceFiles(Saved: path);
        return voices;
    }

    private static IEnumerable<(string Path, string Name)> Named(string[] files, string ending) =>
        from path in files
        where path.EndsWith(ending, StringComparison.Ordinal)
        let name = Path.GetFileNameWithoutExtension(path)
        where IsName(name)
        select (path, name);

    private static void AddPresets(string folder, Dictionary<string, VoiceFiles> voices)
    {
        string path = Path.Combine(folder, Presets);
        if (new FileInfo(path).Length > MostPresets)
            throw new VoiceFormatException(path, $"is not a list of voices: it is larger than {MostPresets} bytes");
        try
        {
            using JsonDocument presets = JsonDocument.Parse(File.ReadAllBytes(path));
            foreach (JsonProperty preset in presets.RootElement.EnumerateObject())
            {
                // A preset of a system prompt alone has no recording.
                if (!preset.Value.TryGetProperty("audio_file", out JsonElement audio) || audio.ValueKind == JsonValueKind.Null)
                    continue;
                string file = audio.GetString()!;
                if (!IsName(preset.Name) || !IsName(file))
                    throw new FormatException($"'{preset.Name}' or its file '{file}' is not a plain name");
                string transcript = preset.Value.GetProperty("transcript").GetString() ?? throw new FormatException($"the transcript of '{preset.Name}' is null");
                voices[preset.Name] = new VoiceFiles(Recording: Path.Combine(folder, file), Transcript: transcript);
            }
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new VoiceFormatException(path, $"is not a list of voices ({{name: {{transcript, audio_file}}}}): {problem.Message.TrimEnd('.')}", problem);
        }
    }
}
