using Microsoft.Extensions.Hosting;

namespace HiggsAudio.Extensions.AI.Hosting;

/// <summary>Loads the engine when the program starts, if the options say so.</summary>
internal sealed class EngineStart(HiggsAudioEngineProvider provider) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (provider.Options.Loading == EngineLoading.OnFirstUse)
            return;
        Task<HiggsAudioServeEngine> loading = provider.GetEngineAsync(cancellationToken).AsTask();
        if (provider.Options.Loading == EngineLoading.AtStart)
            await loading.ConfigureAwait(false);
        else
            _ = loading.ContinueWith(static failed => _ = failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
