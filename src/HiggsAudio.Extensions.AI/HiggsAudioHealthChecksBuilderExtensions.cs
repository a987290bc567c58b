using HiggsAudio.Extensions.AI;
using HiggsAudio.Extensions.AI.Hosting;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the health check of Higgs Audio.</summary>
public static class HiggsAudioHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds a check of an engine that was registered with <c>AddHiggsAudio</c>: healthy if it can take calls, or is loaded only when it is used;
    /// degraded if the queue is full; <paramref name="failureStatus"/> while it loads and after that failed. It never loads the engine.
    /// </summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="name">The check's name.</param>
    /// <param name="serviceKey">The key of the registration; null for the one without.</param>
    /// <param name="failureStatus">What it reports where the engine cannot take calls; <see cref="HealthStatus.Unhealthy"/> by default.</param>
    /// <param name="tags">The check's tags.</param>
    public static IHealthChecksBuilder AddHiggsAudio(this IHealthChecksBuilder builder, string name = "higgs-audio", object? serviceKey = null,
        HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(name,
            services => new HiggsAudioHealthCheck(HiggsAudioServiceCollectionExtensions.Find<HiggsAudioEngineProvider>(services, serviceKey)), failureStatus, tags));
    }
}
