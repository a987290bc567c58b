using System.Diagnostics;
using System.Diagnostics.Metrics;
using HiggsAudio.Server.Http;

namespace HiggsAudio.Server.Telemetry;

/// <summary>The server's instruments. What is exported of them, and how, is <see cref="PrometheusText"/>'s business.</summary>
internal sealed class ServerMetrics
{
    public const string MeterName = "HiggsAudio.Server";

    private static readonly double[] Seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
    private readonly Counter<long> _requests, _tokens;
    private readonly Counter<double> _audio;
    private readonly Histogram<double> _duration, _firstAudio, _realTimeFactor;

    public ServerMetrics(IMeterFactory factory, HiggsAudioServeEngine engine, Admission admission)
    {
        Meter meter = factory.Create(MeterName);
        _requests = meter.CreateCounter<long>("higgs_audio_requests", description: "Requests that ended, by endpoint and outcome.");
        _tokens = meter.CreateCounter<long>("higgs_audio_tokens", description: "Steps of the model: prompt (cached or not), completion.");
        _audio = meter.CreateCounter<double>("higgs_audio_audio_seconds", description: "Sound that was made, in seconds.");
        _duration = Histogram("higgs_audio_request_duration_seconds", "How long requests took.", Seconds);
        _firstAudio = Histogram("higgs_audio_time_to_first_audio_seconds", "From the request to the first sound.", Seconds);
        _realTimeFactor = Histogram("higgs_audio_real_time_factor", "Time taken by time of sound; below 1 is faster than it plays.", [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]);
        meter.CreateObservableGauge("higgs_audio_requests_active", () => admission.Active, description: "Requests that are computed.");
        meter.CreateObservableGauge("higgs_audio_requests_queued", () => admission.Queued, description: "Requests that wait.");
        meter.CreateObservableGauge("higgs_audio_kv_cache_bytes", () => engine.KvCacheBytesInUse, description: "Key-value cache that requests have reserved.");
        meter.CreateObservableGauge("higgs_audio_prefix_cache_bytes", () => engine.PrefixCacheBytesInUse, description: "Key-value cache that is kept for later requests.");

        Histogram<double> Histogram(string name, string description, double[] bounds) =>
            meter.CreateHistogram(name, description: description, advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });
    }

    /// <summary>Begins to measure a request.</summary>
    public RequestMeter Begin(string endpoint) => new(this, endpoint);

    /// <summary>Notes a request that ended.</summary>
    public void End(string endpoint, string outcome, TimeSpan took, TimeSpan? firstAudio, double soundSeconds, Usage usage)
    {
        var at = new KeyValuePair<string, object?>("endpoint", endpoint);
        _requests.Add(1, at, new("outcome", outcome));
        _duration.Record(took.TotalSeconds, at);
        if (firstAudio is { } first)
            _firstAudio.Record(first.TotalSeconds, at);
        if (soundSeconds > 0)
        {
            _audio.Add(soundSeconds);
            _realTimeFactor.Record(took.TotalSeconds / soundSeconds, at);
        }
        _tokens.Add(usage.PromptTokens - usage.CachedTokens, new KeyValuePair<string, object?>("kind", "prompt"));
        _tokens.Add(usage.CachedTokens, new KeyValuePair<string, object?>("kind", "prompt_cached"));
        _tokens.Add(usage.CompletionTokens, new KeyValuePair<string, object?>("kind", "completion"));
    }
}

/// <summary>Measures one request, from its begin to its disposal.</summary>
internal sealed class RequestMeter(ServerMetrics metrics, string endpoint) : IDisposable
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private TimeSpan? _firstAudio;
    private double _soundSeconds;
    private Usage _usage;
    private bool _succeeded;

    /// <summary>Sound was made.</summary>
    public void AddSound(int samples, int samplingRate)
    {
        _firstAudio ??= Stopwatch.GetElapsedTime(_start);
        _soundSeconds += (double)samples / samplingRate;
    }

    /// <summary>The answer has ended, and cost this.</summary>
    public void AddTokens(Usage usage) => _usage = usage;

    /// <summary>All went well.</summary>
    public void Succeed() => _succeeded = true;

    public void Dispose() => metrics.End(endpoint, _succeeded ? "ok" : "failed", Stopwatch.GetElapsedTime(_start), _firstAudio, _soundSeconds, _usage);
}
