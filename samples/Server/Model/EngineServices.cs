using HiggsAudio.Extensions.AI;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Model;

/// <summary>The engine and its voices, as services: <c>AddHiggsAudio</c> with what the server's configuration says.</summary>
internal static class EngineServices
{
    public static IServiceCollection AddEngine(this IServiceCollection services)
    {
        services.AddSingleton<VoiceFolder>();
        services.AddHiggsAudio(_ => { });
        services.AddOptions<HiggsAudioOptions>().Configure<IOptions<ServerOptions>, VoiceFolder>((engine, server, voices) => Configure(engine, server.Value, voices.Path));
        services.AddHealthChecks().AddHiggsAudio();
        return services;
    }

    private static void Configure(HiggsAudioOptions engine, ServerOptions server, string voices)
    {
        (engine.Model, engine.Codec, engine.ModelId) = (server.Model, server.Codec, server.ServedName);
        (engine.WeightFormat, engine.Device, engine.Threads) = (server.WeightFormat, server.Device, server.Threads);
        (engine.MaxContextLength, engine.KvCacheBytes) = (server.MaxContextLength, (long)server.KvCacheMegabytes << 20);
        (engine.MaxConcurrentRequests, engine.VoicesFolder, engine.Loading) = (server.Limits.ConcurrentRequests, voices, EngineLoading.AtStart);
        if (server.IsNano)
            engine.EngineFactory = (_, options, cancellationToken) => NanoVoice.LoadAsync(options, null, cancellationToken);
    }
}

/// <summary>Where voices are: the folder of the configuration, or a new one that goes with the server.</summary>
internal sealed class VoiceFolder : IDisposable
{
    private readonly bool _isTemporary;

    public VoiceFolder(IOptions<ServerOptions> options)
    {
        _isTemporary = options.Value.Voices is null;
        Path = _isTemporary ? Directory.CreateTempSubdirectory("higgs-audio-voices-").FullName : Directory.CreateDirectory(options.Value.Voices!).FullName;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    public void Dispose()
    {
        if (_isTemporary && Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }
}
