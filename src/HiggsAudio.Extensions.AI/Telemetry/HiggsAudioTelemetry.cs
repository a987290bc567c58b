using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace HiggsAudio.Extensions.AI.Telemetry;

/// <summary>
/// The source of activities and the meter, under the names of OpenTelemetry's conventions for generative AI where there is one.
/// </summary>
public static class HiggsAudioTelemetry
{
    /// <summary>The name of the <see cref="ActivitySource"/> and of the <see cref="Meter"/>.</summary>
    public const string SourceName = "HiggsAudio";

    private static readonly ConcurrentDictionary<HiggsAudioEngineProvider, byte> Providers = [];

    internal static ActivitySource Source { get; } = new(SourceName);

    internal static Meter Meter { get; } = new(SourceName);

    internal static void Add(HiggsAudioEngineProvider provider) => Providers[provider] = 0;

    internal static void Remove(HiggsAudioEngineProvider provider) => Providers.TryRemove(provider, out _);
}
