using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace HiggsAudio.Server.Http;

/// <summary>Writes events (text/event-stream), each at once.</summary>
internal sealed class ServerSentEvents(HttpContext http)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly PipeWriter _body = http.Response.BodyWriter;

    /// <summary>Begins the answer.</summary>
    public void Begin()
    {
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        http.Response.Headers["X-Accel-Buffering"] = "no";   // nginx passes events on at once
    }

    /// <summary>Writes an event.</summary>
    /// <param name="name">Its name; null for none.</param>
    /// <param name="value">Its data.</param>
    /// <param name="type">How the data is written.</param>
    /// <param name="cancellationToken">Ends, two seconds later, the waiting for a slow reader.</param>
    public async Task WriteAsync<T>(string? name, T value, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        if (name is not null)
            Encoding.ASCII.GetBytes($"event: {name}\n", _body);
        Encoding.ASCII.GetBytes("data: ", _body);
        using (var json = new Utf8JsonWriter(_body))
            JsonSerializer.Serialize(json, value, type);
        Encoding.ASCII.GetBytes("\n\n", _body);
        await FlushAsync(cancellationToken);
    }

    /// <summary>Writes OpenAI's last event of a chat.</summary>
    public Task WriteDoneAsync(CancellationToken cancellationToken)
    {
        Encoding.ASCII.GetBytes("data: [DONE]\n\n", _body);
        return FlushAsync(cancellationToken);
    }

    // Kestrel cuts the connection when a flush is cancelled, and the event that says why could not follow: a reader that is only slow gets some time.
    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource();
        using CancellationTokenRegistration end = cancellationToken.Register(() => late.CancelAfter(Patience));
        FlushResult flushed = await _body.FlushAsync(late.Token);
        if (flushed.IsCompleted)
            throw new OperationCanceledException("The reader left.");
    }
}
