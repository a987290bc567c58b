using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Endpoints;
using HiggsAudio.Server.Http;
using HiggsAudio.Server.Model;
using HiggsAudio.Server.Telemetry;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server;

/// <summary>Puts the server together.</summary>
internal static class ServerApp
{
    /// <summary>A server with its model loaded, ready to be started.</summary>
    /// <param name="args">The command line, see <see cref="CommandLine.Help"/>.</param>
    /// <param name="configure">Changes it before it is built; for tests.</param>
    /// <exception cref="OptionsValidationException">The configuration makes no sense.</exception>
    /// <exception cref="IOException">The model cannot be read.</exception>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration.AddCommandLine(args, CommandLine.Switches);
        builder.WebHost.UseKestrelHttpsConfiguration();
        AddServices(builder);
        configure?.Invoke(builder);
        WebApplication app = builder.Build();
        Load(app);
        UseMiddleware(app);
        MapEndpoints(app);
        return app;
    }

    private static void AddServices(WebApplicationBuilder builder)
    {
        IServiceCollection services = builder.Services;
        services.AddOptions<ServerOptions>().Bind(builder.Configuration.GetSection(ServerOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ServerOptions>, ServerOptionsValidator>();
        services.AddOptions<KestrelServerOptions>().Configure<IOptions<ServerOptions>>((kestrel, options) => Limit(kestrel, options.Value.Limits));
        services.AddOptions<HostOptions>().Configure<IOptions<ServerOptions>>((host, options) =>
            host.ShutdownTimeout = TimeSpan.FromSeconds(options.Value.Limits.ShutdownSeconds + 5));   // some time for ends after the end
        services.Configure<RouteHandlerOptions>(route => route.ThrowOnBadRequest = true);             // ErrorHandling says what was wrong
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, ServerJson.Default);
            json.SerializerOptions.PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.SnakeCaseLower;
            json.SerializerOptions.NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.Strict;
            json.SerializerOptions.DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull;
            json.SerializerOptions.MaxDepth = 32;
        });
        services.AddOpenApi(openApi => openApi
            .AddDocumentTransformer((document, _, _) => OpenApiDocument.DescribeAsync(document))
            .AddOperationTransformer((operation, _, _) => OpenApiDocument.DescribeOperationAsync(operation))
            .AddSchemaTransformer((schema, context, _) => OpenApiDocument.DescribeSchemaAsync(schema, context)));
        services.AddCors();
        services.AddEngine();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<VoiceCatalog>().AddSingleton<UploadedVoices>().AddSingleton<SpeechPlanner>().AddSingleton<ConversationReader>().AddSingleton<AudioMemory>().AddSingleton<ModelNames>();
        services.AddSingleton<Admission>().AddSingleton<Drain>().AddSingleton<WorkScopes>();
        services.AddSingleton<PrometheusText>().AddSingleton<ServerMetrics>();
        services.AddSingleton<SpeechEndpoint>().AddSingleton<ChatEndpoint>().AddSingleton<VoiceEndpoints>();
    }

    private static void Limit(KestrelServerOptions kestrel, LimitOptions limits)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = limits.BodyBytes;
        kestrel.Limits.MaxConcurrentConnections = limits.Connections;
        kestrel.Limits.MinResponseDataRate = limits.ReaderBytesPerSecond == 0 ? null : new MinDataRate(limits.ReaderBytesPerSecond, TimeSpan.FromSeconds(5));
    }

    // Before the first request: it shall not wait for the model, and what is wrong with the configuration shall show now.
    private static void Load(WebApplication app)
    {
        ServerOptions options = app.Services.GetRequiredService<IOptions<ServerOptions>>().Value;
        ILogger log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("HiggsAudio.Server");
        ServerLog.Loading(log, options.ServedName);
        app.Services.GetRequiredService<HiggsAudioServeEngine>();
        app.Services.GetRequiredService<PrometheusText>();   // listens before others measure
        app.Services.GetRequiredService<ServerMetrics>();
        app.Services.GetRequiredService<Drain>();
        string voices = app.Services.GetRequiredService<VoiceFolder>().Path;
        ServerLog.Loaded(log, options.ServedName, voices);
    }

    private static void UseMiddleware(WebApplication app)
    {
        app.UseMiddleware<ErrorHandling>();
        string[] origins = app.Services.GetRequiredService<IOptions<ServerOptions>>().Value.CorsOrigins;
        if (origins.Length > 0)
            app.UseCors(cors => cors.WithOrigins(origins).AllowAnyHeader().AllowAnyMethod());
        app.UseMiddleware<OriginCheck>();
        app.UseMiddleware<ApiKeys>();
    }

    private static void MapEndpoints(WebApplication app)
    {
        SpeechEndpoint.Map(app);
        ChatEndpoint.Map(app);
        VoiceEndpoints.Map(app);
        StatusEndpoints.Map(app);
        PageEndpoints.Map(app);
        app.MapOpenApi();
    }
}

/// <summary>What the server logs at start.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Loading {Model}")]
    public static partial void Loading(ILogger log, string model);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Model} is loaded; voices are in {Folder}")]
    public static partial void Loaded(ILogger log, string model, string folder);
}
