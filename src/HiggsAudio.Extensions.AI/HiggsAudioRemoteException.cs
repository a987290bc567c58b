using System.Net;

namespace HiggsAudio.Extensions.AI;

/// <summary>A server refused a request, failed while it answered, or answered what is not understood.</summary>
public sealed class HiggsAudioRemoteException : HttpRequestException
{
    /// <param name="message">What happened.</param>
    /// <param name="statusCode">The answer's status; null where there was none.</param>
    /// <param name="errorType">The server's type of the error, such as <c>BadRequestError</c>.</param>
    /// <param name="errorCode">Its code.</param>
    /// <param name="retryAfter">When to come again.</param>
    /// <param name="inner">What it was found by.</param>
    public HiggsAudioRemoteException(string message, HttpStatusCode? statusCode = null, string? errorType = null, string? errorCode = null,
        TimeSpan? retryAfter = null, Exception? inner = null)
        : base(message, inner, statusCode) => (ErrorType, ErrorCode, RetryAfter) = (errorType, errorCode, retryAfter);

    /// <summary>The server's type of the error, such as <c>BadRequestError</c>; null if it gave none.</summary>
    public string? ErrorType { get; }

    /// <summary>The server's code of the error; null if it gave none.</summary>
    public string? ErrorCode { get; }

    /// <summary>When to come again, if the server said so.</summary>
    public TimeSpan? RetryAfter { get; }
}
