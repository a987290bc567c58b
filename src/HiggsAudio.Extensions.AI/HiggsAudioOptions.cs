using HiggsAudio.Compute;

namespace HiggsAudio.Extensions.AI;

/// <summary>
/// How <c>services.AddHiggsAudio</c> sets Higgs Audio up: what is loaded, how it computes, what is generated where a caller does not say. All but the
/// delegates can come from configuration. Checked when the program starts.
/// </summary>
public sealed class HiggsAudioOptions
{
    /// <summary>The section of the configuration that is customary.</summary>
    public const string SectionName = "HiggsAudio";

    /// <summary>The language model: a folder, or a repository of the Hub (<see cref="HiggsAudioServeEngine.LoadAsync"/>). Needed unless <see cref="EngineFactory"/> is set.</summary>
    public string? Model { get; set; }

    /// <summary>The codec, likewise. Needed unless <see cref="EngineFactory"/> is set.</summary>
    public string? Codec { get; set; }

    /// <summary>What the model is called in answers, metadata and telemetry; null for the last part of <see cref="Model"/>.</summary>
    public string? ModelId { get; set; }

    /// <summary>See <see cref="EngineOptions.Device"/>: <c>cpu</c>, or with the package HiggsAudio.Cuda <c>cuda:0</c>.</summary>
    public string Device { get; set; } = new EngineOptions().Device;

    /// <summary>See <see cref="EngineOptions.TokenizerFolder"/>.</summary>
    public string? TokenizerFolder { get; set; }

    /// <summary>See <see cref="EngineOptions.WeightFormat"/>.</summary>
    public WeightFormat WeightFormat { get; set; } = WeightFormat.AsStored;

    /// <summary>See <see cref="EngineOptions.WeightFormatOverrides"/>.</summary>
    public IDictionary<string, WeightFormat> WeightFormatOverrides { get; } = new Dictionary<string, WeightFormat>(StringComparer.Ordinal);

    /// <summary>See <see cref="EngineOptions.Adapters"/>: folders or repositories, and how much of each is wanted (1 as it was trained).</summary>
    public IDictionary<string, float> Adapters { get; } = new Dictionary<string, float>(StringComparer.Ordinal);

    /// <summary>See <see cref="EngineOptions.KeyValueFormat"/>.</summary>
    public KeyValueFormat KeyValueFormat { get; set; } = new EngineOptions().KeyValueFormat;

    /// <summary>See <see cref="EngineOptions.Threads"/>.</summary>
    public int Threads { get; set; }

    /// <summary>See <see cref="EngineOptions.MaxContextLength"/>.</summary>
    public int MaxContextLength { get; set; } = new EngineOptions().MaxContextLength;

    /// <summary>See <see cref="EngineOptions.KvCacheBytes"/>.</summary>
    public long KvCacheBytes { get; set; } = new EngineOptions().KvCacheBytes;

    /// <summary>See <see cref="EngineOptions.PrefixCacheBytes"/>.</summary>
    public long PrefixCacheBytes { get; set; } = new EngineOptions().PrefixCacheBytes;

    /// <summary>See <see cref="EngineOptions.WhenFull"/>.</summary>
    public WhenFull WhenFull { get; set; } = new EngineOptions().WhenFull;

    /// <summary>See <see cref="EngineOptions.MaxConcurrentRequests"/>.</summary>
    public int MaxConcurrentRequests { get; set; } = new EngineOptions().MaxConcurrentRequests;

    /// <summary>See <see cref="EngineOptions.PrefillChunk"/>.</summary>
    public int PrefillChunk { get; set; } = new EngineOptions().PrefillChunk;

    /// <summary>
    /// Calls of the clients that may wait beyond <see cref="MaxConcurrentRequests"/>, 0 or more: one more fails at once with a transient
    /// <see cref="EngineBusyException"/>. A call that was let in is never refused halfway.
    /// </summary>
    public int MaxQueuedRequests { get; set; } = 256;

    /// <summary>When the engine is loaded.</summary>
    public EngineLoading Loading { get; set; } = EngineLoading.OnFirstUse;

    /// <summary>The folder of a <see cref="VoiceLibrary"/>, whose names are the voices that callers can ask for; null for none.</summary>
    public string? VoicesFolder { get; set; }

    /// <summary>
    /// Voices that are descriptions, by name, such as <c>"calm": "He speaks slowly, with a British accent."</c>;
    /// beside those of <see cref="VoicesFolder"/>, which come first.
    /// </summary>
    public IDictionary<string, string> VoiceDescriptions { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The voice of callers that ask for none; null to let the model choose.</summary>
    public string? DefaultVoice { get; set; }

    /// <summary>Where and how speech is recorded, such as "Audio is recorded from a quiet room."; null for the voice's own scene.</summary>
    public string? Scene { get; set; }

    /// <summary>How to generate where a caller does not say.</summary>
    public GenerationDefaults Generation { get; } = new();

    /// <summary>
    /// Makes the engine, instead of from <see cref="Model"/> and <see cref="Codec"/>: it is given the services, the options of the engine that
    /// follow from these options, and a token that ends the loading. The engine belongs to the services then, which dispose it.
    /// <code>options.EngineFactory = (services, engine, cancellationToken) => NanoVoice.LoadAsync(engine, cancellationToken: cancellationToken);</code>
    /// </summary>
    public Func<IServiceProvider, EngineOptions, CancellationToken, Task<HiggsAudioServeEngine>>? EngineFactory { get; set; }

    /// <summary>Changes the engine's options: for what has no property here. Null for nothing.</summary>
    public Func<EngineOptions, EngineOptions>? ConfigureEngine { get; set; }

    /// <summary>Changes how texts are spoken where a caller does not say: division, guards, retries. Null for nothing.</summary>
    public Func<SpeakOptions, SpeakOptions>? ConfigureSpeech { get; set; }

    /// <summary>What <see cref="ModelId"/> is, or follows from <see cref="Model"/>.</summary>
    internal string EffectiveModelId => ModelId ?? (string.IsNullOrEmpty(Model) ? DefaultModelId : Path.GetFileName(Path.TrimEndingDirectorySeparator(Model)));

    /// <summary>What a model is called whose name is not known.</summary>
    internal const string DefaultModelId = "higgs-audio-v2";

    /// <summary>The engine's options.</summary>
    internal EngineOptions ToEngineOptions()
    {
        var options = new EngineOptions
        {
            Device = Device,
            Threads = Threads,
            WeightFormat = WeightFormat,
            WeightFormatOverrides = WeightFormatOverrides.Count == 0 ? null : new Dictionary<string, WeightFormat>(WeightFormatOverrides, StringComparer.Ordinal),
            KeyValueFormat = KeyValueFormat,
            TokenizerFolder = TokenizerFolder,
            Adapters = [.. Adapters.Select(adapter => new AdapterOptions(adapter.Key, adapter.Value))],
            MaxContextLength = MaxContextLength,
            KvCacheBytes = KvCacheBytes,
            PrefixCacheBytes = PrefixCacheBytes,
            WhenFull = WhenFull,
            MaxConcurrentRequests = MaxConcurrentRequests,
            PrefillChunk = PrefillChunk,
        };
        return ConfigureEngine?.Invoke(options) ?? options;
    }

    /// <summary>How texts are spoken where a caller does not say.</summary>
    internal SpeakOptions ToSpeakOptions()
    {
        var options = new SpeakOptions { Scene = Scene };
        options = options with { Generation = Generation.Apply(options.Generation) };
        return ConfigureSpeech?.Invoke(options) ?? options;
    }
}

/// <summary>When an engine is loaded.</summary>
public enum EngineLoading
{
    /// <summary>When it is first used; the first caller waits.</summary>
    OnFirstUse,

    /// <summary>While the program starts, which waits for it and fails with it.</summary>
    AtStart,

    /// <summary>Beside the program's start; callers that come too early wait. A failure is logged, and loading is tried again at the next use.</summary>
    InBackground,
}
