using HiggsAudio.Extensions.AI;
using HiggsAudio.Extensions.AI.Hosting;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers Higgs Audio on a server.</summary>
public static class HiggsAudioRemoteServiceCollectionExtensions
{
    /// <summary>
    /// Registers a <see cref="HiggsAudioRemoteClient"/> and, as the same object, <see cref="ITextToSpeechClient"/> and <see cref="IChatClient"/>. What is registered
    /// already stays. The options are checked when the program starts; the server is not asked then.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddHiggsAudioRemote(this IServiceCollection services, Action<HiggsAudioRemoteOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return services.AddRemote(null, options => options.Configure(configure));
    }

    /// <summary>As <see cref="AddHiggsAudioRemote(IServiceCollection, Action{HiggsAudioRemoteOptions})"/>, with options from configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configuration">The section, customarily <see cref="HiggsAudioRemoteOptions.SectionName"/>.</param>
    /// <param name="configure">Sets what is not in the configuration; null for nothing.</param>
    public static IServiceCollection AddHiggsAudioRemote(this IServiceCollection services, IConfiguration configuration, Action<HiggsAudioRemoteOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return services.AddRemote(null, options => options.Bind(configuration).Configure(configure ?? Nothing));
    }

    /// <summary>As <see cref="AddHiggsAudioRemote(IServiceCollection, Action{HiggsAudioRemoteOptions})"/>, as keyed services: for several servers in one program.</summary>
    /// <param name="services">The services.</param>
    /// <param name="serviceKey">The key; its text is the options' name.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddKeyedHiggsAudioRemote(this IServiceCollection services, object serviceKey, Action<HiggsAudioRemoteOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(serviceKey);
        ArgumentNullException.ThrowIfNull(configure);
        return services.AddRemote(serviceKey, options => options.Configure(configure));
    }

    /// <summary>As <see cref="AddHiggsAudioRemote(IServiceCollection, IConfiguration, Action{HiggsAudioRemoteOptions}?)"/>, as keyed services.</summary>
    /// <inheritdoc cref="AddKeyedHiggsAudioRemote(IServiceCollection, object, Action{HiggsAudioRemoteOptions})" path="/param[@name='serviceKey']"/>
    /// <inheritdoc cref="AddHiggsAudioRemote(IServiceCollection, IConfiguration, Action{HiggsAudioRemoteOptions}?)" path="/param"/>
    public static IServiceCollection AddKeyedHiggsAudioRemote(this IServiceCollection services, object serviceKey, IConfiguration configuration,
        Action<HiggsAudioRemoteOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(serviceKey);
        ArgumentNullException.ThrowIfNull(configuration);
        return services.AddRemote(serviceKey, options => options.Bind(configuration).Configure(configure ?? Nothing));
    }

    /// <summary>Adds a check that asks a server that was registered with <c>AddHiggsAudioRemote</c> whether it is well (<c>GET /health</c>).</summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="name">The check's name.</param>
    /// <param name="serviceKey">The key of the registration; null for the one without.</param>
    /// <param name="failureStatus">What it reports where the server is not well; <see cref="HealthStatus.Unhealthy"/> by default.</param>
    /// <param name="tags">The check's tags.</param>
    public static IHealthChecksBuilder AddHiggsAudioRemote(this IHealthChecksBuilder builder, string name = "higgs-audio-remote", object? serviceKey = null,
        HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(name,
            services => new RemoteHealthCheck(HiggsAudioServiceCollectionExtensions.Find<HiggsAudioRemoteClient>(services, serviceKey)), failureStatus, tags));
    }

    private static void Nothing(HiggsAudioRemoteOptions options)
    {
    }

    private static IServiceCollection AddRemote(this IServiceCollection services, object? key, Action<OptionsBuilder<HiggsAudioRemoteOptions>> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        string name = key?.ToString() ?? Options.Options.DefaultName;
        OptionsBuilder<HiggsAudioRemoteOptions> options = services.AddOptions<HiggsAudioRemoteOptions>(name).ValidateOnStart();
        configure(options);
        if (services.Any(service => service.ServiceType == typeof(HiggsAudioRemoteClient) && Equals(service.ServiceKey, key)))
            return services;
        services.AddSingleton<IValidateOptions<HiggsAudioRemoteOptions>>(new RemoteOptionsValidator(name));
        services.AddKeyed(key, provider => Client(provider, name));
        services.AddKeyed<ITextToSpeechClient>(key, provider => HiggsAudioServiceCollectionExtensions.Find<HiggsAudioRemoteClient>(provider, key));
        services.AddKeyed<IChatClient>(key, provider => HiggsAudioServiceCollectionExtensions.Find<HiggsAudioRemoteClient>(provider, key));
        return services;
    }

    private static HiggsAudioRemoteClient Client(IServiceProvider services, string name)
    {
        HiggsAudioRemoteOptions options = services.GetRequiredService<IOptionsMonitor<HiggsAudioRemoteOptions>>().Get(name);
        return new HiggsAudioRemoteClient(options, options.HttpClientFactory?.Invoke(services), services.GetService<ILogger<HiggsAudioRemoteClient>>());
    }
}
