using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Hosting;

/// <summary>What the health check says before, during and after the loading, and when the queue is full.</summary>
internal sealed class HealthCheckTests
{
    [Test]
    public async Task It_follows_the_engine()
    {
        var release = new TaskCompletionSource<HiggsAudioServeEngine>();
        await using ServiceProvider services = Services(options =>
        {
            options.Loading = EngineLoading.InBackground;
            options.MaxConcurrentRequests = 1;
            options.MaxQueuedRequests = 1;
            options.EngineFactory = (_, _, _) => release.Task;
        });
        var provider = services.GetRequiredService<HiggsAudioEngineProvider>();
        Assert.That(await CheckAsync(services), Is.EqualTo((HealthStatus.Unhealthy, "The engine is not loaded yet.")));
        Task<HiggsAudioServeEngine> loading = provider.GetEngineAsync().AsTask();
        (HealthStatus status, string? description) = await CheckAsync(services);
        Assert.That(status, Is.EqualTo(HealthStatus.Unhealthy));
        Assert.That(description, Does.Contain("being loaded"));
        release.SetResult(NanoVoice.Load(new EngineOptions { Threads = 1 }));
        await loading;
        Assert.That((await CheckAsync(services)).Status, Is.EqualTo(HealthStatus.Healthy));
        using (provider.Admission.Enter())
        using (provider.Admission.Enter())
        {
            Assert.That((await CheckAsync(services)).Status, Is.EqualTo(HealthStatus.Degraded));
            Assert.That(() => provider.Admission.Enter(), Throws.TypeOf<EngineBusyException>().With.Property("IsTransient").True);
        }
        Assert.That((await CheckAsync(services)).Status, Is.EqualTo(HealthStatus.Healthy));
    }

    [Test]
    public async Task A_failure_to_load_is_told()
    {
        await using ServiceProvider services = Services(options => options.EngineFactory = (_, _, _) => throw new IOException("the disk is gone"));
        Assert.That((await CheckAsync(services)).Status, Is.EqualTo(HealthStatus.Healthy), "it is loaded on first use");
        Assert.That(async () => await services.GetRequiredService<HiggsAudioEngineProvider>().GetEngineAsync(), Throws.InstanceOf<IOException>());
        (HealthStatus status, string? description) = await CheckAsync(services);
        Assert.That(status, Is.EqualTo(HealthStatus.Unhealthy));
        Assert.That(description, Does.Contain("the disk is gone"));
    }

    private static ServiceProvider Services(Action<HiggsAudioOptions> configure)
    {
        IServiceCollection services = new ServiceCollection().AddLogging().AddHiggsAudio(configure);
        services.AddHealthChecks().AddHiggsAudio();
        return services.BuildServiceProvider();
    }

    private static async Task<(HealthStatus Status, string? Description)> CheckAsync(ServiceProvider services)
    {
        HealthReport report = await services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        return (report.Status, report.Entries["higgs-audio"].Description);
    }
}
