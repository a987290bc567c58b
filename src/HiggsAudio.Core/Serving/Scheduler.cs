using HiggsAudio.Compute;
using HiggsAudio.Generation;
using HiggsAudio.Model;
using HiggsAudio.Prompts;

namespace HiggsAudio.Serving;

/// <summary>
/// Continuous batching: one thread that runs the model for all requests together. Every pass takes the next row of each request that
/// generates and a piece of the prompts that wait, so that the weights are read once for all of them; requests come and go between passes.
/// A prompt that begins like an earlier one starts from what is kept of that (<see cref="PrefixCache"/>).
/// </summary>
internal sealed partial class Scheduler : IDisposable
{
    private const int PrefillRowsAlone = 512;   // when nobody waits for sound
    private readonly HiggsAudioModel _model;
    private readonly EngineOptions _options;
    private readonly Backend _lane;
    private readonly TokenBatch _batch;
    private readonly long _bytesPerRow;
    private readonly Lock _lock = new();
    private readonly LinkedList<GenerationRequest> _waiting = [];
    private readonly List<GenerationRequest> _active = [];
    private readonly List<GenerationRequest> _inPass = [];
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread _thread;
    private long _reservedBytes;
    private volatile bool _stopping;

    public Scheduler(HiggsAudioModel model, Device device, EngineOptions options)
    {
        (_model, _options) = (model, options);
        (_lane, _batch, _prefixes) = (device.CreateLane(), model.CreateBatch(), new PrefixCache(options.PrefixCacheBytes));
        _bytesPerRow = model.CacheShape.BytesPerSlot;
        _thread = new Thread(Run) { IsBackground = true, Name = "HiggsAudio scheduler" };
        _thread.Start();
    }

    /// <summary>Bytes of cache that requests have reserved.</summary>
    public long ReservedBytes => Interlocked.Read(ref _reservedBytes);

    /// <summary>Requests that are computed.</summary>
    public int ActiveRequests
    {
        get
        {
            lock (_lock)
                return _active.Count;
        }
    }

    /// <summary>Requests in line.</summary>
    public int WaitingRequests
    {
        get
        {
            lock (_lock)
                return _waiting.Count;
        }
    }

    /// <summary>Takes a request in.</summary>
    /// <exception cref="EngineBusyException">It can never fit the budget, or does not fit now and the options say not to wait.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public void Submit(GenerationRequest request)
    {
        long bytes = request.MaxRows * _bytesPerRow;
        if (bytes > _options.KvCacheBytes)
        {
            throw new EngineBusyException(
                $"The request needs {bytes:N0} bytes of key-value cache ({request.MaxRows} rows), the engine's budget is {_options.KvCacheBytes:N0}: " +
                $"raise {nameof(EngineOptions)}.{nameof(EngineOptions.KvCacheBytes)} or lower {nameof(GenerationOptions)}.{nameof(GenerationOptions.MaxNewTokens)}.",
                isTransient: false);
        }
        request.Resumed = Notify;
        request.PrefixPending = HasPrefixToKeep(request);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping, typeof(HiggsAudioServeEngine));
            bool fits = _waiting.Count == 0 && _active.Count < _options.MaxConcurrentRequests && _reservedBytes + bytes <= _options.KvCacheBytes;
            if (!fits && _options.WhenFull == WhenFull.Fail)
                throw new EngineBusyException($"The engine is busy with {_active.Count} requests, {_waiting.Count} wait.", isTransient: true);
            _waiting.AddLast(request);
            _wake.Set();
        }
    }

    /// <summary>Tells the scheduler that a request was cancelled or may go on. Nothing happens once the scheduler is disposed.</summary>
    public void Notify()
    {
        lock (_lock)
            if (!_stopping)
                _wake.Set();
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_stopping)
                return;
            _stopping = true;
        }
        _wake.Set();
        if (Thread.CurrentThread != _thread)
            _thread.Join();
        _lane.Dispose();
        _wake.Dispose();
    }

    private void Run()
    {
        while (!_stopping)
        {
            DropCancelled();
            Admit();
            if (!RunPass())
                _wake.WaitOne();
        }
        EndAll(new ObjectDisposedException(nameof(HiggsAudioServeEngine)));
        _prefixes.Dispose();
    }

    // Whether there was anything to do.
    private bool RunPass()
    {
        try
        {
            Collect();
            if (_inPass.Count == 0)
                return false;
            _model.Forward(_lane, _batch);
            foreach (GenerationRequest request in _inPass)
            {
                KeepPrefix(request);
                Advance(request);
            }
        }
#pragma warning disable CA1031 // Whatever went wrong belongs to the callers, not to this thread.
        catch (Exception problem)
#pragma warning restore CA1031
        {
            foreach (GenerationRequest request in _inPass)
                Retire(request, problem);
        }
        return true;
    }

    // The pass's rows: first those that speak, then pieces of prompts in order of arrival.
    private void Collect()
    {
        _batch.Clear();
        _inPass.Clear();
        foreach (GenerationRequest request in _active)
            if (request.PrefilledRows == request.Prompt.Rows.Length && !request.IsPaused)
                AddStep(request);
        int room = _inPass.Count > 0 ? _options.PrefillChunk : PrefillRowsAlone;
        foreach (GenerationRequest request in _active)
        {
            if (room <= 0)
                break;
            if (request.PrefilledRows < request.Prompt.Rows.Length && !AwaitsPrefix(request))
                room -= AddPrefill(request, room);
        }
    }

    private void AddStep(GenerationRequest request)
    {
        _inPass.Add(request);
        if (request.StuckAt is { } length)
            request.Sequence!.Truncate(length);
        if (request.State.NextInput == StepInput.Audio)
            _batch.AddAudio(request.Sequence!, request.State.NextCodes);
        else
            _batch.AddText(request.Sequence!, request.State.NextToken);
        AskForLogits(request);
        request.RecordStep();
    }

    private int AddPrefill(GenerationRequest request, int room)
    {
        _inPass.Add(request);
        StartFromPrefix(request);
        Prompt prompt = request.Prompt;
        int first = request.PrefilledRows, count = Math.Min(room, prompt.Rows.Length - first);
        foreach (PromptRow row in prompt.Rows.AsSpan(first, count))
            AddRow(request.Sequence!, prompt, row);
        request.PrefilledRows += count;
        if (request.PrefilledRows == prompt.Rows.Length)
        {
            request.Sequence!.EndPrefill();
            request.StuckAt = request.Sequence.LengthAfterPadding;
            AskForLogits(request);
        }
        return count;
    }

    private void AddRow(SequenceState sequence, Prompt prompt, PromptRow row)
    {
        switch (row.Kind)
        {
            case PromptRowKind.Text: _batch.AddText(sequence, row.Id); break;
            case PromptRowKind.Padding: _batch.AddPadding(sequence); break;
            default: _batch.AddAudio(sequence, prompt.CodesOf(row)); break;
        }
    }

    private void AskForLogits(GenerationRequest request) => request.LogitsIndex = request.State.Needs switch
    {
        StepLogits.Text => _batch.RequestTextLogits(),
        StepLogits.Audio => _batch.RequestAudioLogits(),
        _ => -1,
    };

    private void Advance(GenerationRequest request)
    {
        if (request.PrefilledRows < request.Prompt.Rows.Length)
            return;
        try
        {
            switch (request.State.Needs)
            {
                case StepLogits.Text: request.Advance(_batch.TextLogits(request.LogitsIndex)); break;
                case StepLogits.Audio: request.Advance(_batch.AudioLogits(request.LogitsIndex)); break;
                default: request.Advance([]); break;
            }
        }
        catch (InvalidOperationException problem)   // logits that are not numbers
        {
            Retire(request, problem);
            return;
        }
        if (request.State.IsFinished)
            Retire(request, null);
    }

    private void DropCancelled()
    {
        lock (_lock)
        {
            for (LinkedListNode<GenerationRequest>? node = _waiting.First, next; node is not null; node = next)
            {
                next = node.Next;
                if (!node.Value.IsCancelled)
                    continue;
                node.Value.End(null);
                _waiting.Remove(node);
            }
        }
        for (int i = _active.Count - 1; i >= 0; i--)
            if (_active[i].IsCancelled)
                Retire(_active[i], null);
    }

    // In order of arrival: a large request at the head of the line is not overtaken for ever by small ones.
    private void Admit()
    {
        lock (_lock)
        {
            while (_waiting.First is { } node && _active.Count < _options.MaxConcurrentRequests)
            {
                GenerationRequest request = node.Value;
                long bytes = request.MaxRows * _bytesPerRow;
                if (_reservedBytes + bytes > _options.KvCacheBytes)
                    return;
                _waiting.RemoveFirst();
                request.Sequence = _model.CreateSequence();
                StartFromPrefix(request);
                _active.Add(request);
                _reservedBytes += bytes;
                _prefixes.TrimTo(RoomForPrefixes);
            }
        }
    }

    private void Retire(GenerationRequest request, Exception? problem)
    {
        lock (_lock)
        {
            if (!_active.Remove(request))
                return;
            _reservedBytes -= request.MaxRows * _bytesPerRow;
        }
        if (problem is null)
            KeepState(request);
        request.Sequence!.Dispose();
        request.Sequence = null;
        request.End(problem);
    }

    private void EndAll(Exception problem)
    {
        lock (_lock)
        {
            foreach (GenerationRequest request in _waiting)
                request.End(problem);
            _waiting.Clear();
        }
        while (_active.Count > 0)
            Retire(_active[^1], problem);
    }
}
