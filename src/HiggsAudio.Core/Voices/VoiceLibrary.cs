using HiggsAudio.Voices;

namespace HiggsAudio;

/// <summary>
/// A folder of voices: pairs of <c>name.wav</c> and <c>name.txt</c> (what is said in it), as the reference's examples/voice_prompts has them; a
/// <c>config.json</c> of the vLLM server's presets, <c>{name: {transcript, audio_file}}</c>; and saved voices, <c>name.voice</c>. Of one name a saved voice
/// comes before a preset, and that before a pair. A voice is read and encoded when it is first asked for, and again when its files have changed.
/// Thread-safe.
/// </summary>
public sealed class VoiceLibrary
{
    private readonly HiggsAudioServeEngine _engine;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string Version, Task<Voice> Voice)> _loaded = new(StringComparer.Ordinal);

    /// <param name="engine">Encodes recordings; saved voices must be for its codec.</param>
    /// <param name="folder">The folder. It is looked into at every access.</param>
    public VoiceLibrary(HiggsAudioServeEngine engine, string folder)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        (_engine, Folder) = (engine, Path.GetFullPath(folder));
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>The names of the voices that are there now, in alphabetical order.</summary>
    /// <exception cref="VoiceFormatException">config.json is broken.</exception>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public IReadOnlyList<string> Names => [.. VoiceFolder.List(Folder).Keys.Order(StringComparer.Ordinal)];

    /// <summary>A voice by name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="ArgumentException">There is no such voice; the message lists those that there are.</exception>
    /// <exception cref="VoiceFormatException">The saved voice or config.json is broken, or for another codec.</exception>
    /// <exception cref="AudioFormatException">The recording is broken or of a kind that is not read.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The waiting was ended.</exception>
    public async Task<Voice> GetAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        IReadOnlyDictionary<string, VoiceFiles> voices = VoiceFolder.List(Folder);
        if (!voices.TryGetValue(name, out VoiceFiles? files))
            throw new ArgumentException(Unknown(name, voices.Keys), nameof(name));
        string version = files.Version();
        Task<Voice> voice;
        lock (_lock)
        {
            if (!_loaded.TryGetValue(name, out (string Version, Task<Voice> Voice) loaded) || loaded.Version != version || loaded.Voice.IsFaulted)
                _loaded[name] = loaded = (version, Task.Run(() => LoadAsync(name, files), CancellationToken.None));
            voice = loaded.Voice;
        }
        return await voice.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<Voice> LoadAsync(string name, VoiceFiles files)
    {
        if (files.Saved is not null)
            return _engine.LoadVoice(files.Saved);
        return await _engine.CreateVoiceAsync(files.Recording!, files.ReadTranscript(), name).ConfigureAwait(false);
    }

    private string Unknown(string name, IEnumerable<string> known)
    {
        const int Most = 50;
        string[] names = [.. known.Order(StringComparer.Ordinal)];
        string list = names.Length == 0 ? "there are none" : $"there are {string.Join(", ", names.Take(Most))}{(names.Length > Most ? $" and {names.Length - Most} more" : "")}";
        string problem = VoiceFolder.IsName(name) ? $"There is no voice '{name}' in '{Folder}'" : "Names of voices are file names without folders and endings";
        return $"{problem}; {list}.";
    }
}
