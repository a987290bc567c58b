using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace HiggsAudio.Extensions.AI.Hosting;

/// <summary>
/// Healthy if the engine can take calls, or is loaded only when it is used; degraded if the queue is full; the registration's failure status
/// while it loads and after that failed.
/// </summary>
internal sealed class HiggsAudioHealthCheck(HiggsAudioEngineProvider provider) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Check(context.Registration.FailureStatus));

    private HealthCheckResult Check(HealthStatus failure)
    {
        if (provider.Engine is { } engine)
        {
            var data = new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["active_requests"] = engine.ActiveRequests,
                ["waiting_requests"] = engine.WaitingRequests,
                ["kv_cache_bytes"] = engine.KvCacheBytesInUse,
                ["prefix_cache_bytes"] = engine.PrefixCacheBytesInUse,
            };
            return provider.Admission.IsFull ? HealthCheckResult.Degraded("The queue is full.", data: data) : HealthCheckResult.Healthy("The engine is loaded.", data);
        }
        if (provider.IsLoading)
        {
            LoadProgress progress = provider.Progress;
            return new HealthCheckResult(failure, FormattableString.Invariant($"The engine is being loaded ({progress.Stage ?? "begin"}, {progress.Part:P0})."));
        }
        if (provider.Failure is { } problem)
            return new HealthCheckResult(failure, $"The engine could not be loaded: {problem.Message}", problem);
        return provider.Options.Loading == EngineLoading.OnFirstUse
            ? HealthCheckResult.Healthy("The engine is loaded when it is first used.")
            : new HealthCheckResult(failure, "The engine is not loaded yet.");
    }
}
