using System.Text.Json.Serialization;

namespace HiggsAudio.Server.Contracts;

/// <summary>OpenAI's shape of an error.</summary>
/// <param name="Error">The error.</param>
internal sealed record ErrorResponse(ErrorDetail Error);

/// <summary>An error.</summary>
/// <param name="Message">For a person.</param>
/// <param name="Type">The kind: invalid_request_error, rate_limit_error, server_error.</param>
/// <param name="Param">The parameter that is wrong, as a path in the request.</param>
/// <param name="Code">For a program.</param>
internal sealed record ErrorDetail(
    string Message,
    string Type,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Param,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Code);
