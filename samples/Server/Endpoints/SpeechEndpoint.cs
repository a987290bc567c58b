using System.Globalization;
using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Http;
using HiggsAudio.Server.Model;
using HiggsAudio.Server.Telemetry;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Endpoints;

/// <summary>POST /v1/audio/speech.</summary>
internal sealed class SpeechEndpoint(ITextToSpeechClient client, HiggsAudioServeEngine engine, SpeechPlanner planner,
    WorkScopes scopes, ModelNames models, ServerMetrics metrics, IOptions<ServerOptions> options)
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/audio/speech", (SpeechRequest request, HttpContext http, SpeechEndpoint endpoint) => endpoint.HandleAsync(request, http))
            .WithName("createSpeech").WithTags("Audio").WithSummary("Speaks a text.")
            .Produces(StatusCodes.Status200OK, contentType: "audio/wav", additionalContentTypes: ["audio/pcm", "text/event-stream"])
            .WithErrors();

    private async Task<EmptyHttpResult> HandleAsync(SpeechRequest request, HttpContext http)
    {
        using RequestMeter meter = metrics.Begin("speech");
        models.Check(request.Model);
        SpeechOrder order = SpeechOrder.Read(request, options.Value.Limits);
        using WorkScope work = await scopes.EnterAsync(http);
        try
        {
            SpeechPlan plan = await planner.PlanAsync(order, work.Token);
            await using var speech = new SpeechReader(client, plan, engine.SamplingRate, meter, work.Token);
            await speech.NextAsync();   // what is wrong with the request shows before the first sound
            if (order.Delivery == Delivery.Whole)
                await WriteWholeAsync(http, order, speech, work.Token);
            else if (order.Delivery == Delivery.Bytes)
                await WriteBytesAsync(http, order, speech, work.Token);
            else if (!await WriteEventsAsync(http, order, speech, work))
                return TypedResults.Empty;
            meter.Succeed();
        }
        catch (OperationCanceledException cancelled)
        {
            throw work.Explain(cancelled);
        }
        return TypedResults.Empty;
    }

    private static async Task WriteWholeAsync(HttpContext http, SpeechOrder order, SpeechReader speech, CancellationToken cancellationToken)
    {
        using var samples = new MemoryStream();
        while (speech.Current is { } piece)
        {
            samples.Write(piece.Span);
            await speech.NextAsync();
        }
        byte[] bytes = Sound.Encode(samples.GetBuffer().AsSpan(0, (int)samples.Length), speech.SamplingRate, order.Format);
        WriteHeaders(http, order, speech);
        SpeechUsage usage = speech.Usage;
        AddNumber(http, "x-vllm-omni-input-tokens", usage.InputTokens);
        AddNumber(http, "x-vllm-omni-output-tokens", usage.OutputTokens);
        AddNumber(http, "x-vllm-omni-total-tokens", usage.TotalTokens);
        AddNumber(http, "x-vllm-omni-input-text-tokens", usage.InputTokenDetails.TextTokens);
        AddNumber(http, "x-vllm-omni-input-audio-tokens", usage.InputTokenDetails.AudioTokens);
        http.Response.Headers["x-finish-reason"] = speech.FinishReason;
        http.Response.ContentLength = bytes.Length;
        await http.Response.Body.WriteAsync(bytes, cancellationToken);
    }

    private static async Task WriteBytesAsync(HttpContext http, SpeechOrder order, SpeechReader speech, CancellationToken cancellationToken)
    {
        WriteHeaders(http, order, speech);
        await http.Response.Body.WriteAsync(Sound.StreamHeader(speech.SamplingRate, order.Format), cancellationToken);
        while (speech.Current is { } piece)
        {
            await http.Response.Body.WriteAsync(piece, cancellationToken);
            await http.Response.Body.FlushAsync(cancellationToken);
            await speech.NextAsync();
        }
        await http.Response.CompleteAsync();
    }

    private static async Task<bool> WriteEventsAsync(HttpContext http, SpeechOrder order, SpeechReader speech, WorkScope work)
    {
        var events = new ServerSentEvents(http);
        events.Begin();
        string format = Sound.Name(order.Format);
        byte[] header = Sound.StreamHeader(speech.SamplingRate, order.Format);
        try
        {
            while (speech.Current is { } piece)
            {
                await events.WriteAsync("speech.audio.delta", new SpeechDelta("speech.audio.delta", [.. header, .. piece.Span], format),
                    ServerJson.Default.SpeechDelta, work.Token);
                header = [];
                await speech.NextAsync();
            }
        }
        catch (Exception problem) when (!http.RequestAborted.IsCancellationRequested)
        {
            ApiException told = ErrorHandling.Report(http, problem is OperationCanceledException cancelled ? work.Explain(cancelled) : problem);
            await events.WriteAsync("speech.audio.error", new SpeechError("speech.audio.error", ErrorHandling.ToDetail(told)), ServerJson.Default.SpeechError, http.RequestAborted);
            return false;
        }
        await events.WriteAsync("speech.audio.done", new SpeechDone("speech.audio.done", speech.Usage, speech.FinishReason), ServerJson.Default.SpeechDone, work.Token);
        return true;
    }

    private static void WriteHeaders(HttpContext http, SpeechOrder order, SpeechReader speech)
    {
        http.Response.ContentType = Sound.MediaType(order.Format);
        AddNumber(http, "x-sample-rate", speech.SamplingRate);
    }

    private static void AddNumber(HttpContext http, string name, int value) => http.Response.Headers[name] = value.ToString(CultureInfo.InvariantCulture);
}
