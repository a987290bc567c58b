namespace HiggsAudio.Extensions.AI;

/// <summary>Which server is spoken to: they differ in what a request may hold and in how an answer comes.</summary>
public enum HiggsAudioServerDialect
{
    /// <summary>Any server with OpenAI's <c>/v1/audio/speech</c> and <c>/v1/chat/completions</c>, such as the one in this repository's samples.</summary>
    OpenAI,

    /// <summary>Boson AI's fork of vLLM.</summary>
    BosonVllm,

    /// <summary>vllm-omni.</summary>
    VllmOmni,

    /// <summary>sglang-omni.</summary>
    SglangOmni,
}

/// <summary>Where a server is and how it is asked. All but the delegate can come from configuration. Checked when the program starts.</summary>
public sealed class HiggsAudioRemoteOptions
{
    /// <summary>The section of the configuration that is customary.</summary>
    public const string SectionName = "HiggsAudioRemote";

    /// <summary>The server: <c>http://gpu-1:8000</c>, or with the path before <c>/audio/speech</c>, <c>https://host/prefix/v1</c>. Needed.</summary>
    public Uri? Endpoint { get; set; }

    /// <summary>The server's kind.</summary>
    public HiggsAudioServerDialect Dialect { get; set; }

    /// <summary>The name under which the server serves the model.</summary>
    public string Model { get; set; } = "higgs-audio-v2-generation-3B-base";

    /// <summary>Sent as a bearer token; null or empty for none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>The voice of callers that ask for none; null for the server's.</summary>
    public string? DefaultVoice { get; set; }

    /// <summary>How long the beginning of an answer may take; for chat that is not streamed that is all of it. Above 0.</summary>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long the server may be silent while it answers. Above 0.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How often a request is sent again, 0 to 10: only where it did not reach the server (no connection), or the server said 429 or 503 and when to come again
    /// (<c>Retry-After</c>); never once an answer has begun.
    /// </summary>
    public int MaxRetries { get; set; } = 3;

    /// <summary>The longest time to wait before that, 0 or more: where the server asks for more, its answer is the result.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Most bytes of an answer that is not streamed, and of one event of a stream; 1 or more.</summary>
    public int MaxResponseBytes { get; set; } = 256 << 20;

    /// <summary>Gives the client of HTTP, which stays the caller's; null for one of its own, which has no timeouts beside those here.</summary>
    public Func<IServiceProvider, HttpClient>? HttpClientFactory { get; set; }

    /// <summary>What is wrong with them.</summary>
    internal IEnumerable<string> Problems()
    {
        if (Endpoint is not { IsAbsoluteUri: true, Scheme: "http" or "https" })
            yield return $"{SectionName}:{nameof(Endpoint)} must be an absolute http or https address, such as http://gpu-1:8000, found '{Endpoint}'.";
        if (string.IsNullOrWhiteSpace(Model))
            yield return $"{SectionName}:{nameof(Model)} is empty: name the model as the server does.";
        if (!Enum.IsDefined(Dialect))
            yield return $"{SectionName}:{nameof(Dialect)} must be a member of the enumeration, found {Dialect}.";
        if (ApiKey?.Any(char.IsControl) == true)
            yield return $"{SectionName}:{nameof(ApiKey)} holds a control character.";
        if (MaxRetries is < 0 or > 10)
            yield return $"{SectionName}:{nameof(MaxRetries)} must be 0 to 10, found {MaxRetries}.";
        if (MaxResponseBytes < 1)
            yield return $"{SectionName}:{nameof(MaxResponseBytes)} must be 1 or more, found {MaxResponseBytes}.";
        if (ResponseTimeout <= TimeSpan.Zero || ResponseTimeout > TimeSpan.FromDays(1))
            yield return $"{SectionName}:{nameof(ResponseTimeout)} must be above 0 and at most a day, found {ResponseTimeout}.";
        if (IdleTimeout <= TimeSpan.Zero || IdleTimeout > TimeSpan.FromDays(1))
            yield return $"{SectionName}:{nameof(IdleTimeout)} must be above 0 and at most a day, found {IdleTimeout}.";
        if (MaxRetryDelay < TimeSpan.Zero || MaxRetryDelay > TimeSpan.FromDays(1))
            yield return $"{SectionName}:{nameof(MaxRetryDelay)} must be 0 to a day, found {MaxRetryDelay}.";
    }
}
