using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Model;
using HiggsAudio.Prompts;
using HiggsAudio.Serving;

namespace HiggsAudio;

/// <summary>
/// Higgs Audio v2: continues conversations of text and audio (the reference's <c>HiggsAudioServeEngine</c>, serve_engine.py). Thread-safe: any
/// number of callers may generate at once; they share one copy of the weights and are computed together.
/// </summary>
public sealed partial class HiggsAudioServeEngine : IDisposable
{
    private readonly Device _device;
    private readonly Checkpoint _checkpoint;
    private readonly HiggsAudioModel _model;
    private readonly ReadAhead _readAhead;
    private readonly EngineOptions _options;
    private readonly string _modelFolder;
    private readonly SpecialTokens _specialTokens;
    private readonly PromptBuilder _promptBuilder;
    private readonly Scheduler _scheduler;
    private volatile bool _disposed;

    private HiggsAudioServeEngine(EngineParts parts, EngineOptions options, string modelFolder)
    {
        (_device, _checkpoint, _model, _readAhead, _options, _modelFolder) = (parts.Device, parts.Checkpoint, parts.Model, parts.ReadAhead, options, modelFolder);
        (Codec, Tokenizer) = (parts.Codec, parts.Tokenizer);
        _specialTokens = SpecialTokens.From(Tokenizer, _model.Config);
        _promptBuilder = new PromptBuilder(Tokenizer, _specialTokens);
        _scheduler = new Scheduler(_model, _device, options);
    }

    /// <summary>What the model is.</summary>
    public HiggsAudioConfig Config => _model.Config;

    /// <summary>The codec; it can be used on its own.</summary>
    public AudioCodec Codec { get; }

    /// <summary>The text tokenizer.</summary>
    public TextTokenizer Tokenizer { get; }

    /// <summary>Samples per second of the sound that the engine makes, in Hz.</summary>
    public int SamplingRate => Codec.SamplingRate;

    /// <summary>Requests that are computed now.</summary>
    public int ActiveRequests => _scheduler.ActiveRequests;

    /// <summary>Requests that wait in line.</summary>
    public int WaitingRequests => _scheduler.WaitingRequests;

    /// <summary>Bytes that the requests being computed have reserved of <see cref="EngineOptions.KvCacheBytes"/>.</summary>
    public long KvCacheBytesInUse => _scheduler.ReservedBytes;

    /// <summary>Bytes of <see cref="EngineOptions.KvCacheBytes"/> that are kept for later requests and for conversations; given up where requests need them.</summary>
    public long PrefixCacheBytesInUse => _scheduler.PrefixBytes;

    /// <summary>The language model.</summary>
    internal HiggsAudioModel Model => _model;

    /// <summary>A lane of the engine's device.</summary>
    internal Backend CreateLane() => _device.CreateLane();

    /// <summary>Bytes of memory of all caches together.</summary>
    internal long NativeKvCacheBytes => _device.KvCacheBytes;

    /// <summary>Bytes of scratch memory of all lanes together: the scheduler's and the codec's.</summary>
    internal long NativeScratchBytes => _device.ScratchBytes;

    /// <summary>Loads an engine from folders, or from repositories of the Hub. The files are memory-mapped, so that this takes little time and memory.</summary>
    /// <param name="model">
    /// The language model, either layout, with its tokenizer.json: a folder, else a repository of the Hub, <c>organisation/name</c> or
    /// <c>organisation/name@revision</c> (such as <see cref="HuggingFaceHub.ModelRepository"/>), downloaded unless it is in the cache.
    /// </param>
    /// <param name="codec">The codec, either layout, likewise (such as <see cref="HuggingFaceHub.CodecRepository"/>).</param>
    /// <param name="options">How to set it up.</param>
    /// <param name="progress">Told what is being downloaded and loaded.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <exception cref="CheckpointException">A file is missing, broken or not what was expected; the message says which and why.</exception>
    /// <exception cref="HubException">A repository cannot be had.</exception>
    /// <exception cref="NotSupportedException"><see cref="EngineOptions.Device"/> is of a kind for which a package is missing.</exception>
    /// <exception cref="OperationCanceledException">The loading was ended.</exception>
    public static HiggsAudioServeEngine Load(string model, string codec, EngineOptions? options = null,
        IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= new EngineOptions();
        options.Validate();
        // On a thread of the pool: callers with a synchronization context would wait for themselves.
        ModelFolders folders = Task.Run(() => ModelFolders.FindAsync(model, codec, options, progress, cancellationToken), cancellationToken).GetAwaiter().GetResult();
        return Load(folders, options, progress, cancellationToken);
    }

    /// <summary>As <see cref="Load(string, string, EngineOptions?, IProgress{LoadProgress}?, CancellationToken)"/>, on another thread.</summary>
    public static async Task<HiggsAudioServeEngine> LoadAsync(string model, string codec, EngineOptions? options = null,
        IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= new EngineOptions();
        options.Validate();
        ModelFolders folders = await ModelFolders.FindAsync(model, codec, options, progress, cancellationToken).ConfigureAwait(false);
        return await Task.Run(() => Load(folders, options, progress, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    private static HiggsAudioServeEngine Load(ModelFolders folders, EngineOptions options, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        using var parts = new EngineParts(folders, options, progress, cancellationToken);
        parts.Load();
        CheckThatTheyBelongTogether(parts.Model.Config, parts.Codec, folders.Model, folders.Codec);
        var engine = new HiggsAudioServeEngine(parts, options, folders.Model);
        parts.HandOver();
        return engine;
    }

    private static void CheckThatTheyBelongTogether(HiggsAudioConfig config, AudioCodec codec, string modelFolder, string codecFolder)
    {
        if (codec.Codebooks != config.AudioNumCodebooks || codec.CodebookSize > config.AudioStreamBosId)
        {
            throw new CheckpointException(codecFolder, null,
                $"the codec has {codec.Codebooks} codebooks of {codec.CodebookSize} codes, the model in '{modelFolder}' " +
                $"has {config.AudioNumCodebooks} and its codes end at {config.AudioStreamBosId - 1}");
        }
    }

    /// <summary>
    /// Ends all requests (they fail with <see cref="ObjectDisposedException"/>) and frees the engine's memory, once the sound that is being encoded or
    /// decoded at the moment is done.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _readAhead.Dispose();
        _scheduler.Dispose();
        Codec.Dispose();
        _device.Dispose();
        _checkpoint.Dispose();
    }
}

/// <summary>
/// How far the loading of an engine is. Tokenizer, codec and model are loaded side by side: their reports alternate, but there is never more than one at a
/// time.
/// </summary>
/// <param name="Stage">
/// <c>tokenizer</c>, <c>codec</c> or <c>model</c>; before them <c>unpacking</c> where the checkpoint is embedded, and <c>downloading model</c>,
/// <c>downloading codec</c>, <c>downloading adapter</c> where it comes from the Hub.
/// </param>
/// <param name="Part">The part of the stage that is done, 0 to 1.</param>
public readonly record struct LoadProgress(string Stage, double Part);
