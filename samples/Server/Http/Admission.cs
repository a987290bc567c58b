using System.Diagnostics;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace HiggsAudio.Server.Http;

/// <summary>Lets so many requests work at once, so many wait, and refuses the others with 429 and the time after which to try again.</summary>
internal sealed class Admission : IDisposable
{
    private readonly ConcurrencyLimiter _limiter;
    private readonly LimitOptions _limits;
    private readonly Lock _lock = new();
    private double _averageSeconds = 1;
    private int _active, _queued;

    public Admission(IOptions<ServerOptions> options)
    {
        _limits = options.Value.Limits;
        _limiter = new ConcurrencyLimiter(new ConcurrencyLimiterOptions
        {
            PermitLimit = _limits.ConcurrentRequests,
            QueueLimit = _limits.QueuedRequests,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        });
    }

    /// <summary>Requests that work.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Requests that wait.</summary>
    public int Queued => Volatile.Read(ref _queued);

    /// <summary>Waits for a place. Dispose what is returned to give it back.</summary>
    /// <exception cref="ApiException">Too many wait already.</exception>
    public async Task<IDisposable> EnterAsync(CancellationToken cancellationToken)
    {
        RateLimitLease lease;
        Interlocked.Increment(ref _queued);
        try
        {
            lease = await _limiter.AcquireAsync(1, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _queued);
        }
        if (!lease.IsAcquired)
        {
            lease.Dispose();
            throw ApiException.Busy($"{_limits.ConcurrentRequests} requests are being computed and {_limits.QueuedRequests} wait; try again later.", RetryAfter());
        }
        Interlocked.Increment(ref _active);
        return new Place(this, lease);
    }

    public void Dispose() => _limiter.Dispose();

    // As long as those that wait will take, going by the last ones.
    private int RetryAfter()
    {
        lock (_lock)
            return (int)Math.Clamp(Math.Ceiling(_averageSeconds * (_limits.QueuedRequests + 1) / _limits.ConcurrentRequests), 1, 60);
    }

    private void Leave(TimeSpan took)
    {
        Interlocked.Decrement(ref _active);
        lock (_lock)
            _averageSeconds += 0.2 * (took.TotalSeconds - _averageSeconds);
    }

    private sealed class Place(Admission admission, RateLimitLease lease) : IDisposable
    {
        private readonly long _start = Stopwatch.GetTimestamp();
        private bool _left;

        public void Dispose()
        {
            if (_left)
                return;
            _left = true;
            admission.Leave(Stopwatch.GetElapsedTime(_start));
            lease.Dispose();
        }
    }
}
