using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;
using HiggsAudio.Extensions.AI.Telemetry;
using Microsoft.Extensions.Logging;

namespace HiggsAudio.Extensions.AI.Remote;

/// <summary>Sends requests and reads the bytes of answers: address, key, timeouts, retries, errors.</summary>
internal sealed class RemoteTransport : IDisposable
{
    private const int MostErrorBytes = 1 << 16, Piece = 1 << 14;
    private readonly HiggsAudioRemoteOptions _options;
    private readonly HttpClient _http;
    private readonly bool _ownsHttp;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly Uri _root, _api;

    public RemoteTransport(HiggsAudioRemoteOptions options, HttpClient? http, ILogger logger, TimeProvider? time = null)
    {
        (_options, _logger, _time) = (options, logger, time ?? TimeProvider.System);
        _ownsHttp = http is null;
        _http = http ?? new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(15),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),   // to follow the addresses of a cluster
            AllowAutoRedirect = false,                            // the key is for one host
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        string address = options.Endpoint!.GetLeftPart(UriPartial.Path).TrimEnd('/');
        bool hasVersion = address.EndsWith("/v1", StringComparison.Ordinal);
        _root = new Uri((hasVersion ? address[..^3] : address) + "/");
        _api = new Uri(hasVersion ? address + "/" : address + "/v1/");
    }

    /// <summary>Sends a body to a place under <c>/v1</c>.</summary>
    /// <returns>The answer, whose body is not read yet.</returns>
    /// <exception cref="HiggsAudioRemoteException">The server refused, or cannot be reached.</exception>
    public Task<HttpResponseMessage> PostAsync<T>(string place, T body, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        byte[] bytes = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(body, type);
        return SendAsync(() =>
        {
            var content = new ByteArrayContent(bytes);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            return new HttpRequestMessage(HttpMethod.Post, new Uri(_api, place)) { Content = content };
        }, cancellationToken);
    }

    /// <summary>Asks for a place under <c>/v1</c>, or under the root.</summary>
    /// <inheritdoc cref="PostAsync"/>
    public Task<HttpResponseMessage> GetAsync(string place, bool fromRoot, CancellationToken cancellationToken) =>
        SendAsync(() => new HttpRequestMessage(HttpMethod.Get, new Uri(fromRoot ? _root : _api, place)), cancellationToken);

    /// <summary>The bytes of an answer as they come. The memory is valid until the next.</summary>
    /// <exception cref="HiggsAudioRemoteException">The connection was lost, or was silent for too long.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(HttpResponseMessage response, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new byte[Piece];
        Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable disposal = stream.ConfigureAwait(false);
        while (true)
        {
            int read = await WithinAsync(_options.IdleTimeout,
                token => stream.ReadAsync(buffer, token).AsTask(), "was silent while it answered", cancellationToken).ConfigureAwait(false);
            if (read == 0)
                yield break;
            yield return buffer.AsMemory(0, read);
        }
    }

    /// <summary>All bytes of an answer.</summary>
    /// <exception cref="HiggsAudioRemoteException">It is too long, or the connection was lost or silent.</exception>
    public async Task<byte[]> ReadWholeAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var whole = new MemoryStream();
        await foreach (ReadOnlyMemory<byte> piece in ReadAsync(response, cancellationToken).ConfigureAwait(false))
        {
            if (whole.Length + piece.Length > _options.MaxResponseBytes)
                throw TooLong();
            whole.Write(piece.Span);
        }
        return whole.ToArray();
    }

    /// <summary>An answer is longer than the options allow.</summary>
    public HiggsAudioRemoteException TooLong() =>
        new($"The server's answer is longer than {_options.MaxResponseBytes} bytes ({nameof(HiggsAudioRemoteOptions)}.{nameof(HiggsAudioRemoteOptions.MaxResponseBytes)}).");

    public void Dispose()
    {
        if (_ownsHttp)
            _http.Dispose();
    }

    private async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> create, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            using HttpRequestMessage request = create();
            if (!string.IsNullOrEmpty(_options.ApiKey))
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _options.ApiKey);
            TimeSpan? wait;
            string reason;
            try
            {
                HttpResponseMessage response = await WithinAsync(_options.ResponseTimeout,
                    token => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token), "did not answer", cancellationToken).ConfigureAwait(false);
                if (response.IsSuccessStatusCode)
                    return response;
                using (response)
                {
                    wait = attempt <= _options.MaxRetries ? RetryDelay(response) : null;
                    if (wait is null)
                        throw RemoteReading.Error(response, await ErrorBodyAsync(response, cancellationToken).ConfigureAwait(false));
                    reason = $"{(int)response.StatusCode}";
                }
            }
            // The request has not reached anyone.
            catch (HttpRequestException problem) when (problem.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                && attempt <= _options.MaxRetries)
            {
                wait = TimeSpan.FromMilliseconds(Math.Min(200 * Math.Pow(2, attempt - 1), _options.MaxRetryDelay.TotalMilliseconds));
                reason = problem.Message;
            }
            catch (HttpRequestException problem) when (problem is not HiggsAudioRemoteException)
            {
                throw new HiggsAudioRemoteException($"{_root} cannot be reached: {problem.Message}", inner: problem);
            }
            Log.Retrying(_logger, _root, attempt, reason, wait.Value.TotalSeconds);
            await Task.Delay(wait.Value, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private TimeSpan? RetryDelay(HttpResponseMessage response)
    {
        if (response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable))
            return null;
        TimeSpan? wait = RemoteReading.RetryAfter(response.Headers.RetryAfter, _time.GetUtcNow());
        return wait <= _options.MaxRetryDelay ? wait : null;
    }

    // What there is of it: the error is the status, whatever the body is.
    private async Task<byte[]> ErrorBodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var body = new List<byte>();
        try
        {
            await foreach (ReadOnlyMemory<byte> piece in ReadAsync(response, cancellationToken).ConfigureAwait(false))
            {
                body.AddRange(piece.Span[..Math.Min(piece.Length, MostErrorBytes - body.Count)]);
                if (body.Count == MostErrorBytes)
                    break;
            }
        }
        catch (HiggsAudioRemoteException)
        {
        }
        return [.. body];
    }

    private async Task<T> WithinAsync<T>(TimeSpan limit, Func<CancellationToken, Task<T>> work, string what, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await work(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException problem) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HiggsAudioRemoteException($"{_root} {what} for {limit.TotalSeconds:0.#} s.", inner: problem);
        }
        catch (IOException problem)
        {
            throw new HiggsAudioRemoteException($"{_root}: the answer was cut: {problem.Message}", inner: problem);
        }
    }
}
