namespace HiggsAudio.Extensions.AI;

/// <summary>Counts the calls that are in, and refuses those beyond the queue.</summary>
internal sealed class Admission(HiggsAudioOptions options)
{
    private readonly long _most = (long)options.MaxConcurrentRequests + options.MaxQueuedRequests;
    private int _calls;

    /// <summary>Calls that are in.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Whether the next call would be refused.</summary>
    public bool IsFull => Calls >= _most;

    /// <summary>Lets a call in; it leaves when the result is disposed.</summary>
    /// <exception cref="EngineBusyException">The queue is full.</exception>
    public Entry Enter()
    {
        int calls = Interlocked.Increment(ref _calls);
        if (calls <= _most)
            return new Entry(this);
        Interlocked.Decrement(ref _calls);
        throw new EngineBusyException(
            $"{options.MaxConcurrentRequests} calls may be computed and {options.MaxQueuedRequests} may wait " +
            $"({nameof(HiggsAudioOptions)}.{nameof(HiggsAudioOptions.MaxQueuedRequests)}): try again later.",
            isTransient: true);
    }

    /// <summary>A call that is in.</summary>
    public readonly struct Entry(Admission admission) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref admission._calls);
    }
}
