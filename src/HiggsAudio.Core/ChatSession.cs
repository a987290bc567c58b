using System.Runtime.CompilerServices;
using HiggsAudio.Serving;

namespace HiggsAudio;

/// <summary>
/// A conversation of several turns, in text, audio or both. Its history is messages: what was sent, and what was answered (the text without
/// special tokens; of the audio the frames that were heard). Every turn is exactly what <see cref="HiggsAudioServeEngine.GenerateAsync"/> makes of
/// the history and the new message, but computes only what is new: keys and values of all rows before stay with the conversation between
/// turns. They are given up where other requests need the room, and then computed again. For one turn at a time.
/// </summary>
/// <remarks>
/// What is computed again of an answer: the last column of a segment never runs while it is generated, so a turn begins with that column and
/// what follows it. An answer that was cut (<see cref="FinishReason.Length"/>) is, in the history, one that ended there.
/// </remarks>
public sealed class ChatSession : IDisposable
{
    private readonly HiggsAudioServeEngine _engine;
    private readonly PrefixOwner _owner = new();
    private readonly CancellationTokenSource _disposal = new();
    private volatile Message[] _history;
    private int _busy, _disposed;

    internal ChatSession(HiggsAudioServeEngine engine, IEnumerable<Message> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        _engine = engine;
        _history = [.. messages];
        if (_history.Contains(null!))
            throw new ArgumentException("A message is null.", nameof(messages));
    }

    /// <summary>The turns so far: a copy that later turns do not change. A turn that failed, was cancelled or not read to its end is not among them.</summary>
    public IReadOnlyList<Message> History => _history.AsReadOnly();

    /// <summary>Sends a string or an <see cref="AudioContent"/> as the user and waits for the whole answer.</summary>
    /// <inheritdoc cref="SendAsync(Message, GenerationOptions?, IProgress{GenerationProgress}?, CancellationToken)"/>
    public Task<HiggsAudioResponse> SendAsync(MessageContent content, GenerationOptions? options = null, IProgress<GenerationProgress>? progress = null,
        CancellationToken cancellationToken = default) => SendAsync(FromUser(content), options, progress, cancellationToken);

    /// <summary>Sends a message and waits for the whole answer.</summary>
    /// <param name="message">A message of any role but the assistant's.</param>
    /// <param name="options">How to generate.</param>
    /// <param name="progress">Told after every frame how far the answer is.</param>
    /// <param name="cancellationToken">
    /// Ends the work within one step; the turn is not part of the history then, unless <see cref="GenerationOptions.KeepPartialAnswer"/> is set.
    /// </param>
    /// <exception cref="ArgumentException">The message or an option is not valid.</exception>
    /// <exception cref="ContextLengthException">The conversation has become too long for the context; it stays as it is.</exception>
    /// <exception cref="AudioFormatException">An audio file is broken or of a kind that is not read.</exception>
    /// <exception cref="EngineBusyException">There is no memory for the request.</exception>
    /// <exception cref="InvalidOperationException">The turn before has not ended.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    /// <exception cref="ObjectDisposedException">The conversation or its engine was disposed.</exception>
    public async Task<HiggsAudioResponse> SendAsync(Message message, GenerationOptions? options = null, IProgress<GenerationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        using CancellationTokenSource work = BeginTurn(message, cancellationToken);
        try
        {
            (ChatMLSample sample, Message sent) = await PrepareAsync(message, work.Token).ConfigureAwait(false);
            HiggsAudioServeEngine.Answer answer = await _engine.BeginWholeAsync(sample, options ?? new GenerationOptions(), _owner, work.Token).ConfigureAwait(false);
            HiggsAudioResponse response = await _engine.CollectAsync(answer, progress, work.Token).ConfigureAwait(false);
            _history = [.. _history, sent, _engine.ToMessage(answer)];
            return response;
        }
        finally
        {
            EndTurn();
        }
    }

    /// <summary>Sends a string or an <see cref="AudioContent"/> as the user and gives the answer piece by piece.</summary>
    /// <inheritdoc cref="SendDeltaStreamAsync(Message, GenerationOptions?, StreamOptions?, CancellationToken)"/>
    public IAsyncEnumerable<HiggsAudioStreamerDelta> SendDeltaStreamAsync(MessageContent content, GenerationOptions? options = null, StreamOptions? streaming = null,
        CancellationToken cancellationToken = default) => SendDeltaStreamAsync(FromUser(content), options, streaming, cancellationToken);

    /// <summary>Sends a message and gives the answer piece by piece. The turn is part of the history once its last piece is given.</summary>
    /// <param name="message">A message of any role but the assistant's.</param>
    /// <param name="options">How to generate.</param>
    /// <param name="streaming">How to cut the sound into chunks, and how far the model may be ahead.</param>
    /// <param name="cancellationToken">Ends the work within one step of the model; so does leaving the loop.</param>
    /// <inheritdoc cref="SendAsync(Message, GenerationOptions?, IProgress{GenerationProgress}?, CancellationToken)" path="/exception"/>
    public async IAsyncEnumerable<HiggsAudioStreamerDelta> SendDeltaStreamAsync(Message message, GenerationOptions? options = null, StreamOptions? streaming = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using CancellationTokenSource work = BeginTurn(message, cancellationToken);
        try
        {
            (ChatMLSample sample, Message sent) = await PrepareAsync(message, work.Token).ConfigureAwait(false);
            HiggsAudioServeEngine.Answer answer = await _engine.BeginAsync(sample, options ?? new GenerationOptions(), streaming ?? new StreamOptions(), _owner, work.Token).ConfigureAwait(false);
            await foreach (HiggsAudioStreamerDelta delta in _engine.ReadAsync(answer, work.Token).ConfigureAwait(false))
            {
                if (delta.FinishReason is not null)
                    _history = [.. _history, sent, _engine.ToMessage(answer)];
                yield return delta;
            }
        }
        finally
        {
            EndTurn();
        }
    }

    /// <summary>Ends the turn that runs, if one does (it is cancelled), and frees what is kept for the conversation. The history can still be read.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
            return;
        _disposal.Cancel();
        _engine.Release(_owner);
        _disposal.Dispose();
    }

    private static Message FromUser(MessageContent content)
    {
        ArgumentNullException.ThrowIfNull(content);
        return new Message(Message.User, content);
    }

    // Takes the turn; the source is cancelled with the conversation.
    private CancellationTokenSource BeginTurn(Message message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        ObjectDisposedException.ThrowIf(_disposed == 1, this);
        if (message.Role == Message.Assistant)
            throw new ArgumentException("The assistant's turns are the answers; what comes before the first turn is given where the conversation begins.", nameof(message));
        var work = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposal.Token);
        if (Interlocked.Exchange(ref _busy, 1) == 0)
            return work;
        work.Dispose();
        throw new InvalidOperationException("The turn before has not ended: a conversation has one turn at a time.");
    }

    private void EndTurn() => Volatile.Write(ref _busy, 0);

    // Audio is encoded once, not for every turn to come.
    private async Task<(ChatMLSample Sample, Message Sent)> PrepareAsync(Message message, CancellationToken cancellationToken)
    {
        Message[] history = _history;
        for (int i = 0; i < history.Length; i++)
        {
            Message encoded = await EncodeAsync(history[i], i).ConfigureAwait(false);
            if (encoded != history[i])
                history = [.. history[..i], encoded, .. history[(i + 1)..]];
        }
        _history = history;
        Message sent = await EncodeAsync(message, history.Length).ConfigureAwait(false);
        return (new ChatMLSample([.. history, sent]), sent);

        Task<Message> EncodeAsync(Message one, int index) => one.Content.Any(content => content is AudioContent { Codes: null })
            ? Task.Run(() => _engine.WithCodes(one, index, cancellationToken), cancellationToken)
            : Task.FromResult(one);
    }
}
