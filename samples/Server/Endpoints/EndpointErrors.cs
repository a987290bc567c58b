using HiggsAudio.Server.Contracts;

namespace HiggsAudio.Server.Endpoints;

/// <summary>The errors of an endpoint, for the OpenAPI document.</summary>
internal static class EndpointErrors
{
    public static RouteHandlerBuilder WithErrors(this RouteHandlerBuilder endpoint)
    {
        foreach (int status in (int[])[StatusCodes.Status400BadRequest, StatusCodes.Status401Unauthorized, StatusCodes.Status404NotFound,
                     StatusCodes.Status413PayloadTooLarge, StatusCodes.Status415UnsupportedMediaType, StatusCodes.Status429TooManyRequests, StatusCodes.Status503ServiceUnavailable])
            endpoint.Produces<ErrorResponse>(status);
        return endpoint;
    }
}
