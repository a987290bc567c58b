namespace HiggsAudio.Generation;

/// <summary>
/// One answer while it is made: the loop of the reference's <c>_sample</c> and <c>_sample_audio_tokens</c> (modeling_higgs_audio.py) without the
/// model. Ask what to feed (<see cref="NextInput"/>) and which logits are needed (<see cref="Needs"/>), run the model, <see cref="Advance"/>,
/// until <see cref="IsFinished"/>. One per sequence, for one thread. Allocates only where its lists outgrow what was reserved.
/// </summary>
/// <remarks>
/// The kind of a step follows from the last token: after <c>&lt;|audio_out_bos|&gt;</c> a column of BOS is made without the model's say; after
/// <c>&lt;|AUDIO_OUT|&gt;</c> a column of codes is drawn; otherwise a text token. Within a segment codebook c starts c columns late (BOS until
/// then); where EOS is first drawn in codebook e, the codebooks before e end at once and codebook e + k may go on for k columns.
/// </remarks>
internal sealed class GenerationState
{
    private const int MaxLoopPeriod = 50;

    private readonly GenerationTokens _tokens;
    private readonly GenerationOptions _options;
    private readonly StopCondition _stop;
    private readonly Sampler _sampler;
    private readonly IntList _sequence;                        // the prompt, then one per text token and two per segment
    private readonly IntList _columns;                         // [columns, codebooks]: all audio out, the prompt's first
    private readonly List<(int Start, int End)> _segments = [];   // in columns
    private readonly int[] _codes;                             // the column being made
    private readonly int[] _loops = [];                        // [period]: frames that equal the one a period before, in a row
    private readonly int _promptLength;

    /// <param name="tokens">The checkpoint's ids.</param>
    /// <param name="options">How to generate; validated.</param>
    /// <param name="stop">What ends the answer in text.</param>
    /// <param name="prompt">The prompt's tokens, each clip one token.</param>
    /// <param name="audioOut">[columns, codebooks]: the prompt's <c>&lt;|AUDIO_OUT|&gt;</c> clips, delayed, one after the other.</param>
    /// <param name="lastClip">The column where the last of those clips starts: that segment goes on if the prompt ends in its token.</param>
    /// <param name="sampler">Draws; by default by the options.</param>
    /// <exception cref="ArgumentException">The prompt is empty, columns are incomplete, or there is no clip to go on with.</exception>
    public GenerationState(GenerationTokens tokens, GenerationOptions options, StopCondition stop, ReadOnlySpan<int> prompt,
        ReadOnlySpan<int> audioOut = default, int lastClip = 0, Sampler? sampler = null)
    {
        options.Validate();
        if (prompt.IsEmpty)
            throw new ArgumentException("the prompt is empty", nameof(prompt));
        if (audioOut.Length % tokens.Codebooks != 0)
            throw new ArgumentException($"audio of {audioOut.Length} codes is not whole columns of {tokens.Codebooks}", nameof(audioOut));
        (_tokens, _options, _stop, _promptLength) = (tokens, options, stop, prompt.Length);
        _sampler = sampler ?? new Sampler(options);
        _codes = new int[tokens.Codebooks];
        _loops = options.MaxLoopFrames is null ? [] : new int[MaxLoopPeriod + 1];
        int steps = Math.Min(options.MaxNewTokens, 2048);
        _sequence = new IntList(prompt, steps + 1);
        _columns = new IntList(audioOut, (steps + 1) * tokens.Codebooks);
        if (prompt[^1] == tokens.AudioOut)
            Resume(lastClip);
    }

    private GenerationState(GenerationState other, Sampler sampler)
    {
        (_tokens, _options, _stop, _sampler, _promptLength) = (other._tokens, other._options, other._stop, sampler, other._promptLength);
        (_sequence, _columns, _codes) = (new IntList(other._sequence), new IntList(other._columns), new int[other._codes.Length]);
        _segments.AddRange(other._segments);
        _loops = [.. other._loops];
        (Delay, Remaining, Steps, FinishReason) = (other.Delay, other.Remaining, other.Steps, other.FinishReason);
    }

    /// <summary>Steps made so far.</summary>
    public int Steps { get; private set; }

    /// <summary>Codebooks of the running segment that have started, less one (the reference's numDelay).</summary>
    public int Delay { get; private set; }

    /// <summary>Columns until the running segment ends; null before its first EOS (the reference's numRemainingDelays).</summary>
    public int? Remaining { get; private set; }

    /// <summary>Why the answer ended; null while it goes on.</summary>
    public FinishReason? FinishReason { get; private set; }

    /// <summary>Whether the answer has ended.</summary>
    public bool IsFinished => FinishReason is not null;

    /// <summary>The seed in use.</summary>
    public long Seed => _sampler.Seed;

    /// <summary>What to feed the model next.</summary>
    public StepInput NextInput => Steps == 0 ? StepInput.Prompt : LastToken == _tokens.AudioOut ? StepInput.Audio : StepInput.Text;

    /// <summary>The token to feed if <see cref="NextInput"/> is text.</summary>
    public int NextToken => LastToken;

    /// <summary>The column to feed if <see cref="NextInput"/> is audio: [codebooks].</summary>
    public ReadOnlySpan<int> NextCodes => _columns.Values[^_tokens.Codebooks..];

    /// <summary>The logits to hand to <see cref="Advance"/>.</summary>
    public StepLogits Needs =>
        LastToken == _tokens.AudioOutBos ? StepLogits.None : LastToken == _tokens.AudioOut ? StepLogits.Audio : StepLogits.Text;

    /// <summary>The prompt and the answer, each audio segment as one <c>&lt;|AUDIO_OUT|&gt;</c> (the reference's returned sequences).</summary>
    public ReadOnlySpan<int> Sequence => _sequence.Values;

    /// <summary>The answer's part of <see cref="Sequence"/>.</summary>
    public ReadOnlySpan<int> TextTokens => _sequence.Values[_promptLength..];

    /// <summary>Number of audio segments of the answer, a running one and one that the prompt began included.</summary>
    public int Segments => _segments.Count;

    /// <summary>All audio out so far, the prompt's included: [columns, codebooks].</summary>
    public ReadOnlySpan<int> Columns => _columns.Values;

    private int LastToken => _sequence.Values[^1];

    /// <summary>A segment's columns, still delayed: [columns, codebooks].</summary>
    public ReadOnlySpan<int> SegmentColumns(int segment)
    {
        (int start, int end) = _segments[segment];
        return _columns.Values[(start * _tokens.Codebooks)..(end * _tokens.Codebooks)];
    }

    /// <summary>A segment's codes, still delayed: [codebooks, columns].</summary>
    public int[,] Segment(int segment)
    {
        ReadOnlySpan<int> columns = SegmentColumns(segment);
        var codes = new int[_tokens.Codebooks, columns.Length / _tokens.Codebooks];
        for (int i = 0; i < columns.Length; i++)
            codes[i % _tokens.Codebooks, i / _tokens.Codebooks] = columns[i];
        return codes;
    }

    /// <summary>A copy that goes on by itself.</summary>
    /// <param name="seed">Its seed; null for the same draws from the same logits.</param>
    public GenerationState Fork(long? seed = null) => new(this, new Sampler(_options, seed ?? Seed));

    /// <summary>Ends the answer for the caller.</summary>
    public void Cancel() => FinishReason ??= HiggsAudio.FinishReason.Cancelled;

    /// <summary>Makes the next token or column.</summary>
    /// <param name="logits">What <see cref="Needs"/> says, of the last row; else ignored.</param>
    /// <returns>What was made.</returns>
    /// <exception cref="InvalidOperationException">The answer has ended, or the logits are not numbers.</exception>
    /// <exception cref="ArgumentException">The logits have the wrong length.</exception>
    public StepResult Advance(ReadOnlySpan<float> logits)
    {
        if (IsFinished)
            throw new InvalidOperationException($"the answer has ended ({FinishReason})");
        StepResult result = Needs switch
        {
            StepLogits.None => BeginSegment(),
            StepLogits.Audio => ExtendSegment(logits),
            _ => ExtendText(logits),
        };
        Steps++;
        if (result == StepResult.Text && _stop.IsMet(TextTokens))
            FinishReason = HiggsAudio.FinishReason.Stop;
        else if (result == StepResult.AudioEnd && (_options.StopAtAudioEnd || _stop.IsMet(TextTokens)))
            FinishReason = HiggsAudio.FinishReason.AudioEnd;
        else if (result == StepResult.Audio && IsLooping())
            FinishReason = HiggsAudio.FinishReason.Loop;
        else if (Steps >= _options.MaxNewTokens)
            FinishReason = HiggsAudio.FinishReason.Length;
        return result;
    }

    private StepResult ExtendText(ReadOnlySpan<float> logits)
    {
        int token = _sampler.Draw(logits, Steps, 0);
        // A model that says <|AUDIO_OUT|> where no segment ever began means to begin one.
        _sequence.Add(token == _tokens.AudioOut && _segments.Count == 0 ? _tokens.AudioOutBos : token);
        return StepResult.Text;
    }

    private StepResult BeginSegment()
    {
        int start = _columns.Count / _tokens.Codebooks;
        _columns.AddSpan(_tokens.Codebooks).Fill(_tokens.StreamBos);
        _segments.Add((start, start + 1));
        _sequence.Add(_tokens.AudioOut);
        (Delay, Remaining) = (0, null);
        Array.Clear(_loops);
        return StepResult.AudioInit;
    }

    private StepResult ExtendSegment(ReadOnlySpan<float> logits)
    {
        int codebooks = _tokens.Codebooks;
        if (logits.Length == 0 || logits.Length % codebooks != 0)
            throw new ArgumentException($"audio logits must be [{codebooks}, codebook size + 2], found {logits.Length} values", nameof(logits));
        Span<int> codes = _codes;
        int started = Math.Min(Delay + 1, codebooks), ended = Math.Clamp(codebooks - Remaining ?? 0, 0, codebooks);
        for (int c = ended; c < started; c++)   // what the pattern fixes is not drawn
            codes[c] = DrawCode(logits.Slice(c * (logits.Length / codebooks), logits.Length / codebooks), c);
        codes[started..].Fill(_tokens.StreamBos);
        codes[..ended].Fill(_tokens.StreamEos);
        if (Delay + 1 < codebooks)
            Delay++;
        if (Remaining is not null)
            Remaining--;
        else if (codes.IndexOf(_tokens.StreamEos) is >= 0 and int first)
        {
            codes[..first].Fill(_tokens.StreamEos);
            Remaining = codebooks - first - 1;
        }
        codes.CopyTo(_columns.AddSpan(codebooks));
        _segments[^1] = (_segments[^1].Start, _columns.Count / codebooks);
        if (Remaining is null or > 0)
            return StepResult.Audio;
        _sequence.Add(_tokens.AudioEos);
        (Delay, Remaining) = (0, null);
        return StepResult.AudioEnd;
    }

    private int DrawCode(ReadOnlySpan<float> logits, int codebook)
    {
        int code = _sampler.Draw(logits, Steps, codebook);
        if (_options.RasWinLen is not > 0)
            return code;
        int repeats = RepetitionAwareSampling.CountRepeats(_columns.Values, _tokens.Codebooks, codebook, code, _options.RasWinLen.Value);
        return repeats >= _options.RasWinMaxNumRepeat ? _sampler.Redraw(logits, Steps, codebook) : code;
    }

    // Whether the newest column ends a run of the same few columns that is too long.
    private bool IsLooping()
    {
        if (_loops.Length == 0)
            return false;
        int codebooks = _tokens.Codebooks, same = codebooks - codebooks / 4, earlier = _segments[^1].End - _segments[^1].Start - 1;
        ReadOnlySpan<int> columns = _columns.Values, newest = columns[^codebooks..];
        bool looping = false;
        for (int period = 1; period <= Math.Min(MaxLoopPeriod, earlier); period++)
        {
            ReadOnlySpan<int> before = columns.Slice(columns.Length - (period + 1) * codebooks, codebooks);
            int equal = 0;
            for (int c = 0; c < codebooks; c++)
                equal += newest[c] == before[c] ? 1 : 0;
            _loops[period] = equal >= same ? _loops[period] + 1 : 0;
            looping |= _loops[period] >= Math.Max(_options.MaxLoopFrames!.Value, 3 * period);
        }
        return looping;
    }

    // Goes on with the prompt's last clip. Where the clip is one column the state is the reference's; it fails for longer ones, and here the
    // state is what it was when the column was made.
    private void Resume(int lastClip)
    {
        int codebooks = _tokens.Codebooks, columns = _columns.Count / codebooks;
        if (lastClip < 0 || lastClip >= columns)
            throw new ArgumentException($"the prompt ends inside a clip that should start at column {lastClip} of {columns}", nameof(lastClip));
        _segments.Add((lastClip, columns));
        Delay = codebooks - NextCodes.Count(_tokens.StreamBos);
        int first = NextCodes.IndexOf(_tokens.StreamEos);
        if (first < 0)
            return;
        Remaining = codebooks - first - 1;
        int ramp = 0;   // columns since codebook 0 ended
        while (columns - ramp > lastClip && _columns.Values[(columns - ramp - 1) * codebooks] == _tokens.StreamEos)
            ramp++;
        if (columns - lastClip == 1 || ramp == 0)
            return;
        ReadOnlySpan<int> start = _columns.Values.Slice((columns - ramp) * codebooks, codebooks);
        int ended = start.IndexOfAnyExcept(_tokens.StreamEos);
        Remaining = Math.Max(codebooks - (ended < 0 ? codebooks : ended) - (ramp - 1), 0);
    }
}
