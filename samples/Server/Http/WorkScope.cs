using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Http;

/// <summary>Hands out what a request needs to work: a place, and a token that ends it when its reader leaves, its time is up or the server ends.</summary>
internal sealed class WorkScopes(Admission admission, Drain drain, IOptions<ServerOptions> options)
{
    /// <summary>Waits for a place.</summary>
    /// <exception cref="ApiException">There is none, or the server is stopping.</exception>
    public async Task<WorkScope> EnterAsync(HttpContext http)
    {
        if (drain.IsStopping)
        {
            http.Response.Headers.Connection = "close";
            throw ApiException.Stopping();
        }
        var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, drain.End);
        try
        {
            end.CancelAfter(TimeSpan.FromSeconds(options.Value.Limits.RequestSeconds));
            return new WorkScope(await admission.EnterAsync(end.Token), end, http.RequestAborted, drain.End);
        }
        catch
        {
            end.Dispose();
            throw;
        }
    }
}

/// <summary>A request at work.</summary>
internal sealed class WorkScope(IDisposable place, CancellationTokenSource end, CancellationToken readerLeft, CancellationToken serverEnds) : IDisposable
{
    /// <summary>Ends the work.</summary>
    public CancellationToken Token => end.Token;

    /// <summary>What the cancelling of <see cref="Token"/> means.</summary>
    public Exception Explain(OperationCanceledException cancelled) =>
        readerLeft.IsCancellationRequested || serverEnds.IsCancellationRequested || !end.IsCancellationRequested ? cancelled : new TimeoutException("The request took too long.", cancelled);

    public void Dispose()
    {
        place.Dispose();
        end.Dispose();
    }
}
