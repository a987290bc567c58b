using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace HiggsAudio.Core.Tests.Hub;

/// <summary>What a client asked for.</summary>
internal sealed record Request(string Method, string Target, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The path without the query.</summary>
    public string Path => Target.Split('?')[0];

    /// <summary>The first byte asked for.</summary>
    public long From => Headers.TryGetValue("Range", out string? range) ? long.Parse(range["bytes=".Length..].TrimEnd('-')) : 0;
}

/// <summary>What it gets, truthful or not.</summary>
internal sealed record Reply(int Status, byte[] Body)
{
    public Dictionary<string, string> Headers { get; } = [];

    /// <summary>What Content-Length says, if not the truth.</summary>
    public long? Announced { get; init; }

    /// <summary>After how many bytes of the body the connection is cut.</summary>
    public int? CutAfter { get; init; }

    /// <summary>Whether the connection stays open without another byte once it is cut.</summary>
    public bool Stall { get; init; }

    /// <summary>Waited for before the answer.</summary>
    public Task? Before { get; init; }

    public static Reply Text(int status, string text) => new(status, Encoding.UTF8.GetBytes(text));

    public Reply With(string header, string value)
    {
        Headers[header] = value;
        return this;
    }
}

/// <summary>A server of HTTP/1.1 on a port of the loopback address that says exactly what a test wants.</summary>
internal sealed class LoopbackServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Func<Request, Reply> _answer;

    public LoopbackServer(Func<Request, Reply> answer)
    {
        _answer = answer;
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _ = AcceptAsync();
    }

    public Uri Address { get; }

    public ConcurrentQueue<Request> Requests { get; } = [];

    private async Task AcceptAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_end.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.Latin1, false, 1024, leaveOpen: true);
                while (await ReadAsync(reader) is { } request)
                {
                    Requests.Enqueue(request);
                    Reply reply = _answer(request);
                    if (reply.Before is not null)
                        await reply.Before;
                    if (!await WriteAsync(stream, request, reply))
                        return;
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // The client went away, or the server ends.
            }
        }
    }

    private static async Task<Request?> ReadAsync(StreamReader reader)
    {
        if (await reader.ReadLineAsync() is not { Length: > 0 } line)
            return null;
        string[] parts = line.Split(' ');
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync() is { Length: > 0 } header)
            headers[header[..header.IndexOf(':', StringComparison.Ordinal)]] = header[(header.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        return new Request(parts[0], parts[1], headers);
    }

    // Returns whether the connection can be used again.
    private async Task<bool> WriteAsync(NetworkStream stream, Request request, Reply reply)
    {
        bool whole = reply.CutAfter is null && reply.Announced is null;
        var head = new StringBuilder($"HTTP/1.1 {reply.Status} Reason\r\nContent-Length: {reply.Announced ?? reply.Body.Length}\r\n");
        foreach ((string name, string value) in reply.Headers)
            head.Append($"{name}: {value}\r\n");
        head.Append(whole ? "\r\n" : "Connection: close\r\n\r\n");
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head.ToString()), _end.Token);
        if (request.Method != "HEAD")
            await stream.WriteAsync(reply.Body.AsMemory(0, Math.Min(reply.CutAfter ?? int.MaxValue, reply.Body.Length)), _end.Token);
        await stream.FlushAsync(_end.Token);
        if (reply.Stall)
            await Task.Delay(Timeout.Infinite, _end.Token);
        return whole;
    }

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _end.Dispose();
    }
}
