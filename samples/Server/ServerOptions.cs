using HiggsAudio.Compute;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server;

/// <summary>The section <c>HiggsAudio</c> of the configuration: what speaks, and what it lets others do. Every value is checked at start.</summary>
internal sealed class ServerOptions
{
    public const string Section = "HiggsAudio";

    /// <summary>The language model's folder; null for the nano voice.</summary>
    public string? Model { get; set; }

    /// <summary>The codec's folder; together with <see cref="Model"/>.</summary>
    public string? Codec { get; set; }

    /// <summary>The name under which the model is served; by default its folder's, or <c>higgs-audio-nano</c>.</summary>
    public string? ModelName { get; set; }

    /// <summary>Other names of the model that requests may use.</summary>
    public string[] ModelAliases { get; set; } =
        ["higgs-audio-v2-generation-3B-base", "bosonai/higgs-audio-v2-generation-3B-base", "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-audio-preview", "gpt-audio"];

    /// <summary>How weights are kept, a word of <see cref="WeightFormatText"/>; null as they are stored.</summary>
    public string? Format { get; set; }

    /// <summary>How weights are kept.</summary>
    public WeightFormat WeightFormat => WeightFormatText.TryParse(Format, out WeightFormat format) ? format : WeightFormat.AsStored;

    /// <summary>What computes: <c>cpu</c>, or an NVIDIA GPU, <c>cuda:0</c>.</summary>
    public string Device { get; set; } = "cpu";

    /// <summary>Threads that compute; 0 for all cores.</summary>
    public int Threads { get; set; }

    /// <summary>Most rows of a conversation and its answer together.</summary>
    public int MaxContextLength { get; set; } = 8192;

    /// <summary>Most memory of all key-value caches together, in MiB.</summary>
    public int KvCacheMegabytes { get; set; } = 4096;

    /// <summary>A folder of voices; uploads are stored there. Null for a new folder that goes when the server ends.</summary>
    public string? Voices { get; set; }

    /// <summary>Voices of words: name and description.</summary>
    public Dictionary<string, string> DescribedVoices { get; set; } = [];

    /// <summary>The scene of requests that name none.</summary>
    public string Scene { get; set; } = "Audio is recorded from a quiet room.";

    /// <summary>Keys that <c>/v1</c> asks for; none for an open server.</summary>
    public string[] ApiKeys { get; set; } = [];

    /// <summary>Origins of other sites whose pages may use the server; none by default.</summary>
    public string[] CorsOrigins { get; set; } = [];

    /// <summary>What requests may ask for.</summary>
    public LimitOptions Limits { get; set; } = new();

    /// <summary>Whether the nano voice speaks.</summary>
    public bool IsNano => Model is null;

    /// <summary>The name under which the model is served.</summary>
    public string ServedName => ModelName ?? (Model is null ? "higgs-audio-nano" : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Model))));
}

/// <summary>What requests may ask for.</summary>
internal sealed class LimitOptions
{
    /// <summary>Bytes of a request's body.</summary>
    public int BodyBytes { get; set; } = 10 << 20;

    /// <summary>Characters of a text.</summary>
    public int TextCharacters { get; set; } = 4096;

    /// <summary>Messages of a conversation.</summary>
    public int Messages { get; set; } = 64;

    /// <summary>Seconds of a recording that is sent.</summary>
    public int AudioSeconds { get; set; } = 60;

    /// <summary>Steps of an answer, or of a chunk of a long text; 25 are a second.</summary>
    public int Tokens { get; set; } = 2048;

    /// <summary>Voices in the folder.</summary>
    public int Voices { get; set; } = 1000;

    /// <summary>Requests that are computed together.</summary>
    public int ConcurrentRequests { get; set; } = 16;

    /// <summary>Requests that may wait for that; more are refused with 429.</summary>
    public int QueuedRequests { get; set; } = 32;

    /// <summary>Open connections.</summary>
    public int Connections { get; set; } = 512;

    /// <summary>Seconds after which a request is ended, whatever it is at.</summary>
    public int RequestSeconds { get; set; } = 1800;

    /// <summary>Bytes a second that a reader must take, or it is cut off; 0 to wait for ever.</summary>
    public int ReaderBytesPerSecond { get; set; } = 240;

    /// <summary>Seconds that running requests get to finish when the server is told to stop.</summary>
    public int ShutdownSeconds { get; set; } = 30;
}

/// <summary>Refuses a configuration that makes no sense, and names the value.</summary>
internal sealed class ServerOptionsValidator : IValidateOptions<ServerOptions>
{
    public ValidateOptionsResult Validate(string? name, ServerOptions options)
    {
        var problems = new List<string>();
        if (options.Model is null != options.Codec is null)
            problems.Add("Model and Codec belong together.");
        if (options.Model is not null && !Directory.Exists(options.Model))
            problems.Add($"Model '{options.Model}' is no folder.");
        if (options.Codec is not null && !Directory.Exists(options.Codec))
            problems.Add($"Codec '{options.Codec}' is no folder.");
        if (options.ApiKeys.Any(string.IsNullOrWhiteSpace))
            problems.Add("ApiKeys: a key is empty.");
        if (options.Format is not null && !WeightFormatText.TryParse(options.Format, out _))
            problems.Add($"Format '{options.Format}' is none of {WeightFormatText.Words}.");
        foreach (string origin in options.CorsOrigins)
            if (!Uri.TryCreate(origin, UriKind.Absolute, out Uri? uri) || uri.GetLeftPart(UriPartial.Authority) != origin)
                problems.Add($"CorsOrigins: '{origin}' is no origin such as https://example.org.");
        LimitOptions limits = options.Limits;
        Check(nameof(limits.BodyBytes), limits.BodyBytes, 1024);
        Check(nameof(limits.TextCharacters), limits.TextCharacters, 1);
        Check(nameof(limits.Messages), limits.Messages, 1);
        Check(nameof(limits.AudioSeconds), limits.AudioSeconds, 1);
        Check(nameof(limits.Tokens), limits.Tokens, 1);
        Check(nameof(limits.Voices), limits.Voices, 0);
        Check(nameof(limits.ConcurrentRequests), limits.ConcurrentRequests, 1);
        Check(nameof(limits.QueuedRequests), limits.QueuedRequests, 0);
        Check(nameof(limits.Connections), limits.Connections, 1);
        Check(nameof(limits.RequestSeconds), limits.RequestSeconds, 1);
        Check(nameof(limits.ReaderBytesPerSecond), limits.ReaderBytesPerSecond, 0);
        Check(nameof(limits.ShutdownSeconds), limits.ShutdownSeconds, 0);
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Check(string limit, int value, int least)
        {
            if (value < least)
                problems.Add($"Limits.{limit} must be {least} or more, found {value}.");
        }
    }
}
