using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace HiggsAudio.Extensions.AI.Telemetry;

/// <summary>
/// The source of activities and the meter of all clients, under the names of OpenTelemetry's conventions for generative AI where there is one;
/// docs/extensions-ai.md lists them.
/// </summary>
public static class HiggsAudioTelemetry
{
    /// <summary>The name of the <see cref="ActivitySource"/> and of the <see cref="Meter"/>.</summary>
    public const string SourceName = "HiggsAudio";

    /// <summary>What the clients of an engine in this program are called as providers.</summary>
    public const string ProviderName = "higgs_audio";

    private static readonly ConcurrentDictionary<HiggsAudioEngineProvider, byte> Providers = [];

    static HiggsAudioTelemetry()
    {
        Gauge("higgs_audio.requests.active", "{request}", "Requests that are computed now.", engine => engine.ActiveRequests);
        Gauge("higgs_audio.queue.length", "{request}", "Requests that wait in line.", engine => engine.WaitingRequests);
        Gauge("higgs_audio.kv_cache.usage", "By", "Bytes that the requests being computed have reserved.", engine => engine.KvCacheBytesInUse);
        Gauge("higgs_audio.prefix_cache.usage", "By", "Bytes that are kept for later requests.", engine => engine.PrefixCacheBytesInUse);
        Meter.CreateObservableGauge("higgs_audio.kv_cache.limit", () => Providers.Keys.Where(provider => provider.Engine is not null)
            .Select(provider => new Measurement<long>(provider.Options.KvCacheBytes, Tag(provider))), "By", "Most bytes that requests may reserve.");
        Meter.CreateObservableGauge("higgs_audio.calls.active", () => Providers.Keys.Select(provider => new Measurement<long>(provider.Admission.Calls, Tag(provider))),
            "{call}", "Calls of the clients that are in: computed, waiting, or read by their callers.");
    }

    internal static ActivitySource Source { get; } = new(SourceName);

    internal static Meter Meter { get; } = new(SourceName);

    internal static void Add(HiggsAudioEngineProvider provider) => Providers[provider] = 0;

    internal static void Remove(HiggsAudioEngineProvider provider) => Providers.TryRemove(provider, out _);

    private static void Gauge(string name, string unit, string description, Func<HiggsAudioServeEngine, long> value) =>
        Meter.CreateObservableGauge(name, () =>
            from provider in Providers.Keys
            let engine = provider.Engine
            where engine is not null
            select new Measurement<long>(value(engine), Tag(provider)), unit, description);

    private static KeyValuePair<string, object?> Tag(HiggsAudioEngineProvider provider) => new("gen_ai.request.model", provider.Options.EffectiveModelId);
}
