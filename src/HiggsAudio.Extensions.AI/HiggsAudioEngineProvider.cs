using System.Diagnostics;
using HiggsAudio.Extensions.AI.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace HiggsAudio.Extensions.AI;

/// <summary>
/// Holds the engine of a registration and loads it once, when it is first asked for (or at the program's start, see
/// <see cref="HiggsAudioOptions.Loading"/>). Thread-safe.
/// </summary>
public sealed class HiggsAudioEngineProvider : IDisposable
{
    private readonly Func<IProgress<LoadProgress>, CancellationToken, Task<HiggsAudioServeEngine>>? _load;
    private readonly bool _ownsEngine;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _disposal = new();
    private readonly Lock _lock = new();
    private Task<HiggsAudioServeEngine>? _loading;
    private volatile HiggsAudioServeEngine? _engine;
    private volatile VoiceLibrary? _voices;
    private volatile Exception? _failure;
    private LoadProgress _progress;
    private bool _disposed;

    /// <summary>Holds an engine that exists.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="options">What <see cref="HiggsAudioOptions"/> say of voices, queue and defaults.</param>
    /// <param name="ownsEngine">Whether the engine is disposed with the provider.</param>
    internal HiggsAudioEngineProvider(HiggsAudioServeEngine engine, HiggsAudioOptions options, bool ownsEngine = false) : this(options, NullLogger.Instance)
    {
        _ownsEngine = ownsEngine;
        Take(engine);
    }

    /// <summary>Loads an engine when it is needed; it belongs to the provider.</summary>
    /// <param name="load">Loads it.</param>
    /// <param name="options">The options.</param>
    /// <param name="logger">Told of loading.</param>
    internal HiggsAudioEngineProvider(Func<IProgress<LoadProgress>, CancellationToken, Task<HiggsAudioServeEngine>> load, HiggsAudioOptions options, ILogger logger)
        : this(options, logger) => (_load, _ownsEngine) = (load, true);

    private HiggsAudioEngineProvider(HiggsAudioOptions options, ILogger logger)
    {
        (Options, _logger) = (options, logger);
        Admission = new Admission(options);
        HiggsAudioTelemetry.Add(this);
    }

    /// <summary>The engine, if it is loaded.</summary>
    public HiggsAudioServeEngine? Engine => _engine;

    /// <summary>Whether it is being loaded.</summary>
    public bool IsLoading
    {
        get
        {
            lock (_lock)
                return _engine is null && _loading is { IsCompleted: false };
        }
    }

    /// <summary>Why the last attempt to load it failed; null if none did.</summary>
    public Exception? Failure => _failure;

    /// <summary>How far the loading is.</summary>
    public LoadProgress Progress
    {
        get
        {
            lock (_lock)
                return _progress;
        }
    }

    /// <summary>The options of the registration.</summary>
    internal HiggsAudioOptions Options { get; }

    /// <summary>Who may come in.</summary>
    internal Admission Admission { get; }

    /// <summary>The engine; it is loaded if it is not yet, once for all that ask. What failed is tried again at the next call.</summary>
    /// <param name="cancellationToken">Ends the waiting, not the loading.</param>
    /// <exception cref="OperationCanceledException">The waiting was ended.</exception>
    /// <exception cref="ObjectDisposedException">The provider was disposed.</exception>
    public async ValueTask<HiggsAudioServeEngine> GetEngineAsync(CancellationToken cancellationToken = default)
    {
        if (_engine is { } loaded && !_disposed)
            return loaded;
        Task<HiggsAudioServeEngine> loading;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_loading is null || _loading.IsFaulted || _loading.IsCanceled)
                _loading = Task.Run(LoadAsync, CancellationToken.None);
            loading = _loading;
        }
        return await loading.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The library of <see cref="HiggsAudioOptions.VoicesFolder"/>; null if there is no folder. Loads the engine if need be.</summary>
    /// <inheritdoc cref="GetEngineAsync"/>
    public async ValueTask<VoiceLibrary?> GetVoicesAsync(CancellationToken cancellationToken = default)
    {
        await GetEngineAsync(cancellationToken).ConfigureAwait(false);
        return _voices;
    }

    /// <summary>The names of the voices that callers can ask for: those of the folder and those that are described.</summary>
    /// <exception cref="VoiceFormatException">The folder's config.json is broken.</exception>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <inheritdoc cref="GetEngineAsync"/>
    public async ValueTask<IReadOnlyList<string>> GetVoiceNamesAsync(CancellationToken cancellationToken = default)
    {
        VoiceLibrary? library = await GetVoicesAsync(cancellationToken).ConfigureAwait(false);
        return [.. (library?.Names ?? []).Union(Options.VoiceDescriptions.Keys).Order(StringComparer.Ordinal)];
    }

    /// <summary>A voice by name, and where it is recorded.</summary>
    /// <exception cref="VoiceNotFoundException">There is no such voice.</exception>
    internal async ValueTask<(SpeakerPrompt Speaker, string? Scene)> FindVoiceAsync(string voiceId, CancellationToken cancellationToken)
    {
        VoiceLibrary? library = await GetVoicesAsync(cancellationToken).ConfigureAwait(false);
        if (library is not null && library.Names.Contains(voiceId))
        {
            Voice voice = await library.GetAsync(voiceId, cancellationToken).ConfigureAwait(false);
            return (voice.ToSpeakerPrompt(), voice.Scene);
        }
        return Options.VoiceDescriptions.TryGetValue(voiceId, out string? description)
            ? (SpeakerPrompt.FromProfile(description), null)
            : throw new VoiceNotFoundException(voiceId, await GetVoiceNamesAsync(cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Ends the loading and disposes the engine, if it belongs to the provider.</summary>
    public void Dispose()
    {
        Task<HiggsAudioServeEngine>? loading;
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            loading = _loading;
        }
        HiggsAudioTelemetry.Remove(this);
        _disposal.Cancel();
        // What is loaded in the meantime is disposed by LoadAsync.
        if (_ownsEngine)
            _engine?.Dispose();
        if (loading is null or { IsCompleted: true })
            _disposal.Dispose();
        else
            loading.ContinueWith(_ => _disposal.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task<HiggsAudioServeEngine> LoadAsync()
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            Log.Loading(_logger, Options.EffectiveModelId);
            HiggsAudioServeEngine engine = await _load!(new Report(this), _disposal.Token).ConfigureAwait(false);
            lock (_lock)
            {
                if (_disposed)
                {
                    engine.Dispose();
                    throw new ObjectDisposedException(nameof(HiggsAudioEngineProvider));
                }
                Take(engine);
            }
            Log.Loaded(_logger, Options.EffectiveModelId, Stopwatch.GetElapsedTime(started).TotalSeconds);
            return engine;
        }
        catch (Exception problem)
        {
            _failure = problem;
            if (!_disposal.IsCancellationRequested)
                Log.LoadingFailed(_logger, Options.EffectiveModelId, problem);
            throw;
        }
    }

    private void Take(HiggsAudioServeEngine engine)
    {
        _voices = Options.VoicesFolder is { } folder ? new VoiceLibrary(engine, folder) : null;
        _failure = null;
        _engine = engine;
    }

    private sealed class Report(HiggsAudioEngineProvider provider) : IProgress<LoadProgress>
    {
        void IProgress<LoadProgress>.Report(LoadProgress value)
        {
            lock (provider._lock)
                provider._progress = value;
        }
    }
}
