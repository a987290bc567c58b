using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Http;

/// <summary>
/// Refuses what pages of other sites send without being asked (an upload needs no preflight): a browser names the page's origin, and that must be this
/// server's or one of <see cref="ServerOptions.CorsOrigins"/>. Programs send none.
/// </summary>
internal sealed class OriginCheck(RequestDelegate next, IOptions<ServerOptions> options)
{
    private readonly HashSet<string> _allowed = new(options.Value.CorsOrigins, StringComparer.OrdinalIgnoreCase);

    public Task InvokeAsync(HttpContext http)
    {
        string origin = http.Request.Headers.Origin.ToString();
        bool changes = !(HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method) || HttpMethods.IsOptions(http.Request.Method));
        if (changes && origin.Length > 0 && !IsAllowed(origin, http.Request.Host))
            throw new ApiException(StatusCodes.Status403Forbidden, "Pages of this origin may not use the server (CorsOrigins).", ApiException.InvalidRequest, code: "origin_not_allowed");
        return next(http);
    }

    // The scheme is not compared: behind a proxy the server does not see that it is https.
    private bool IsAllowed(string origin, HostString host) =>
        _allowed.Contains(origin) || (Uri.TryCreate(origin, UriKind.Absolute, out Uri? uri) && string.Equals(uri.Authority, host.Value, StringComparison.OrdinalIgnoreCase));
}
