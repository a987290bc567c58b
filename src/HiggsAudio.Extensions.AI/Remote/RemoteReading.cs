using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI.Remote;

/// <summary>Reads what servers answer beside sound: errors of both shapes, usage in JSON and in headers.</summary>
internal static class RemoteReading
{
    private const int MostMessage = 2000;

    /// <summary>
    /// The error in a JSON object: <c>{"error": {message, type, param, code}}</c>, <c>{"error": "message"}</c>, the flat
    /// <c>{"object": "error", message, type, code}</c>, or an event whose type ends with <c>error</c>. Null if it is none of these.
    /// </summary>
    public static HiggsAudioRemoteException? Error(JsonElement json, HttpStatusCode? status = null, TimeSpan? retryAfter = null)
    {
        if (json.ValueKind != JsonValueKind.Object)
            return null;
        bool wrapped = json.TryGetProperty("error", out JsonElement error) && error.ValueKind is JsonValueKind.Object or JsonValueKind.String;
        bool flat = String(json, "object") == "error"
            || (String(json, "type") is { } kind && kind.EndsWith("error", StringComparison.OrdinalIgnoreCase) && json.TryGetProperty("message", out _));
        if (!wrapped && !flat)
            return null;
        if (wrapped && error.ValueKind == JsonValueKind.String)
            return Exception(error.GetString(), null, null);
        JsonElement place = wrapped ? error : json;
        return Exception(String(place, "message"), String(place, "type"), String(place, "code"));

        HiggsAudioRemoteException Exception(string? message, string? type, string? code) => new(
            $"The server failed{(status is null ? "" : $" ({(int)status} {status})")}: {Short(message ?? "it did not say why")}", status, type, code, retryAfter);
    }

    /// <summary>The error of an answer that is none.</summary>
    public static HiggsAudioRemoteException Error(HttpResponseMessage response, ReadOnlySpan<byte> body)
    {
        TimeSpan? retryAfter = RetryAfter(response.Headers.RetryAfter, DateTimeOffset.UtcNow);
        string text = Encoding.UTF8.GetString(body).Trim();
        if (TryParse(body, out JsonDocument? document))
        {
            using (document)
            {
                if (Error(document!.RootElement, response.StatusCode, retryAfter) is { } error)
                    return error;
                // FastAPI's own: {"detail": "Not Found"}
                if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("detail", out JsonElement detail))
                    text = detail.ToString();
            }
        }
        string said = text.Length == 0 ? response.ReasonPhrase ?? "" : text;
        return new HiggsAudioRemoteException($"The server failed ({(int)response.StatusCode} {response.StatusCode}): {Short(said)}",
            response.StatusCode, retryAfter: retryAfter);
    }

    /// <summary>When to come again; null if the server does not say.</summary>
    public static TimeSpan? RetryAfter(RetryConditionHeaderValue? header, DateTimeOffset now)
    {
        TimeSpan? wait = header?.Delta ?? header?.Date - now;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    /// <summary>Reads JSON, if it is JSON.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out JsonDocument? document)
    {
        document = null;
        try
        {
            var reader = new Utf8JsonReader(bytes);
            return JsonDocument.TryParseValue(ref reader, out document) && bytes[(int)reader.BytesConsumed..].TrimStart(" \r\n\t"u8).IsEmpty;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Usage of a chat completion, or of an event of speech; null if there is none.</summary>
    public static UsageDetails? Usage(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty("usage", out JsonElement usage) || usage.ValueKind != JsonValueKind.Object)
            return null;
        JsonElement input = First(usage, "prompt_tokens_details", "input_token_details", "input_tokens_details");
        JsonElement output = First(usage, "completion_tokens_details", "output_token_details", "output_tokens_details");
        return new UsageDetails
        {
            InputTokenCount = Number(usage, "prompt_tokens") ?? Number(usage, "input_tokens"),
            OutputTokenCount = Number(usage, "completion_tokens") ?? Number(usage, "output_tokens"),
            TotalTokenCount = Number(usage, "total_tokens"),
            CachedInputTokenCount = Number(input, "cached_tokens"),
            InputAudioTokenCount = Number(input, "audio_tokens"),
            InputTextTokenCount = Number(input, "text_tokens"),
            OutputAudioTokenCount = Number(output, "audio_tokens"),
            OutputTextTokenCount = Number(output, "text_tokens"),
        };
    }

    /// <summary>Usage in headers, <c>x-…-input-tokens</c> and so on; null if there is none.</summary>
    public static UsageDetails? Usage(HttpResponseHeaders headers)
    {
        long? Header(string ending) => headers.Where(header => header.Key.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
            .Select(header => long.TryParse(header.Value.First(), CultureInfo.InvariantCulture, out long number) && number >= 0 ? number : (long?)null).FirstOrDefault();
        var usage = new UsageDetails
        {
            InputTokenCount = Header("-input-tokens"),
            OutputTokenCount = Header("-output-tokens"),
            TotalTokenCount = Header("-total-tokens"),
            InputTextTokenCount = Header("-input-text-tokens"),
            InputAudioTokenCount = Header("-input-audio-tokens"),
        };
        return usage.InputTokenCount is null && usage.OutputTokenCount is null && usage.TotalTokenCount is null ? null : usage;
    }

    /// <summary>The sampling rate that an answer says it has; null if it says none.</summary>
    public static int? SamplingRate(HttpResponseMessage response)
    {
        string? header = response.Headers.Concat(response.Content.Headers)
            .Where(header => header.Key.EndsWith("sample-rate", StringComparison.OrdinalIgnoreCase)
                || header.Key.EndsWith("sampling-rate", StringComparison.OrdinalIgnoreCase))
            .Select(header => header.Value.FirstOrDefault()).FirstOrDefault();
        MediaTypeHeaderValue? type = response.Content.Headers.ContentType;
        header ??= type?.Parameters.FirstOrDefault(parameter => parameter.Name.Equals("rate", StringComparison.OrdinalIgnoreCase))?.Value;
        return int.TryParse(header, NumberStyles.None, CultureInfo.InvariantCulture, out int rate) && rate is >= 4000 and <= Resampler.MaxSamplingRate ? rate : null;
    }

    /// <summary>A member that is a string (or a number, as text); null if there is none.</summary>
    public static string? String(JsonElement json, string name) => json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out JsonElement value)
        ? value.ValueKind switch { JsonValueKind.String => value.GetString(), JsonValueKind.Number => value.GetRawText(), _ => null }
        : null;

    /// <summary>Text of a server, not too long for a message.</summary>
    public static string Short(string text) => text.Length <= MostMessage ? text : text[..MostMessage] + "…";

    private static long? Number(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out JsonElement value)
            && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : null;

    private static JsonElement First(JsonElement json, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (json.TryGetProperty(name, out JsonElement value))
                return value;
        return default;
    }
}
