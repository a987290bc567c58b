using HiggsAudio.LongForm;
using HiggsAudio.Prompts;

namespace HiggsAudio;

public sealed partial class HiggsAudioServeEngine
{
    /// <summary>A text while it is spoken: the conversations so far, and the sound.</summary>
    private sealed class Speech(HiggsAudioServeEngine engine, Func<int, IReadOnlyList<Message>> messages, SpeakOptions options, SpeechMeter meter,
        CancellationToken cancellationToken)
    {
        private readonly SpeechSound _sound = new(engine.Codec, options.Streaming.Sound, options.FadeMilliseconds);
        private readonly SilenceWatch? _silence = options.Guards.MaxSilence is { } limit
            ? new SilenceWatch(engine.SamplingRate, limit, options.Guards.SilenceLevel) : null;
        private readonly Dictionary<int, LongFormContext> _contexts = [];
        private readonly CancellationToken _betweenSteps = options.Generation.KeepPartialAnswer ? CancellationToken.None : cancellationToken;
        private readonly List<float> _kept = [];   // all sound, where its loudness is to be changed
        private float[] _newest = [];              // what the last delta sounds like
        private Usage _usage;
        private FinishReason? _problem, _last;

        /// <summary>Whether the caller has had enough.</summary>
        public bool IsCancelled => _last == HiggsAudio.FinishReason.Cancelled;

        /// <summary>Ends the text here if the caller wants no more, but what there is.</summary>
        /// <exception cref="OperationCanceledException">The caller wants nothing.</exception>
        public bool EndIfCancelled()
        {
            _betweenSteps.ThrowIfCancellationRequested();
            if (!IsCancelled && cancellationToken.IsCancellationRequested)
                _problem ??= _last = HiggsAudio.FinishReason.Cancelled;
            return IsCancelled;
        }

        public SpeechEvent Pause(TimeSpan duration) => new(WithSound(new HiggsAudioStreamerDelta(), () => _sound.Pause(duration)));

        /// <summary>Generates a chunk. Its sound is returned as it is made, or once the chunk is accepted if it might be made again.</summary>
        public async IAsyncEnumerable<SpeechEvent> SayAsync(SpeechPiece piece)
        {
            LongFormContext context = await ContextOfAsync(piece.Speaker).ConfigureAwait(false);
            bool mayRetry = options.Retry.Attempts > 1;
            TimeSpan start = TimeSpan.FromSeconds((double)_sound.Written / engine.SamplingRate);
            Usage before = _usage;
            var held = new List<HiggsAudioStreamerDelta>();
            for (int attempt = 1; ; attempt++)
            {
                var take = new Take(engine, await BeginAsync(context, piece, attempt).ConfigureAwait(false));
                CodecStream? rehearsal = mayRetry && _silence is not null ? new CodecStream(engine.Codec, options.Streaming.Sound) : null;
                _silence?.Reset();
                await foreach (HiggsAudioStreamerDelta delta in take.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    HiggsAudioStreamerDelta made = mayRetry ? delta : WithSound(delta);
                    if (rehearsal is not null)
                        _newest = delta.AudioCodes is null ? [] : rehearsal.Write(delta.AudioCodes, _betweenSteps);
                    take.IsSilent = _silence?.Add(_newest) == true;
                    if (mayRetry)
                        held.Add(made);
                    else
                        yield return new SpeechEvent(made);
                    if (take.IsSilent)
                        break;
                }
                _usage = Sum(_usage, take.Usage);
                SpokenChunk chunk = take.ToChunk(piece.Text) with { StartTime = start, Attempts = attempt, Usage = Difference(_usage, before) };
                bool accepted = chunk.IsComplete && options.Retry.Accept?.Invoke(chunk) != false;
                if (!accepted && !take.IsCancelled && attempt < options.Retry.Attempts)
                {
                    held.Clear();
                    continue;
                }
                foreach (HiggsAudioStreamerDelta delta in held)
                    yield return new SpeechEvent(WithSound(delta));
                End(piece, context, chunk);
                yield return new SpeechEvent(null, chunk);
                yield break;
            }
        }

        /// <summary>The last delta.</summary>
        public SpeechEvent Finish()
        {
            HiggsAudioStreamerDelta delta = WithSound(new HiggsAudioStreamerDelta(), _sound.EndClip);
            if (options.TargetLoudness is { } loudness)
            {
                var whole = new Waveform(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_kept), engine.SamplingRate);
                delta = delta with { Audio = whole.NormalizeLoudness(loudness).Samples, StartTime = TimeSpan.Zero };
            }
            return new SpeechEvent(delta with { FinishReason = _problem ?? _last ?? HiggsAudio.FinishReason.Stop, Usage = _usage });
        }

        private void End(SpeechPiece piece, LongFormContext context, SpokenChunk chunk)
        {
            _last = chunk.FinishReason;
            if (!chunk.IsComplete)
                _problem ??= _last;
            // What a guard has ended would spoil the chunks after it.
            if (chunk.AudioCodes is { } codes && chunk.FinishReason is FinishReason.Stop or FinishReason.AudioEnd or FinishReason.Length)
                context.Add(piece.Text, AudioContent.FromCodes(codes));
            meter.EndChunk(piece, _sound.Written);
        }

        private HiggsAudioStreamerDelta WithSound(HiggsAudioStreamerDelta delta)
        {
            if (delta.AudioCodes is not { } frames)
                return WithSound(delta, () => []);
            HiggsAudioStreamerDelta sounding = WithSound(delta, () => _sound.Write(frames, _betweenSteps));
            meter.AddFrames(frames.Frames, _sound.Written);
            return sounding;
        }

        private HiggsAudioStreamerDelta WithSound(HiggsAudioStreamerDelta delta, Func<float[]> sound)
        {
            long start = _sound.Returned;
            float[] samples = _newest = sound();
            if (options.TargetLoudness is not null)
            {
                _kept.AddRange(samples);
                (samples, start) = ([], 0);
            }
            return delta with { Audio = samples, StartTime = TimeSpan.FromSeconds((double)start / engine.SamplingRate), SamplingRate = engine.SamplingRate };
        }

        private async Task<LongFormContext> ContextOfAsync(int speaker)
        {
            if (!_contexts.TryGetValue(speaker, out LongFormContext? context))
            {
                List<Message> encoded = await Task.Run(() => engine.Encoded(messages(speaker), _betweenSteps), _betweenSteps).ConfigureAwait(false);
                _contexts[speaker] = context = new LongFormContext(encoded, options.ChunkBufferSize);
            }
            return context;
        }

        private async Task<(Answer Answer, bool IsBudget)> BeginAsync(LongFormContext context, SpeechPiece piece, int attempt)
        {
            GenerationOptions generation = options.Generation;
            int budget = options.Guards.FrameBudgetMargin is { } margin
                ? SpeechRate.FrameBudget(piece.Text, margin, engine.Codec.FrameRate, engine.Codec.Codebooks) : int.MaxValue;
            bool isBudget = budget < generation.MaxNewTokens;
            generation = generation with
            {
                MaxNewTokens = Math.Min(budget, generation.MaxNewTokens),
                MaxLoopFrames = options.Guards.MaxLoop is { } loop ? (int)Math.Clamp(loop.TotalSeconds * engine.Codec.FrameRate, 10, int.MaxValue) : generation.MaxLoopFrames,
                Seed = generation.Seed + (attempt - 1) * 1_000_003L,
            };
            Prompt prompt = await Task.Run(() => PromptThatFits(context, piece.Text, generation), _betweenSteps).ConfigureAwait(false);
            isBudget &= prompt.Rows.Length + generation.MaxNewTokens <= engine._options.MaxContextLength;
            return (engine.Submit(prompt, generation, null, options.Streaming.MaxUnreadSteps, cancellationToken), isBudget);
        }

        // Forgets the oldest chunks where the context is too long.
        private Prompt PromptThatFits(LongFormContext context, string text, GenerationOptions generation)
        {
            while (true)
            {
                Prompt prompt = engine.BuildPrompt(context.Next(text), generation, _betweenSteps);
                if (prompt.Rows.Length + (long)generation.MaxNewTokens <= engine._options.MaxContextLength || !context.Forget())
                    return prompt;
            }
        }

        private static Usage Sum(Usage a, Usage b) => new(a.PromptTokens + b.PromptTokens, a.CompletionTokens + b.CompletionTokens, a.CachedTokens + b.CachedTokens);

        private static Usage Difference(Usage a, Usage b) => new(a.PromptTokens - b.PromptTokens, a.CompletionTokens - b.CompletionTokens, a.CachedTokens - b.CachedTokens);
    }

    /// <summary>One attempt at a chunk.</summary>
    private sealed class Take(HiggsAudioServeEngine engine, (Answer Answer, bool IsBudget) begun)
    {
        private readonly List<AudioCodes> _frames = [];
        private HiggsAudioStreamerDelta? _last;
        private int _steps;

        /// <summary>Whether there was silence for too long.</summary>
        public bool IsSilent { get; set; }

        public bool IsCancelled => _last?.FinishReason == HiggsAudio.FinishReason.Cancelled;

        public Usage Usage => _last?.Usage ?? new Usage(begun.Answer.Prompt.Rows.Length, _steps);

        /// <summary>The deltas, without end and without sound; empty ones are left out.</summary>
        public async IAsyncEnumerable<HiggsAudioStreamerDelta> ReadAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (HiggsAudioStreamerDelta delta in engine.ReadAsync(begun.Answer, cancellationToken).ConfigureAwait(false))
            {
                if (delta.AudioCodes is not null)
                    _frames.Add(delta.AudioCodes);
                if (delta.FinishReason is not null)
                    _last = delta;
                else
                    _steps += delta.AudioTokens is not null || delta.TextTokens is not null ? 1 : 0;
                if (delta.Text is not null || delta.TextTokens is not null || delta.AudioTokens is not null || delta.AudioCodes is not null)
                    yield return delta with { FinishReason = null, Usage = null };
            }
        }

        public SpokenChunk ToChunk(string text)
        {
            bool whole = _last is not null;   // else it was left because it is silent, and the scheduler may still be at work on the state
            Generation.GenerationState state = begun.Answer.Request.State;
            AudioCodes? codes = _frames.Count == 0 ? null : AudioCodes.Concat([.. _frames]);
            FinishReason reason = _last?.FinishReason ?? HiggsAudio.FinishReason.Silence;
            if (reason == HiggsAudio.FinishReason.Length && begun.IsBudget)
                reason = HiggsAudio.FinishReason.FrameBudget;
            if (codes is null && reason is HiggsAudio.FinishReason.Stop or HiggsAudio.FinishReason.AudioEnd)
                reason = HiggsAudio.FinishReason.NoAudio;
            return new SpokenChunk
            {
                Text = text,
                AudioCodes = codes,
                FinishReason = reason,
                Seed = state.Seed,
                TextTokens = whole ? state.TextTokens.ToArray() : [],
                Segments = whole ? [.. Enumerable.Range(0, state.Segments).Select(i => AudioCodes.FromArray(state.Segment(i)))] : [],
            };
        }
    }
}
