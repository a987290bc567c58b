using System.Text.Json;
using HiggsAudio.Server.Contracts;

namespace HiggsAudio.Server.Http;

/// <summary>Turns whatever goes wrong into OpenAI's shape of an error, with the status that fits.</summary>
internal sealed partial class ErrorHandling(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await next(http);
            if (http.Response is { StatusCode: >= 400, HasStarted: false, ContentType: null })
                await WriteAsync(http, ForStatus(http.Response.StatusCode));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested || http.Response.HasStarted)
        {
            http.Abort();   // nobody is there to be told
        }
#pragma warning disable CA1031 // What is not expected is logged and told as such.
        catch (Exception problem)
#pragma warning restore CA1031
        {
            ApiException told = Report(http, problem);
            if (http.Response.HasStarted)
                http.Abort();   // so that a cut answer does not look like a whole one
            else
                await WriteAsync(http, told);
        }
    }

    /// <summary>What a caller is told about a problem. What is the server's fault is logged.</summary>
    public static ApiException Report(HttpContext http, Exception problem)
    {
        ApiException told = From(problem);
        if (told.Status == StatusCodes.Status500InternalServerError)
            LogFailure(http.RequestServices.GetRequiredService<ILogger<ErrorHandling>>(), problem, http.Request.Method, http.Request.Path);
        return told;
    }

    private static ApiException From(Exception problem) => problem switch
    {
        ApiException api => api,
        JsonException json => ForJson(json, json),
        BadHttpRequestException { InnerException: JsonException json } bad => ForJson(json, bad),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => ForStatus(StatusCodes.Status413PayloadTooLarge),
        BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } => ForStatus(StatusCodes.Status415UnsupportedMediaType),
        BadHttpRequestException bad => new ApiException(bad.StatusCode is >= 400 and < 500 ? bad.StatusCode : StatusCodes.Status400BadRequest,
            bad.Message, ApiException.InvalidRequest, inner: bad),
        ContextLengthException length => ApiException.Invalid(length.Message, null, "context_length_exceeded", length),
        AudioFormatException audio => ApiException.Invalid(audio.Message, null, "invalid_audio", audio),
        EngineBusyException { IsTransient: true } => ApiException.Busy("The model has no memory for one more request at the moment.", 5),
        EngineBusyException busy => ApiException.Invalid(busy.Message, null, "too_large", busy),
        ArgumentException argument => ApiException.Invalid(WithoutParameter(argument), null, inner: argument),
        InvalidDataException data => ApiException.Invalid(data.Message, null, inner: data),
        TimeoutException => new ApiException(StatusCodes.Status503ServiceUnavailable, "The request took longer than the server allows.", ApiException.ServerError, code: "timeout"),
        OperationCanceledException => ApiException.Stopping(),
        _ => new ApiException(StatusCodes.Status500InternalServerError, "Something went wrong in the server; its log says what.", ApiException.ServerError, code: "internal_error"),
    };

    /// <summary>Writes an error.</summary>
    public static Task WriteAsync(HttpContext http, ApiException problem)
    {
        http.Response.Clear();
        http.Response.StatusCode = problem.Status;
        if (problem.RetryAfter is { } seconds)
            http.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (problem.Status == StatusCodes.Status401Unauthorized)
            http.Response.Headers.WWWAuthenticate = "Bearer";
        return http.Response.WriteAsJsonAsync(new ErrorResponse(ToDetail(problem)), ServerJson.Default.ErrorResponse, cancellationToken: http.RequestAborted);
    }

    /// <summary>The error as it is written.</summary>
    public static ErrorDetail ToDetail(ApiException problem) => new(problem.Message, problem.Type, problem.Param, problem.Code);

    private static ApiException ForStatus(int status) => status switch
    {
        StatusCodes.Status404NotFound => new(status, "There is nothing at this path.", ApiException.InvalidRequest, code: "unknown_url"),
        StatusCodes.Status405MethodNotAllowed => new(status, "This path has no such method.", ApiException.InvalidRequest, code: "method_not_allowed"),
        StatusCodes.Status413PayloadTooLarge => new(status, "The body is larger than the server allows.", ApiException.InvalidRequest, code: "too_large"),
        StatusCodes.Status415UnsupportedMediaType => new(status, "The Content-Type is not the one expected: application/json, or multipart/form-data for uploads.",
            ApiException.InvalidRequest, code: "unsupported_media_type"),
        _ => new(status, $"The request was refused with status {status}.", status < 500 ? ApiException.InvalidRequest : ApiException.ServerError),
    };

    private static ApiException ForJson(JsonException problem, Exception outer)
    {
        string? path = problem.Path is { Length: > 2 } full && full.StartsWith("$.", StringComparison.Ordinal) ? full[2..] : null;
        bool syntax = problem.InnerException is JsonException;
        string message = syntax ? $"The body is not valid JSON: {problem.InnerException!.Message}"
            : path is null ? "The body is not a JSON object of the type expected."
            : $"The value of '{path}' is not of the type expected, or out of range.";
        return ApiException.Invalid(message, path, syntax ? "invalid_json" : "invalid_type", outer);
    }

    // ArgumentException.Message ends with the name of a parameter of ours.
    private static string WithoutParameter(ArgumentException problem)
    {
        string suffix = $" (Parameter '{problem.ParamName}')";
        return problem.ParamName is not null && problem.Message.Contains(suffix, StringComparison.Ordinal) ? problem.Message.Replace(suffix, "", StringComparison.Ordinal) : problem.Message;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private static partial void LogFailure(ILogger log, Exception problem, string method, string path);
}
