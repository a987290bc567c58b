using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Model;

/// <summary>The engine and its voices, as services.</summary>
internal static class EngineServices
{
    public static IServiceCollection AddEngine(this IServiceCollection services)
    {
        services.AddSingleton(provider => Load(provider.GetRequiredService<IOptions<ServerOptions>>().Value));
        services.AddSingleton<VoiceFolder>();
        services.AddSingleton(provider => new VoiceLibrary(provider.GetRequiredService<HiggsAudioServeEngine>(), provider.GetRequiredService<VoiceFolder>().Path));
        return services;
    }

    private static HiggsAudioServeEngine Load(ServerOptions options)
    {
        var engine = new EngineOptions
        {
            Threads = options.Threads,
            WeightFormat = options.Format,
            MaxContextLength = options.MaxContextLength,
            KvCacheBytes = (long)options.KvCacheMegabytes << 20,
            MaxConcurrentRequests = options.Limits.ConcurrentRequests,
        };
        return options.Model is null ? NanoVoice.Load(engine) : HiggsAudioServeEngine.Load(options.Model, options.Codec!, engine);
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
