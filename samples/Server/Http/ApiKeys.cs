using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Http;

/// <summary>Lets requests to <c>/v1</c> in that have one of the keys, if there are any: <c>Authorization: Bearer KEY</c>.</summary>
internal sealed class ApiKeys(RequestDelegate next, IOptions<ServerOptions> options)
{
    private const string Scheme = "Bearer ";

    // Hashes are of one length: how long a comparison takes tells nothing about a key.
    private readonly byte[][] _hashes = [.. options.Value.ApiKeys.Select(key => SHA256.HashData(Encoding.UTF8.GetBytes(key)))];

    public Task InvokeAsync(HttpContext http)
    {
        if (_hashes.Length > 0 && http.Request.Path.StartsWithSegments("/v1", StringComparison.OrdinalIgnoreCase) && !IsKnown(http.Request.Headers.Authorization.ToString()))
        {
            throw new ApiException(StatusCodes.Status401Unauthorized, "The server asks for a key: send the header 'Authorization: Bearer KEY'.",
                ApiException.InvalidRequest, code: "invalid_api_key");
        }
        return next(http);
    }

    private bool IsKnown(string header)
    {
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return false;
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(header[Scheme.Length..].Trim()));
        bool known = false;
        foreach (byte[] key in _hashes)
            known |= CryptographicOperations.FixedTimeEquals(hash, key);
        return known;
    }
}
