using System.Diagnostics;
using System.Runtime.CompilerServices;
using HiggsAudio.Generation;
using HiggsAudio.Prompts;
using HiggsAudio.Serving;

namespace HiggsAudio;

public sealed partial class HiggsAudioServeEngine
{
    private const int UnboundedSteps = int.MaxValue;

    /// <summary>Generates the answer to a conversation (the reference's <c>generate</c>).</summary>
    /// <param name="chatMLSample">The conversation so far.</param>
    /// <param name="options">How to generate.</param>
    /// <param name="progress">Told after every frame how far the answer is.</param>
    /// <param name="cancellationToken">Ends the work within one step; see <see cref="GenerationOptions.KeepPartialAnswer"/>.</param>
    /// <exception cref="ArgumentException">
    /// The conversation or an option is not valid: no message, an unknown role, audio that cannot be encoded.
    /// </exception>
    /// <exception cref="ContextLengthException">The conversation has more rows than the context allows.</exception>
    /// <exception cref="AudioFormatException">An audio file of the conversation is broken or of a kind that is not read.</exception>
    /// <exception cref="EngineBusyException">There is no memory for the request.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public HiggsAudioResponse Generate(ChatMLSample chatMLSample, GenerationOptions? options = null,
        IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default) =>
        GenerateAsync(chatMLSample, options, progress, cancellationToken).GetAwaiter().GetResult();

    /// <summary>As <see cref="Generate"/>, without blocking the caller's thread.</summary>
    /// <inheritdoc cref="Generate"/>
    public async Task<HiggsAudioResponse> GenerateAsync(ChatMLSample chatMLSample, GenerationOptions? options = null,
        IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= new GenerationOptions();
        Answer answer = await BeginWholeAsync(chatMLSample, options, owner: null, cancellationToken).ConfigureAwait(false);
        return await CollectAsync(answer, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Generates the answer to a conversation piece by piece (the reference's <c>generate_delta_stream</c>), with the sound as it becomes ready.
    /// Joined, the sound is that of <see cref="Generate"/>. If the caller reads slowly, the model waits.
    /// </summary>
    /// <param name="chatMLSample">The conversation so far.</param>
    /// <param name="options">How to generate.</param>
    /// <param name="streaming">How to cut the sound into chunks, and how far the model may be ahead.</param>
    /// <param name="cancellationToken">Ends the work within one step of the model; so does leaving the loop.</param>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public async IAsyncEnumerable<HiggsAudioStreamerDelta> GenerateDeltaStreamAsync(ChatMLSample chatMLSample, GenerationOptions? options = null,
        StreamOptions? streaming = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        options ??= new GenerationOptions();
        Answer answer = await BeginAsync(chatMLSample, options, streaming ?? new StreamOptions(), owner: null, cancellationToken).ConfigureAwait(false);
        await foreach (HiggsAudioStreamerDelta delta in ReadAsync(answer, cancellationToken).ConfigureAwait(false))
            yield return delta;
    }

    // Larger chunks cost less; nobody listens before the end.
    private static CodecStreamOptions WholeAnswer { get; } = new() { FirstChunkFrames = 150, ChunkFrames = 150 };

    /// <summary>Submits a request whose answer is read as a whole.</summary>
    internal Task<Answer> BeginWholeAsync(ChatMLSample sample, GenerationOptions options, PrefixOwner? owner, CancellationToken cancellationToken) =>
        BeginAsync(sample, options, new StreamOptions { Sound = WholeAnswer, MaxUnreadSteps = UnboundedSteps }, owner, cancellationToken);

    /// <summary>Submits a request.</summary>
    /// <param name="sample">The conversation.</param>
    /// <param name="options">How to generate.</param>
    /// <param name="streaming">How the answer is read.</param>
    /// <param name="owner">The conversation object for which the state is kept afterwards; null for none.</param>
    /// <param name="cancellationToken">Ends it.</param>
    internal async Task<Answer> BeginAsync(ChatMLSample sample, GenerationOptions options, StreamOptions streaming, PrefixOwner? owner, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sample);
        streaming.Validate();
        ObjectDisposedException.ThrowIf(_disposed, this);
        options.Validate();
        cancellationToken.ThrowIfCancellationRequested();
        Prompt prompt = await Task.Run(() => BuildPrompt(sample, options, cancellationToken), cancellationToken).ConfigureAwait(false);
        return Submit(prompt, options, streaming.Sound, streaming.MaxUnreadSteps, cancellationToken, owner);
    }

    private Answer Submit(Prompt prompt, GenerationOptions options, CodecStreamOptions? sound, int maxUnread, CancellationToken cancellationToken, PrefixOwner? owner = null)
    {
        if (prompt.Rows.Length >= _options.MaxContextLength)
            throw new ContextLengthException(prompt.Rows.Length, _options.MaxContextLength);
        int steps = Math.Min(options.MaxNewTokens, _options.MaxContextLength - prompt.Rows.Length);
        var stop = new StopCondition([_specialTokens.EndOfTurn, _specialTokens.EndOfText, .. Config.EosTokenIds], options.StopStrings, Tokenizer.TokenToId,
            tokens => Tokenizer.Decode(tokens));
        var tokens = new GenerationTokens(_specialTokens.AudioOutBos, _specialTokens.AudioOut, _specialTokens.AudioEos,
            Config.AudioStreamBosId, Config.AudioStreamEosId, Config.AudioNumCodebooks);
        var state = new GenerationState(tokens, options with { MaxNewTokens = steps }, stop, prompt.InputIds, prompt.AudioOut.Codes, prompt.AudioOut.Starts.LastOrDefault());
        var request = new GenerationRequest(prompt, state, prompt.Rows.Length + steps, maxUnread, cancellationToken)
        {
            Key = RowKey.Of(prompt),
            Owner = owner,
        };
        _scheduler.Submit(request);
        return new Answer(request, new AnswerReader(Codec, Tokenizer, options, sound), prompt, options.KeepPartialAnswer);
    }

    /// <summary>The whole answer: the loop over the stream.</summary>
    internal async Task<HiggsAudioResponse> CollectAsync(Answer answer, IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        var collected = new ResponseCollector(this, progress);
        await foreach (HiggsAudioStreamerDelta delta in ReadAsync(answer, cancellationToken).ConfigureAwait(false))
            collected.Add(delta);
        return collected.ToResponse(answer);
    }

    /// <summary>Reads an answer piece by piece.</summary>
    internal async IAsyncEnumerable<HiggsAudioStreamerDelta> ReadAsync(Answer answer, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        (GenerationRequest request, AnswerReader reader, Prompt prompt, _) = answer;
        var deltas = new List<HiggsAudioStreamerDelta>();
        using CancellationTokenRegistration registration = cancellationToken.Register(_scheduler.Notify);
        try
        {
            bool ended = false;
            while (!ended)
            {
                if (!answer.KeepPartial)
                    cancellationToken.ThrowIfCancellationRequested();
                if (request.TryRead(out Step step, out ended))
                {
                    reader.Read(step, deltas);
                    ended = false;
                }
                else if (!ended)
                    await request.WaitAsync().ConfigureAwait(false);
                foreach (HiggsAudioStreamerDelta delta in deltas)
                    yield return delta;
                deltas.Clear();
            }
            if (request.State.FinishReason == FinishReason.Cancelled && !answer.KeepPartial)
                throw new OperationCanceledException(cancellationToken);
            yield return reader.Finish(request.State.FinishReason!.Value, new Usage(prompt.Rows.Length, request.State.Steps, request.CachedRows));
        }
        finally
        {
            request.Abandon();
            _scheduler.Notify();
        }
    }

    // Encodes the conversation's audio and merges it with the text.
    private Prompt BuildPrompt(ChatMLSample sample, GenerationOptions options, CancellationToken cancellationToken)
    {
        PromptTokens tokens = _promptBuilder.Build(sample, options.ForceAudioGeneration ? AssistantStart.Audio : AssistantStart.Text);
        var clips = new AudioCodes?[tokens.Audio.Count];
        for (int i = 0; i < clips.Length; i++)
            if (options.ReturnAudioInTokens || tokens.Audio[i].Kind == PromptRowKind.AudioOut)
                clips[i] = CodesOf(tokens.Audio[i], cancellationToken);
        return new PromptCollator(Config) { ReturnAudioInTokens = options.ReturnAudioInTokens }.Collate(tokens, clips);
    }

    private AudioCodes CodesOf(PromptAudio audio, CancellationToken cancellationToken)
    {
        if (audio.Content.Codes is { } codes)
            return codes;
        Waveform waveform = audio.Content.Load()
            ?? throw new ArgumentException($"The audio of message {audio.Message} is a placeholder: it names no file, has no bytes and no codes.");
        try
        {
            return Codec.Encode(waveform, cancellationToken);
        }
        catch (ArgumentException problem)
        {
            throw new ArgumentException($"The audio of message {audio.Message} cannot be encoded: {problem.Message}", problem);
        }
    }

    /// <summary>An answer on its way.</summary>
    internal sealed record Answer(GenerationRequest Request, AnswerReader Reader, Prompt Prompt, bool KeepPartial);

    private sealed class ResponseCollector(HiggsAudioServeEngine engine, IProgress<GenerationProgress>? progress)
    {
        private readonly List<ReadOnlyMemory<float>> _sound = [];
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private int _frames;

        private HiggsAudioStreamerDelta? _last;

        public void Add(HiggsAudioStreamerDelta delta)
        {
            _last = delta;
            if (!delta.Audio.IsEmpty)
                _sound.Add(delta.Audio);
            if (delta.AudioCodes is null)
                return;
            _frames += delta.AudioCodes.Frames;
            progress?.Report(new GenerationProgress(_frames, TimeSpan.FromSeconds(_frames / engine.Codec.FrameRate), _frames / _watch.Elapsed.TotalSeconds));
        }

        public HiggsAudioResponse ToResponse(Answer answer)
        {
            GenerationState state = answer.Request.State;
            IReadOnlyList<AudioCodes> segments = answer.Reader.Segments;
            int[] text = state.TextTokens.ToArray();
            return new HiggsAudioResponse
            {
                Audio = _sound.Count == 0 ? null : new Waveform(Joined(), engine.SamplingRate),
                SamplingRate = engine.SamplingRate,
                GeneratedText = engine.Tokenizer.Decode(text),
                GeneratedTextTokens = text,
                GeneratedAudioTokens = [.. Enumerable.Range(0, state.Segments).Select(i => AudioCodes.FromArray(state.Segment(i)))],
                AudioCodes = segments.Count == 0 ? null : AudioCodes.Concat([.. segments]),
                Usage = _last!.Usage!.Value,
                FinishReason = _last.FinishReason!.Value,
                Seed = state.Seed,
            };
        }

        private float[] Joined()
        {
            var samples = new float[_sound.Sum(part => part.Length)];
            int at = 0;
            foreach (ReadOnlyMemory<float> part in _sound)
            {
                part.CopyTo(samples.AsMemory(at));
                at += part.Length;
            }
            return samples;
        }
    }
}
