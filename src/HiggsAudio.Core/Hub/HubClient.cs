using System.Net;
using System.Net.Http.Headers;

namespace HiggsAudio.Hub;

/// <summary>An answer of the Hub, and what it says about the file on the way to it.</summary>
/// <param name="Response">The last answer; its content is not read yet.</param>
/// <param name="Hash">The hash that the Hub gives for the file (<c>X-Linked-ETag</c>, else <c>ETag</c>), if it is one.</param>
/// <param name="Length">The file's length (<c>X-Linked-Size</c>), if given.</param>
internal sealed record HubAnswer(HttpResponseMessage Response, string? Hash, long? Length) : IDisposable
{
    public void Dispose() => Response.Dispose();
}

/// <summary>Something failed that may succeed later.</summary>
internal sealed class HubRetryException(string message, TimeSpan? after = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The pause that the Hub asks for.</summary>
    public TimeSpan? After => after;
}

/// <summary>
/// Talks to the Hub: follows redirects by hand, because the token must go to the Hub's own host only, and the answer that redirects to the
/// storage says what the file is; tries again what may succeed later.
/// </summary>
internal sealed class HubClient : IDisposable
{
    private const int MaxRedirects = 10, LongestMessage = 300;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(2);

    private readonly HttpClient _http;
    private readonly HubOptions _options;

    public HubClient(HubOptions options)
    {
        _options = options;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = options.Timeout,
            Proxy = options.Proxy,
        };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("higgs-audio-dotnet", typeof(HubClient).Assembly.GetName().Version?.ToString(3) ?? "0"));
        _http.DefaultRequestHeaders.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));   // hashes and ranges are those of the file
    }

    /// <summary>An address below the Hub's.</summary>
    public Uri Address(string path) => new(_options.Endpoint.AbsoluteUri.TrimEnd('/') + path);

    /// <summary>Does something until it succeeds, fails for good, or failed too often.</summary>
    /// <param name="attempt">Throws <see cref="HubRetryException"/> for what may succeed later.</param>
    /// <param name="progressed">Whether the last attempt came so far that failures are counted anew.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HubException">It failed.</exception>
    public async Task<T> RetryAsync<T>(Func<Task<T>> attempt, Func<bool> progressed, CancellationToken cancellationToken)
    {
        for (int failures = 0; ;)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (HubRetryException problem)
            {
                failures = progressed() ? 1 : failures + 1;
                if (failures > _options.Retries)
                    throw new HubException(HubProblem.Unavailable, $"{problem.Message} ({failures} attempts)", problem.InnerException ?? problem);
                TimeSpan growing = TimeSpan.FromSeconds(Math.Pow(2, Math.Min(failures, 6) - 1) * (0.75 + Random.Shared.NextDouble() / 2));
                TimeSpan pause = problem.After is { } asked && asked > growing ? asked : growing;
                await _options.Pause(pause < LongestPause ? pause : LongestPause, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Asks once, following redirects.</summary>
    /// <param name="method">GET or HEAD. HEAD ends where the Hub has said what the file is.</param>
    /// <param name="address">What to ask for.</param>
    /// <param name="from">The first byte wanted, if not all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HubRetryException">It may succeed later.</exception>
    /// <exception cref="HubException">It never will.</exception>
    public async Task<HubAnswer> AskAsync(HttpMethod method, Uri address, long from, CancellationToken cancellationToken)
    {
        (string? hash, long? length) = (null, null);
        for (int redirects = 0; ; redirects++)
        {
            HttpResponseMessage response = await SendAsync(method, address, from, cancellationToken).ConfigureAwait(false);
            bool redirected = (int)response.StatusCode is 301 or 302 or 303 or 307 or 308;
            if (IsHub(address))
            {
                hash ??= HashOf(Header(response, "X-Linked-ETag") ?? (redirected ? null : response.Headers.ETag?.Tag));
                length ??= long.TryParse(Header(response, "X-Linked-Size"), out long size) ? size : null;
            }
            if (!redirected || method == HttpMethod.Head && hash is not null && length is not null)
            {
                if (redirected || response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
                    return new HubAnswer(response, hash, length);
                using (response)
                    throw Failure(response, address);
            }
            using (response)
                address = redirects < MaxRedirects ? Target(response, address) : throw new HubRetryException($"{Shown(address)} redirects more than {MaxRedirects} times");
        }
    }

    /// <summary>Reads some of an answer.</summary>
    /// <exception cref="HubRetryException">The connection broke, or nothing came for too long.</exception>
    public async ValueTask<int> ReadAsync(Stream content, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_options.Timeout);
        try
        {
            return await content.ReadAsync(buffer, patience.Token).ConfigureAwait(false);
        }
        catch (Exception problem) when (problem is HttpRequestException or IOException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new HubRetryException($"the connection broke: {Explain(problem)}", null, problem);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, Uri address, long from, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, address);
        if (from > 0)
            request.Headers.Range = new RangeHeaderValue(from, null);
        if (_options.Token is not null && IsHub(address))
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _options.Token);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_options.Timeout);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
        }
        catch (Exception problem) when (problem is HttpRequestException or IOException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new HubRetryException($"{Shown(address)} cannot be reached: {Explain(problem)}", null, problem);
        }
    }

    // Scheme, host and port: another port is another server.
    private bool IsHub(Uri address) => Uri.Compare(address, _options.Endpoint, UriComponents.SchemeAndServer, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) == 0;

    // Queries may carry signatures.
    private static string Shown(Uri address) => address.GetLeftPart(UriPartial.Path);

    private static Uri Target(HttpResponseMessage response, Uri address)
    {
        Uri target = response.Headers.Location is { } location
            ? new Uri(address, location)
            : throw new HubRetryException($"{Shown(address)} redirects without saying where to");
        bool allowed = target.Scheme == Uri.UriSchemeHttps || target.Scheme == Uri.UriSchemeHttp && address.Scheme == Uri.UriSchemeHttp;
        return allowed ? target : throw new HubException(HubProblem.NotGenuine, $"{Shown(address)} redirects to {target.Scheme}://{target.Host}, which is not a secure address.");
    }

    private static Exception Failure(HttpResponseMessage response, Uri address)
    {
        int status = (int)response.StatusCode;
        string code = Header(response, "X-Error-Code") ?? "", says = Header(response, "X-Error-Message") is { } text ? $" The Hub says: {HubFileChoice.Shown(text)}" : "";
        string what = Shown(address);
        if (status is 408 or 429 or >= 500)
            return new HubRetryException($"{what} answers {status}", RetryAfter(response));
        return code switch
        {
            "RepoNotFound" => new HubException(HubProblem.NotFound, $"{what} answers {status}: there is no such repository, or it is private and HF_TOKEN is not that of one who may read it.{says}"),
            "RevisionNotFound" => new HubException(HubProblem.NotFound, $"{what} answers {status}: the repository has no such revision.{says}"),
            "GatedRepo" => new HubException(HubProblem.AccessDenied, $"{what} answers {status}: the repository is gated. Accept its terms on its page, and set HF_TOKEN to a token of that account.{says}"),
            _ when status == 401 => new HubException(HubProblem.AccessDenied, $"{what} answers 401: the token (HF_TOKEN) is missing or wrong, or there is no such repository.{says}"),
            _ when status == 403 => new HubException(HubProblem.AccessDenied, $"{what} answers 403: access is denied to the owner of the token (HF_TOKEN).{says}"),
            _ when status is 404 or 410 => new HubException(HubProblem.NotFound, $"{what} answers {status}: there is no such thing.{says}"),
            _ => new HubException(HubProblem.Unavailable, $"{what} answers {status}.{says}"),
        };
    }

    private static TimeSpan? RetryAfter(HttpResponseMessage response) =>
        response.Headers.RetryAfter is not { } header ? null : header.Delta ?? header.Date - DateTimeOffset.UtcNow;

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) && values.FirstOrDefault() is { Length: > 0 and <= 4 * LongestMessage } value ? value : null;

    /// <summary>The hash in an entity tag: 40 or 64 digits of hex, in lower case.</summary>
    private static string? HashOf(string? tag)
    {
        string? hash = tag?.Replace("W/", "", StringComparison.Ordinal).Trim('"').ToLowerInvariant();
        return hash is { Length: 40 or 64 } && hash.All(char.IsAsciiHexDigitLower) ? hash : null;
    }

    private static string Explain(Exception problem) =>
        problem is OperationCanceledException ? "nothing came for too long" : problem.InnerException is { } inner and not OperationCanceledException ? $"{problem.Message} {inner.Message}" : problem.Message;

    public void Dispose() => _http.Dispose();
}
