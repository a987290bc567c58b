using System.Net;

namespace HiggsAudio;

/// <summary>Where the Hub is, who asks, and where its files are kept. Immutable. By default what Hugging Face's own tools would use.</summary>
public sealed record HubOptions
{
    private readonly Uri _endpoint = new("https://huggingface.co");
    private readonly string? _token;
    private readonly int _retries = 5;
    private readonly TimeSpan _timeout = TimeSpan.FromSeconds(30);

    /// <summary>The Hub, or a mirror of it. <c>HF_ENDPOINT</c>; https://huggingface.co by default.</summary>
    /// <exception cref="ArgumentException">It is not an absolute http or https address.</exception>
    public Uri Endpoint
    {
        get => _endpoint;
        init => _endpoint = value is { IsAbsoluteUri: true, UserInfo: "" } && (value.Scheme == Uri.UriSchemeHttps || value.Scheme == Uri.UriSchemeHttp)
            ? value
            : throw new ArgumentException($"The endpoint of the Hub must be an absolute http or https address, without a password, found '{(value is { IsAbsoluteUri: true } ? $"{value.Scheme}://{value.Host}" : value)}'.", nameof(value));
    }

    /// <summary>
    /// The access token, needed for gated and private repositories only. <c>HF_TOKEN</c>, or the content of the file that <c>hf auth login</c> writes
    /// (<c>HF_TOKEN_PATH</c>, <c>HF_HOME/token</c>), unless <c>HF_HUB_DISABLE_IMPLICIT_TOKEN</c> is set. It is sent to <see cref="Endpoint"/> and to no other host.
    /// </summary>
    /// <exception cref="ArgumentException">It has characters that no token has.</exception>
    public string? Token
    {
        get => _token;
        init => _token = value is null || value.All(c => c is > ' ' and < '\x7f')
            ? value
            : throw new ArgumentException("The token of the Hub has characters that no token has.", nameof(value));
    }

    /// <summary>
    /// The cache, shared with Hugging Face's own tools: <c>HF_HUB_CACHE</c>, else <c>HF_HOME/hub</c>, else <c>~/.cache/huggingface/hub</c>. Empty for
    /// that of the environment.
    /// </summary>
    public string CacheFolder { get; init; } = "";

    /// <summary>Whether only what is in the cache may be used: <c>HF_HUB_OFFLINE</c>.</summary>
    public bool Offline { get; init; }

    /// <summary>The proxy; by default the system's (<c>HTTPS_PROXY</c>, <c>HTTP_PROXY</c>, <c>ALL_PROXY</c> and <c>NO_PROXY</c>, or the settings of Windows and macOS).</summary>
    public IWebProxy? Proxy { get; init; }

    /// <summary>How often something that failed on the way is tried again, with growing pauses, before the download fails; 0 or more.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int Retries
    {
        get => _retries;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _retries = value;
        }
    }

    /// <summary>How long the Hub may send nothing before a connection counts as broken; above 0, at most a day.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is out of its range.</exception>
    public TimeSpan Timeout
    {
        get => _timeout;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(value, TimeSpan.Zero);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, TimeSpan.FromDays(1));
            _timeout = value;
        }
    }

    // What tests replace: pauses, room on the disk, and whether links can be made.
    internal Func<TimeSpan, CancellationToken, Task> Pause { get; init; } = Task.Delay;

    internal Func<string, long> FreeSpace { get; init; } = folder => new DriveInfo(folder).AvailableFreeSpace;

    internal bool CanLink { get; init; } = true;

    /// <summary>What the environment variables of Hugging Face's own tools say.</summary>
    /// <exception cref="ArgumentException">A variable has a value that cannot be used; the message names it.</exception>
    public static HubOptions FromEnvironment() =>
        From(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify));

    internal static HubOptions From(Func<string, string?> variable, string userFolder)
    {
        string home = Folder("HF_HOME") ?? Path.Combine(Folder("XDG_CACHE_HOME") ?? Path.Combine(userFolder, ".cache"), "huggingface");
        var options = new HubOptions
        {
            CacheFolder = Folder("HF_HUB_CACHE") ?? Folder("HUGGINGFACE_HUB_CACHE") ?? Path.Combine(home, "hub"),
            Offline = IsSet("HF_HUB_OFFLINE"),
            Token = Text("HF_TOKEN") ?? (IsSet("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? null : TokenFile(Folder("HF_TOKEN_PATH") ?? Path.Combine(home, "token"))),
        };
        if (Text("HF_ENDPOINT") is not { } endpoint)
            return options;
        return Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? address)
            ? options with { Endpoint = address }
            : throw new ArgumentException($"The environment variable HF_ENDPOINT must be an absolute http or https address, found '{endpoint}'.");

        string? Text(string name) => variable(name)?.Trim() is { Length: > 0 } text ? text : null;

        bool IsSet(string name) => Text(name)?.ToUpperInvariant() is "1" or "TRUE" or "YES" or "ON";

        string? Folder(string name) => Text(name) is not { } text ? null
            : text == "~" || text.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(userFolder, text[1..].TrimStart('/')) : text;
    }

    private static string? TokenFile(string path)
    {
        try
        {
            return File.Exists(path) && new FileInfo(path).Length < 4096 && File.ReadAllText(path).Trim() is { Length: > 0 } token ? token : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;   // as if it were not there: most repositories need no token
        }
    }

    /// <summary>The options without the token.</summary>
    public override string ToString() => $"{Endpoint}, token {(Token is null ? "none" : "set")}, cache {CacheFolder}{(Offline ? ", offline" : "")}";
}
