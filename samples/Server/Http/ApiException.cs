namespace HiggsAudio.Server.Http;

/// <summary>A request that is refused: what the caller is told.</summary>
internal sealed class ApiException(int status, string message, string type, string? param = null, string? code = null, Exception? inner = null) : Exception(message, inner)
{
    public const string InvalidRequest = "invalid_request_error", RateLimit = "rate_limit_error", ServerError = "server_error";

    /// <summary>The HTTP status.</summary>
    public int Status => status;

    /// <summary>The kind of error.</summary>
    public string Type => type;

    /// <summary>The parameter that is wrong.</summary>
    public string? Param => param;

    /// <summary>The error for a program.</summary>
    public string? Code => code;

    /// <summary>Seconds after which to try again.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>A value of the request is wrong.</summary>
    public static ApiException Invalid(string message, string? param, string? code = "invalid_value", Exception? inner = null) =>
        new(StatusCodes.Status400BadRequest, message, InvalidRequest, param, code, inner);

    /// <summary>What the request is for is not there.</summary>
    public static ApiException NotFound(string message, string? param, string code) => new(StatusCodes.Status404NotFound, message, InvalidRequest, param, code);

    /// <summary>Too much to do at the moment.</summary>
    public static ApiException Busy(string message, int retryAfter) =>
        new(StatusCodes.Status429TooManyRequests, message, RateLimit, code: "rate_limit_exceeded") { RetryAfter = retryAfter };

    /// <summary>The server is about to end.</summary>
    public static ApiException Stopping() =>
        new(StatusCodes.Status503ServiceUnavailable, "The server is stopping.", ServerError, code: "server_stopping") { RetryAfter = 10 };
}
