using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Model;

namespace HiggsAudio;

/// <summary>Loads the parts of an engine side by side. If one fails, the others are ended and what was loaded is let go again.</summary>
internal sealed class EngineParts : IDisposable
{
    private readonly ModelFolders _folders;
    private readonly EngineOptions _options;
    private readonly IProgress<LoadProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly CancellationTokenSource _end;
    private readonly ExceptionDispatchInfo?[] _problems = new ExceptionDispatchInfo?[3];
    private readonly Lock _reporting = new();
    private Checkpoint? _checkpoint;
    private AudioCodec? _codec;
    private TextTokenizer? _tokenizer;
    private HiggsAudioModel? _model;
    private ReadAhead? _readAhead;
    private bool _handedOver;

    public EngineParts(ModelFolders folders, EngineOptions options, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        (_folders, _options, _progress, _cancellationToken) = (folders, options, progress, cancellationToken);
        _end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Device = Devices.Create(options.Device, options.Threads);
    }

    public Device Device { get; }

    public Checkpoint Checkpoint => _checkpoint!;

    public AudioCodec Codec => _codec!;

    public TextTokenizer Tokenizer => _tokenizer!;

    public HiggsAudioModel Model => _model!;

    public ReadAhead ReadAhead => _readAhead!;

    /// <summary>Loads all of them.</summary>
    /// <exception cref="CheckpointException">A file is missing, broken or not what was expected; of several problems, one.</exception>
    /// <exception cref="OperationCanceledException">The loading was ended.</exception>
    public void Load()
    {
        Task tokenizer = Task.Run(() => Guarded(0, LoadTokenizer)), codec = Task.Run(() => Guarded(1, LoadCodec));
        Guarded(2, LoadModel);
        Task.WaitAll(tokenizer, codec);
        ExceptionDispatchInfo[] problems = [.. _problems.OfType<ExceptionDispatchInfo>()];
        if (problems.Length == 0)
            return;
        if (problems.All(problem => problem.SourceException is OperationCanceledException))
            _cancellationToken.ThrowIfCancellationRequested();
        (problems.FirstOrDefault(problem => problem.SourceException is not OperationCanceledException) ?? problems[0]).Throw();
    }

    /// <summary>Says that the parts belong to an engine from now on.</summary>
    public void HandOver() => _handedOver = true;

    public void Dispose()
    {
        _end.Dispose();
        if (_handedOver)
            return;
        _readAhead?.Dispose();
        _codec?.Dispose();
        Device.Dispose();
        _checkpoint?.Dispose();
    }

    // The text tokenizer takes longer than a codec and a model that are mapped: meanwhile their kernels can be compiled.
    private bool IsCompiledWhenNeeded => Device is CpuDevice && RuntimeFeature.IsDynamicCodeCompiled;

    private void LoadTokenizer()
    {
        Report("tokenizer", 0);
        _tokenizer = TextTokenizer.Load(_options.TokenizerFolder ?? _folders.Model);
        Report("tokenizer", 1);
    }

    private void LoadCodec()
    {
        _codec = AudioCodec.Load(_folders.Codec, Device, new AudioCodecOptions(), new StageProgress(part => Report("codec", part)), _end.Token);
        if (IsCompiledWhenNeeded)
            _codec.WarmUp();
    }

    private void LoadModel()
    {
        Report("model", 0);
        HiggsAudioConfig config = HiggsAudioConfig.Load(_folders.Model);
        _checkpoint = _folders.OpenModel();
        _model = HiggsAudioModel.Load(_checkpoint, config, Device, new QuantizationPlan(_options.WeightFormat, _options.WeightFormatOverrides),
            _options.KeyValueFormat, part => Report("model", part));
        _readAhead = new ReadAhead(Device);
        if (IsCompiledWhenNeeded)
            _model.WarmUp();
        Report("model", 1);
    }

    private void Guarded(int part, Action load)
    {
        try
        {
            load();
        }
        catch (Exception problem)
        {
            _problems[part] = ExceptionDispatchInfo.Capture(problem);
            _end.Cancel();
        }
    }

    private void Report(string stage, double part)
    {
        lock (_reporting)
        {
            _end.Token.ThrowIfCancellationRequested();
            _progress?.Report(new LoadProgress(stage, part));
        }
    }

    private sealed class StageProgress(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
