using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace HiggsAudio.Extensions.AI.Tests.Remote;

/// <summary>A request as it came.</summary>
internal sealed record SeenRequest(string Line, string Head, byte[] Body)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;
}

/// <summary>An answer, byte by byte: its head, and its body in the pieces in which it is written to the connection.</summary>
internal sealed class FakeAnswer
{
    public int Status { get; init; } = 200;

    public string ContentType { get; init; } = "application/json";

    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>The pieces; each is a chunk of the chunked encoding.</summary>
    public IReadOnlyList<byte[]> Pieces { get; init; } = [];

    /// <summary>Whether the connection is closed without the chunk that ends a body.</summary>
    public bool IsCut { get; init; }

    /// <summary>Waits before each piece.</summary>
    public Func<int, Task>? BeforePiece { get; init; }

    public static FakeAnswer Json(string json, int status = 200) => new() { Status = status, Pieces = [Encoding.UTF8.GetBytes(json)] };

    /// <summary>Server-sent events, written in pieces of a length.</summary>
    public static FakeAnswer Events(int pieceLength, params string[] data) => new()
    {
        ContentType = "text/event-stream; charset=utf-8",
        Pieces = [.. Encoding.UTF8.GetBytes(string.Concat(data.Select(d => $"data: {d}\n\n"))).Chunk(pieceLength)],
    };

    /// <summary>Bytes, written in pieces of lengths that repeat.</summary>
    public static FakeAnswer Bytes(byte[] bytes, string contentType = "audio/mpeg", params int[] lengths)
    {
        var pieces = new List<byte[]>();
        for (int at = 0, i = 0; at < bytes.Length; i++)
        {
            int length = Math.Min(lengths.Length == 0 ? bytes.Length : lengths[i % lengths.Length], bytes.Length - at);
            pieces.Add(bytes[at..(at + length)]);
            at += length;
        }
        return new FakeAnswer { ContentType = contentType, Pieces = pieces };
    }
}

/// <summary>A server of HTTP/1.1 that writes exactly what it is told to, and closes the connection after each answer.</summary>
internal sealed class FakeServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<SeenRequest, int, FakeAnswer> _answer;
    private int _requests;

    /// <param name="answer">The answer to a request, and which it is, from 0.</param>
    public FakeServer(Func<SeenRequest, int, FakeAnswer> answer)
    {
        _answer = answer;
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    public FakeServer(FakeAnswer answer) : this((_, _) => answer)
    {
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public ConcurrentQueue<SeenRequest> Requests { get; } = [];

    /// <summary>Bytes of bodies that were written to connections so far.</summary>
    public long Written;

    /// <summary>Connections that the client ended before the answer was complete.</summary>
    public int Aborted;

    public void Dispose()
    {
        _stopping.Cancel();
        _listener.Stop();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            TcpClient client = await _listener.AcceptTcpClientAsync(_stopping.Token);
            _ = Task.Run(() => ServeAsync(client));
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using TcpClient connection = client;
        connection.NoDelay = true;
        connection.SendBufferSize = 8192;
        NetworkStream stream = connection.GetStream();
        SeenRequest request = await ReadAsync(stream);
        Requests.Enqueue(request);
        FakeAnswer answer = _answer(request, Interlocked.Increment(ref _requests) - 1);
        try
        {
            var head = new StringBuilder($"HTTP/1.1 {answer.Status} Reason\r\nContent-Type: {answer.ContentType}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n");
            foreach ((string name, string value) in answer.Headers)
                head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
            await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()), _stopping.Token);
            for (int i = 0; i < answer.Pieces.Count; i++)
            {
                if (answer.BeforePiece is not null)
                    await answer.BeforePiece(i);
                byte[] piece = answer.Pieces[i];
                await stream.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes($"{piece.Length:x}\r\n"), .. piece, .. "\r\n"u8], _stopping.Token);
                Interlocked.Add(ref Written, piece.Length);
            }
            if (!answer.IsCut)
                await stream.WriteAsync("0\r\n\r\n"u8.ToArray(), _stopping.Token);
        }
        catch (IOException)
        {
            Interlocked.Increment(ref Aborted);
        }
    }

    private static async Task<SeenRequest> ReadAsync(NetworkStream stream)
    {
        var bytes = new List<byte>();
        var buffer = new byte[4096];
        int end;
        while ((end = Encoding.ASCII.GetString([.. bytes]).IndexOf("\r\n\r\n", StringComparison.Ordinal)) < 0)
            bytes.AddRange(buffer[..await ReadSomeAsync()]);
        string head = Encoding.ASCII.GetString([.. bytes[..end]]);
        string? length = head.Split("\r\n").FirstOrDefault(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))?["Content-Length:".Length..];
        int total = end + 4 + int.Parse(length ?? "0", CultureInfo.InvariantCulture);
        while (bytes.Count < total)
            bytes.AddRange(buffer[..await ReadSomeAsync()]);
        return new SeenRequest(head[..head.IndexOf("\r\n", StringComparison.Ordinal)], head, [.. bytes[(end + 4)..total]]);

        async Task<int> ReadSomeAsync() => await stream.ReadAsync(buffer) is var read and > 0 ? read : throw new EndOfStreamException();
    }
}
