namespace HiggsAudio.Serving;

// What is kept of a request's rows for the next.
internal sealed partial class Scheduler
{
    private readonly PrefixCache _prefixes;

    /// <summary>Bytes of cache that are kept for later requests.</summary>
    public long PrefixBytes => _prefixes.Bytes;

    private long RoomForPrefixes => _options.KvCacheBytes - ReservedBytes;

    /// <summary>Drops what is kept for a conversation.</summary>
    public void Release(PrefixOwner owner) => _prefixes.Release(owner);

    // Starts from the longest beginning of the prompt that is kept, unless a piece of it has run already.
    private void StartFromPrefix(GenerationRequest request)
    {
        if (request.Key is null || request.PrefilledRows > request.CachedRows
            || _prefixes.Fork(request.Key, above: request.CachedRows, request.Owner) is not { } fork)
        {
            return;
        }
        request.Sequence!.Dispose();
        request.Sequence = fork;
        request.PrefilledRows = request.CachedRows = fork.Length.Rows;
    }

    private bool HasPrefixToKeep(GenerationRequest request) =>
        _prefixes.IsOn && request is { Key: not null, Owner: null } && request.Prompt.PrefixRows >= PrefixCache.FewestRows;

    // Of requests with the same beginning one computes it, and the others wait: that costs less than to compute it for each.
    private bool AwaitsPrefix(GenerationRequest request)
    {
        if (!request.PrefixPending || request.PrefilledRows > request.CachedRows)
            return false;
        foreach (GenerationRequest earlier in _active)
        {
            if (earlier == request)
                return false;
            int rows = earlier.Prompt.PrefixRows;
            if (earlier.PrefixPending && rows > request.CachedRows && request.Key!.Common(earlier.Key!, rows).Rows == rows)
                return true;
        }
        return false;
    }

    private void KeepPrefix(GenerationRequest request)
    {
        if (!request.PrefixPending || request.PrefilledRows < request.Prompt.PrefixRows)
            return;
        request.PrefixPending = false;
        _prefixes.Add(request.Key!.First(request.Prompt.PrefixRows), request.Sequence!, owner: null, RoomForPrefixes);
    }

    // Of a conversation's turn all rows are kept, the answer's too. The last step's row is not among them: it never ran.
    private void KeepState(GenerationRequest request)
    {
        if (request is { Owner: { } owner, Key: { } key, StepRows: { } steps, Sequence: { Length: { InPrefill: false, PaddingRows: 0 } } sequence })
            _prefixes.Add(key.Append(steps), sequence, owner, RoomForPrefixes);
    }
}
