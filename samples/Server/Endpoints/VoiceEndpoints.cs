using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Http;
using HiggsAudio.Server.Model;
using HiggsAudio.Server.Telemetry;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Endpoints;

/// <summary>/v1/audio/voices.</summary>
internal sealed class VoiceEndpoints(VoiceCatalog catalog, UploadedVoices uploaded, WorkScopes scopes, ServerMetrics metrics, TimeProvider time, IOptions<ServerOptions> options)
{
    private static readonly string[] Refusals = ["false", "no", "0", "off", "none", "null"];

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/audio/voices", (VoiceEndpoints endpoint) => endpoint.List())
            .WithName("listVoices").WithTags("Voices").WithSummary("The voices.").WithErrors();
        routes.MapPost("/v1/audio/voices", (HttpContext http, VoiceEndpoints endpoint) => endpoint.UploadAsync(http))
            .Accepts<IFormFile>("multipart/form-data")
            .WithName("createVoice").WithTags("Voices").WithSummary("Makes a voice of a recording.").WithErrors();
        routes.MapDelete("/v1/audio/voices/{name}", (string name, HttpContext http, VoiceEndpoints endpoint) => endpoint.DeleteAsync(name, http))
            .WithName("deleteVoice").WithTags("Voices").WithSummary("Deletes a voice that was uploaded.").WithErrors();
    }

    private Ok<VoiceList> List() => TypedResults.Ok(new VoiceList(catalog.Names, uploaded.List()));

    private async Task<Ok<VoiceUploaded>> UploadAsync(HttpContext http)
    {
        using RequestMeter meter = metrics.Begin("voice_upload");
        IFormCollection form = await ReadFormAsync(http);
        IFormFile? sample = form.Files["audio_sample"];
        var voice = new UploadedVoice { Name = Text("name")!, RefText = Text("ref_text"), Consent = Text("consent"), SpeakerDescription = Text("speaker_description") };
        uploaded.CheckNew(voice.Name);
        Require(sample is { Length: > 0 }, "audio_sample is the recording, and missing or empty.", "audio_sample");
        Require(!string.IsNullOrWhiteSpace(voice.RefText), "ref_text is what is said in the recording, word for word; it is needed.", "ref_text");
        Require(!string.IsNullOrWhiteSpace(voice.Consent) && !Refusals.Contains(voice.Consent.Trim(), StringComparer.OrdinalIgnoreCase),
            "consent says that the speaker agreed to this use of the voice; it is needed.", "consent");
        Require(voice.RefText!.Length <= options.Value.Limits.TextCharacters, "ref_text is too long.", "ref_text");
        Require(voice.Consent!.Length <= 1000, "consent is too long.", "consent");
        Require(voice.SpeakerDescription is null or { Length: <= 1000 }, "speaker_description is too long.", "speaker_description");

        var bytes = new byte[sample!.Length];   // of a form that is within the limit of a body
        await using (Stream content = sample.OpenReadStream())
            await content.ReadExactlyAsync(bytes, http.RequestAborted);
        Waveform recording = AudioInput.ReadWav(bytes, options.Value.Limits.AudioSeconds, "audio_sample");
        using WorkScope work = await scopes.EnterAsync(http);
        UploadedVoice added = await uploaded.AddAsync(voice with { CreatedAt = time.GetUtcNow().ToUnixTimeSeconds(), FileSize = bytes.Length }, recording, work.Token);
        meter.Succeed();
        return TypedResults.Ok(new VoiceUploaded(true, added));

        string? Text(string name) => form.TryGetValue(name, out Microsoft.Extensions.Primitives.StringValues values) ? values.ToString() : null;
    }

    private async Task<Ok<VoiceDeleted>> DeleteAsync(string name, HttpContext http)
    {
        await uploaded.DeleteAsync(name, http.RequestAborted);
        return TypedResults.Ok(new VoiceDeleted(true, $"Voice '{name}' deleted successfully"));
    }

    // Read here rather than bound, so that what is no form is refused in the shape of all errors.
    private static async Task<IFormCollection> ReadFormAsync(HttpContext http)
    {
        if (!http.Request.HasFormContentType)
            throw new BadHttpRequestException("A form is expected.", StatusCodes.Status415UnsupportedMediaType);
        try
        {
            return await http.Request.ReadFormAsync(http.RequestAborted);
        }
        catch (IOException problem) when (problem is not BadHttpRequestException)
        {
            throw ApiException.Invalid("The form ends in the middle.", null, "invalid_form", problem);
        }
    }

    private static void Require(bool satisfied, string message, string param)
    {
        if (!satisfied)
            throw ApiException.Invalid(message, param, "missing_value");
    }
}
