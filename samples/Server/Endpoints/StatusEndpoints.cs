using System.Reflection;
using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Http;
using HiggsAudio.Server.Model;
using HiggsAudio.Server.Telemetry;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Endpoints;

/// <summary>What the server is, and how it is.</summary>
internal static class StatusEndpoints
{
    private static readonly DateTimeOffset Started = DateTimeOffset.UtcNow;

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/models", (ModelNames names, HiggsAudioServeEngine engine, IOptions<ServerOptions> options) =>
                TypedResults.Ok(new ModelList("list", [Card(names, engine, options.Value)])))
            .WithName("listModels").WithTags("Models").WithSummary("The model.").WithErrors();
        routes.MapGet("/v1/models/{*model}", (string model, ModelNames names, HiggsAudioServeEngine engine, IOptions<ServerOptions> options) =>
            {
                names.Check(model);
                return TypedResults.Ok(Card(names, engine, options.Value));
            })
            .WithName("retrieveModel").WithTags("Models").WithSummary("The model.").WithErrors();
        routes.MapGet("/health", Health).WithName("health").WithTags("Status").WithSummary("200 if it works, 503 if it is stopping or failed.")
            .Produces<HealthInfo>(StatusCodes.Status503ServiceUnavailable);
        routes.MapGet("/version", () => TypedResults.Ok(new VersionInfo(Version))).WithName("version").WithTags("Status").WithSummary("The server's version.");
        routes.MapGet("/metrics", (PrometheusText metrics) => TypedResults.Text(metrics.Write(), "text/plain; version=0.0.4; charset=utf-8"))
            .WithName("metrics").WithTags("Status").WithSummary("Counters, for Prometheus.");
    }

    private static string Version => typeof(StatusEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    private static async Task<JsonHttpResult<HealthInfo>> Health(HealthCheckService checks, Admission admission, Drain drain, CancellationToken cancellationToken)
    {
        HealthReport report = await checks.CheckHealthAsync(cancellationToken);
        bool works = report.Status != HealthStatus.Unhealthy && !drain.IsStopping;
        string status = drain.IsStopping ? "stopping" : works ? "ok" : "failed";
        return TypedResults.Json(new HealthInfo(status, admission.Active, admission.Queued), ServerJson.Default.HealthInfo,
            statusCode: works ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    private static ModelCard Card(ModelNames names, HiggsAudioServeEngine engine, ServerOptions options) =>
        new(names.Served, "model", Started.ToUnixTimeSeconds(), options.IsNano ? "higgs-audio-dotnet" : "bosonai", options.MaxContextLength, engine.SamplingRate, !options.IsNano);
}
