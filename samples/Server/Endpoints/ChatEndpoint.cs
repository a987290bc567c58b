using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Http;
using HiggsAudio.Server.Model;
using HiggsAudio.Server.Telemetry;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Endpoints;

/// <summary>POST /v1/chat/completions.</summary>
internal sealed class ChatEndpoint(HiggsAudioServeEngine engine, ConversationReader conversations, AudioMemory memory, WorkScopes scopes, ModelNames models, ServerMetrics metrics,
    IOptions<ServerOptions> options)
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/chat/completions", (ChatRequest request, HttpContext http, ChatEndpoint endpoint) => endpoint.HandleAsync(request, http))
            .WithName("createChatCompletion").WithTags("Chat").WithSummary("Continues a conversation of text and sound.")
            .Produces<ChatResponse>(StatusCodes.Status200OK, "application/json", "text/event-stream")
            .WithErrors();

    private async Task<EmptyHttpResult> HandleAsync(ChatRequest request, HttpContext http)
    {
        using RequestMeter meter = metrics.Begin("chat");
        models.Check(request.Model);
        ChatOrder order = ChatOrder.Read(request, options.Value);
        IReadOnlyList<Message> messages = conversations.Read(request.Messages);
        using WorkScope work = await scopes.EnterAsync(http);
        try
        {
            ChatMLSample sample = await conversations.WithVoiceAsync(messages, order.Voice, work.Token);
            var answer = new ChatAnswer(engine, order, models.Served, memory, meter);
            await using IAsyncEnumerator<HiggsAudioStreamerDelta> deltas =
                engine.GenerateDeltaStreamAsync(sample, order.Generation, order.Pieces, work.Token).GetAsyncEnumerator(work.Token);
            bool any = await deltas.MoveNextAsync();   // what is wrong with the request shows before the first step
            if (!order.IsStream)
                await WriteAsync(http, answer, deltas, any, work.Token);
            else if (!await StreamAsync(http, answer, deltas, any, order.IncludeUsage, work))
                return TypedResults.Empty;
            meter.Succeed();
        }
        catch (OperationCanceledException cancelled)
        {
            throw work.Explain(cancelled);
        }
        return TypedResults.Empty;
    }

    private static async Task WriteAsync(HttpContext http, ChatAnswer answer, IAsyncEnumerator<HiggsAudioStreamerDelta> deltas, bool any, CancellationToken cancellationToken)
    {
        for (; any; any = await deltas.MoveNextAsync())
            answer.Add(deltas.Current);
        await http.Response.WriteAsJsonAsync(answer.Whole(), ServerJson.Default.ChatResponse, cancellationToken: cancellationToken);
    }

    private static async Task<bool> StreamAsync(HttpContext http, ChatAnswer answer, IAsyncEnumerator<HiggsAudioStreamerDelta> deltas, bool any, bool includeUsage, WorkScope work)
    {
        var events = new ServerSentEvents(http);
        events.Begin();
        try
        {
            await WriteEventAsync(answer.Begin());
            for (; any; any = await deltas.MoveNextAsync())
                if (answer.Add(deltas.Current) is { } piece)
                    await WriteEventAsync(piece);
            await WriteEventAsync(answer.End());
            if (includeUsage)
                await WriteEventAsync(answer.UsageAlone());
        }
        catch (Exception problem) when (!http.RequestAborted.IsCancellationRequested)
        {
            ApiException told = ErrorHandling.Report(http, problem is OperationCanceledException cancelled ? work.Explain(cancelled) : problem);
            await events.WriteAsync(null, new ErrorResponse(ErrorHandling.ToDetail(told)), ServerJson.Default.ErrorResponse, http.RequestAborted);
            return false;
        }
        await events.WriteDoneAsync(work.Token);
        return true;

        Task WriteEventAsync(ChatResponse piece) => events.WriteAsync(null, piece, ServerJson.Default.ChatResponse, work.Token);
    }
}
