using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Http;

/// <summary>
/// How the server ends: it takes no new work, and what runs gets <see cref="LimitOptions.ShutdownSeconds"/> to finish, after which it is ended so
/// that its reader is told (an event in a stream of events, a cut connection in one of bytes).
/// </summary>
internal sealed class Drain : IDisposable
{
    private readonly CancellationTokenSource _end = new();

    public Drain(IHostApplicationLifetime lifetime, IOptions<ServerOptions> options)
    {
        var patience = TimeSpan.FromSeconds(options.Value.Limits.ShutdownSeconds);
        lifetime.ApplicationStopping.Register(() =>
        {
            IsStopping = true;
            _end.CancelAfter(patience);
        });
    }

    /// <summary>Whether new work is refused.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>Cancelled when running requests have had their time.</summary>
    public CancellationToken End => _end.Token;

    public void Dispose() => _end.Dispose();
}
