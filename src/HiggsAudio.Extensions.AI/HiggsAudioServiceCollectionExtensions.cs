using HiggsAudio;
using HiggsAudio.Extensions.AI;
using HiggsAudio.Extensions.AI.Hosting;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers Higgs Audio.</summary>
public static class HiggsAudioServiceCollectionExtensions
{
    /// <summary>
    /// Registers an engine and what is built on it, each as a singleton: <see cref="HiggsAudioEngineProvider"/> (loads it, once),
    /// <see cref="HiggsAudioServeEngine"/> (to ask for it is to load it), <see cref="VoiceLibrary"/> (if there is a folder of voices),
    /// <see cref="ITextToSpeechClient"/> and <see cref="IChatClient"/>. What is registered already stays. The options are checked when the program starts.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddHiggsAudio(this IServiceCollection services, Action<HiggsAudioOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return services.Add(null, options => options.Configure(configure), null);
    }

    /// <summary>As <see cref="AddHiggsAudio(IServiceCollection, Action{HiggsAudioOptions})"/>, with options from configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configuration">The section, customarily <see cref="HiggsAudioOptions.SectionName"/>.</param>
    /// <param name="configure">Sets what is not in the configuration; null for nothing.</param>
    public static IServiceCollection AddHiggsAudio(this IServiceCollection services, IConfiguration configuration, Action<HiggsAudioOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return services.Add(null, options => options.Bind(configuration).Configure(configure ?? Nothing), null);
    }

    /// <summary>As <see cref="AddHiggsAudio(IServiceCollection, Action{HiggsAudioOptions})"/>, with an engine that exists. It stays the caller's to dispose.</summary>
    /// <param name="services">The services.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="configure">Sets voices, queue and defaults; what says how to load has no effect. Null for nothing.</param>
    public static IServiceCollection AddHiggsAudio(this IServiceCollection services, HiggsAudioServeEngine engine, Action<HiggsAudioOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        return services.Add(null, options => options.Configure(configure ?? Nothing), engine);
    }

    /// <summary>As <see cref="AddHiggsAudio(IServiceCollection, Action{HiggsAudioOptions})"/>, as keyed services: for several engines in one program.</summary>
    /// <param name="services">The services.</param>
    /// <param name="serviceKey">The key; its text is the options' name.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddKeyedHiggsAudio(this IServiceCollection services, object serviceKey, Action<HiggsAudioOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(serviceKey);
        ArgumentNullException.ThrowIfNull(configure);
        return services.Add(serviceKey, options => options.Configure(configure), null);
    }

    /// <summary>As <see cref="AddHiggsAudio(IServiceCollection, IConfiguration, Action{HiggsAudioOptions}?)"/>, as keyed services.</summary>
    /// <inheritdoc cref="AddKeyedHiggsAudio(IServiceCollection, object, Action{HiggsAudioOptions})" path="/param[@name='serviceKey']"/>
    /// <inheritdoc cref="AddHiggsAudio(IServiceCollection, IConfiguration, Action{HiggsAudioOptions}?)" path="/param"/>
    public static IServiceCollection AddKeyedHiggsAudio(this IServiceCollection services, object serviceKey, IConfiguration configuration,
        Action<HiggsAudioOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(serviceKey);
        ArgumentNullException.ThrowIfNull(configuration);
        return services.Add(serviceKey, options => options.Bind(configuration).Configure(configure ?? Nothing), null);
    }

    /// <summary>As <see cref="AddHiggsAudio(IServiceCollection, HiggsAudioServeEngine, Action{HiggsAudioOptions}?)"/>, as keyed services.</summary>
    /// <inheritdoc cref="AddKeyedHiggsAudio(IServiceCollection, object, Action{HiggsAudioOptions})" path="/param[@name='serviceKey']"/>
    /// <inheritdoc cref="AddHiggsAudio(IServiceCollection, HiggsAudioServeEngine, Action{HiggsAudioOptions}?)" path="/param"/>
    public static IServiceCollection AddKeyedHiggsAudio(this IServiceCollection services, object serviceKey, HiggsAudioServeEngine engine,
        Action<HiggsAudioOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(serviceKey);
        ArgumentNullException.ThrowIfNull(engine);
        return services.Add(serviceKey, options => options.Configure(configure ?? Nothing), engine);
    }

    private static void Nothing(HiggsAudioOptions options)
    {
    }

    private static IServiceCollection Add(this IServiceCollection services, object? key, Action<OptionsBuilder<HiggsAudioOptions>> configure, HiggsAudioServeEngine? engine)
    {
        ArgumentNullException.ThrowIfNull(services);
        string name = key?.ToString() ?? Options.Options.DefaultName;
        OptionsBuilder<HiggsAudioOptions> options = services.AddOptions<HiggsAudioOptions>(name).ValidateOnStart();
        configure(options);
        if (services.Any(service => service.ServiceType == typeof(HiggsAudioEngineProvider) && Equals(service.ServiceKey, key)))
            return services;
        services.AddSingleton<IValidateOptions<HiggsAudioOptions>>(new HiggsAudioOptionsValidator(name, engine is not null));
        services.AddKeyed(key, provider => Provider(provider, name, engine));
        services.AddSingleton<IHostedService>(provider => new EngineStart(Find<HiggsAudioEngineProvider>(provider, key)));
        // An instance that was handed in is not disposed by the services.
        if (engine is not null && key is null)
            services.AddSingleton(engine);
        else if (engine is not null)
            services.AddKeyedSingleton(key, engine);
        else
            services.AddKeyed(key, provider => Find<HiggsAudioEngineProvider>(provider, key).GetEngineAsync().AsTask().GetAwaiter().GetResult());
        services.AddKeyed(key, provider => Voices(Find<HiggsAudioEngineProvider>(provider, key)));
        services.AddKeyed<ITextToSpeechClient>(key, provider =>
            new HiggsAudioTextToSpeechClient(Find<HiggsAudioEngineProvider>(provider, key), provider.GetService<ILogger<HiggsAudioTextToSpeechClient>>()));
        services.AddKeyed<IChatClient>(key, provider =>
            new HiggsAudioChatClient(Find<HiggsAudioEngineProvider>(provider, key), provider.GetService<ILogger<HiggsAudioChatClient>>()));
        return services;
    }

    private static HiggsAudioEngineProvider Provider(IServiceProvider services, string name, HiggsAudioServeEngine? engine)
    {
        HiggsAudioOptions options = services.GetRequiredService<IOptionsMonitor<HiggsAudioOptions>>().Get(name);
        if (engine is not null)
            return new HiggsAudioEngineProvider(engine, options);
        ILogger logger = services.GetService<ILoggerFactory>()?.CreateLogger<HiggsAudioEngineProvider>() ?? NullLogger<HiggsAudioEngineProvider>.Instance;
        return new HiggsAudioEngineProvider((progress, cancellationToken) => options.EngineFactory is { } factory
            ? factory(services, options.ToEngineOptions(), cancellationToken)
            : HiggsAudioServeEngine.LoadAsync(options.Model!, options.Codec!, options.ToEngineOptions(), progress, cancellationToken), options, logger);
    }

    private static VoiceLibrary Voices(HiggsAudioEngineProvider provider) => provider.GetVoicesAsync().AsTask().GetAwaiter().GetResult()
        ?? throw new InvalidOperationException($"There is no library of voices: {HiggsAudioOptions.SectionName}:{nameof(HiggsAudioOptions.VoicesFolder)} is not set.");

    internal static T Find<T>(IServiceProvider services, object? key) where T : notnull =>
        key is null ? services.GetRequiredService<T>() : services.GetRequiredKeyedService<T>(key);

    internal static void AddKeyed<T>(this IServiceCollection services, object? key, Func<IServiceProvider, T> create) where T : class
    {
        if (key is null)
            services.TryAddSingleton(create);
        else
            services.TryAddKeyedSingleton(key, (provider, _) => create(provider));
    }
}
