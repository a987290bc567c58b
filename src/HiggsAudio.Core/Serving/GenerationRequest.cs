using System.Runtime.ExceptionServices;
using HiggsAudio.Generation;
using HiggsAudio.Model;
using HiggsAudio.Prompts;

namespace HiggsAudio.Serving;

/// <summary>
/// One answer on its way: the scheduler advances it, its caller reads what was made. All that both touch is guarded by the request's lock;
/// the scheduler's other state (cache, prefill) is its own.
/// </summary>
/// <param name="prompt">The prompt, merged with its audio.</param>
/// <param name="state">The answer's state.</param>
/// <param name="maxRows">Rows that the cache needs at most.</param>
/// <param name="maxUnread">Steps that may be made before the caller has read them.</param>
/// <param name="cancellationToken">Ends the request.</param>
internal sealed class GenerationRequest(Prompt prompt, GenerationState state, int maxRows, int maxUnread, CancellationToken cancellationToken)
{
    private readonly Lock _lock = new();
    private readonly List<StepResult> _steps = [];
    private TaskCompletionSource? _waiting;
    private readonly int _firstColumn = state.Columns.Length;
    private int _read, _readTokens, _readColumns;
    private Exception? _failure;
    private bool _ended;
    private volatile bool _abandoned;

    public Prompt Prompt => prompt;

    public int MaxRows => maxRows;

    /// <summary>The prompt's rows, to be compared with others'; null if they cannot be shared.</summary>
    public RowKey? Key { get; init; }

    /// <summary>The conversation whose turn it is; null if its state is not wanted afterwards.</summary>
    public PrefixOwner? Owner { get; init; }

    /// <summary>Whether nobody wants the answer any more.</summary>
    public bool IsCancelled => cancellationToken.IsCancellationRequested || _abandoned;

    /// <summary>The cache, while the request is active. The scheduler's.</summary>
    public SequenceState? Sequence { get; set; }

    /// <summary>Where every step starts from, if the prompt has padding: see <see cref="SequenceState.LengthAfterPadding"/>. The scheduler's.</summary>
    public SequenceLength? StuckAt { get; set; }

    /// <summary>Prompt rows that have run. The scheduler's.</summary>
    public int PrefilledRows { get; set; }

    /// <summary>Of them those that an earlier request had computed.</summary>
    public int CachedRows { get; set; }

    /// <summary>Whether the prompt's beginning is to be kept, and not yet. The scheduler's.</summary>
    public bool PrefixPending { get; set; }

    /// <summary>The rows that were run after the prompt, as a <see cref="RowKey"/> has them; null without an owner. The scheduler's.</summary>
    public List<int>? StepRows { get; private set; }

    /// <summary>The number of this request's logits in the running batch. The scheduler's.</summary>
    public int LogitsIndex { get; set; }

    /// <summary>The answer's state; the scheduler's while the request runs.</summary>
    public GenerationState State => state;

    /// <summary>Whether the caller is so far behind that the request should pause.</summary>
    public bool IsPaused
    {
        get
        {
            lock (_lock)
                return _steps.Count - _read >= maxUnread;
        }
    }

    /// <summary>Called when a paused request may go on.</summary>
    public Action? Resumed { get; set; }

    /// <summary>Notes the row that is run next, for the owner.</summary>
    public void RecordStep()
    {
        if (Owner is null)
            return;
        StepRows ??= [];
        if (state.NextInput == StepInput.Audio)
            RowKey.AddColumn(StepRows, state.NextCodes);
        else
            StepRows.Add(state.NextToken);
    }

    /// <summary>Makes the next step and lets the caller see it.</summary>
    public void Advance(ReadOnlySpan<float> logits)
    {
        lock (_lock)
        {
            _steps.Add(state.Advance(logits));
            if (state.IsFinished)
                _ended = true;
            Wake();
        }
    }

    /// <summary>Ends the request: cancelled or failed.</summary>
    public void End(Exception? failure)
    {
        lock (_lock)
        {
            if (_ended)
                return;
            (_ended, _failure) = (true, failure);
            state.Cancel();
            Wake();
        }
    }

    /// <summary>Says that the caller reads no more.</summary>
    public void Abandon() => _abandoned = true;

    /// <summary>Completes when there is a step after <see cref="_read"/>, or the request has ended.</summary>
    public Task WaitAsync()
    {
        lock (_lock)
        {
            if (_read < _steps.Count || _ended)
                return Task.CompletedTask;
            _waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _waiting.Task;
        }
    }

    /// <summary>Reads the next step, if there is one.</summary>
    /// <param name="step">What was made.</param>
    /// <param name="ended">If there is none: whether there will be no more.</param>
    /// <exception cref="Exception">What the request failed with, once all steps are read.</exception>
    public bool TryRead(out Step step, out bool ended)
    {
        bool resumed;
        lock (_lock)
        {
            ended = _ended;
            if (_read == _steps.Count)
            {
                if (_failure is not null)
                    ExceptionDispatchInfo.Throw(_failure);
                step = default;
                return false;
            }
            resumed = _steps.Count - _read == maxUnread;
            step = StepAt(_steps[_read++]);
        }
        if (resumed)
            Resumed?.Invoke();
        return true;
    }

    // Steps are read in order, so that the position in the state's lists follows from what was read before.
    private Step StepAt(StepResult made)
    {
        int token = made == StepResult.Audio ? -1 : state.TextTokens[_readTokens++];
        if (made == StepResult.Text)
            return new Step(made, token, null);
        int codebooks = state.NextCodes.Length;
        return new Step(made, token, state.Columns.Slice(_firstColumn + _readColumns++ * codebooks, codebooks).ToArray());
    }

    private void Wake()
    {
        _waiting?.TrySetResult();
        _waiting = null;
    }
}

/// <summary>One step of an answer.</summary>
/// <param name="Made">What was made.</param>
/// <param name="Token">The text token (also the one that stands for a segment's start, or ends it); −1 for a column inside a segment.</param>
/// <param name="Column">The column of audio codes, still delayed; null for text.</param>
internal readonly record struct Step(StepResult Made, int Token, int[]? Column);
