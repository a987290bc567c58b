using System.Runtime.InteropServices;
using HiggsAudio.Generation;

namespace HiggsAudio.Serving;

/// <summary>
/// Turns the steps of an answer into what its caller gets: text without broken characters, columns, frames free of the delay pattern, and
/// their sound. The sound is decoded here, on the caller's side, while the model goes on.
/// </summary>
internal sealed class AnswerReader
{
    private readonly AudioCodec _codec;
    private readonly GenerationOptions _options;
    private readonly CodecStreamOptions? _streaming;
    private readonly IncrementalDecoder _text;
    private readonly List<int> _columns = [];          // [columns, codebooks] of the running segment
    private readonly List<AudioCodes> _segments = [];  // the frames of finished segments
    private CodecStream? _sound;
    private long _samples;                             // returned
    private int _pushed;                               // frames of the running segment that went to the codec

    /// <param name="codec">Decodes the sound.</param>
    /// <param name="tokenizer">Decodes the text.</param>
    /// <param name="options">How the answer is generated.</param>
    /// <param name="streaming">How to cut the sound; null to decode none.</param>
    public AnswerReader(AudioCodec codec, TextTokenizer tokenizer, GenerationOptions options, CodecStreamOptions? streaming)
    {
        (_codec, _options, _streaming) = (codec, options, streaming);
        _text = tokenizer.CreateIncrementalDecoder();
    }

    /// <summary>Columns read.</summary>
    public int Columns { get; private set; }

    /// <summary>The frames of all finished segments.</summary>
    public IReadOnlyList<AudioCodes> Segments => _segments;

    /// <summary>The deltas of a step: one, or two where a segment begins (its token, its first column).</summary>
    public void Read(Step step, ICollection<HiggsAudioStreamerDelta> deltas)
    {
        if (step.Made is StepResult.Text or StepResult.AudioInit)
            deltas.Add(new HiggsAudioStreamerDelta { Text = _text.Append(step.Token), TextTokens = [step.Token], SamplingRate = _codec.SamplingRate });
        if (step.Column is null)
            return;
        if (step.Made == StepResult.AudioInit)
            BeginSegment();
        Columns++;
        _columns.AddRange(step.Column);
        AudioCodes? frames = step.Made == StepResult.AudioEnd ? EndSegment() : NewFrames();
        deltas.Add(Sound(frames, step.Made == StepResult.AudioEnd) with { AudioTokens = step.Column });
    }

    /// <summary>The last delta: what was held back, and how the answer ended.</summary>
    public HiggsAudioStreamerDelta Finish(FinishReason reason, Usage usage)
    {
        bool running = _columns.Count > 0;
        string rest = _text.Flush();
        return Sound(running ? EndSegment() : null, running) with
        {
            Text = rest.Length > 0 ? rest : null,
            FinishReason = reason,
            Usage = usage,
        };
    }

    private void BeginSegment()
    {
        _columns.Clear();
        _pushed = 0;
        _sound = _streaming is null ? null : new CodecStream(_codec, _streaming);
    }

    // The frame that the newest column completes, if it is one. The reference's trimming decides about a frame when the next is known.
    private AudioCodes? NewFrames()
    {
        int codebooks = _codec.Codebooks, hold = _options.ReferenceTrimming ? 1 : 0;
        int frame = _columns.Count / codebooks - codebooks - hold;
        if (frame < hold)
            return null;
        Span<int> codes = stackalloc int[codebooks];
        bool good = DelayPattern.TryReadFrame(CollectionsMarshal.AsSpan(_columns), frame, _codec.CodebookSize, codes);
        if (!good && !_options.ReferenceTrimming)
            return null;
        foreach (ref int code in codes)
            code = Math.Clamp(code, 0, _codec.CodebookSize - 1);
        _pushed++;
        return AudioCodes.FromFrames(codebooks, codes, _codec.FrameRate);
    }

    // The whole segment is trimmed; what is returned are its frames that were not yet.
    private AudioCodes? EndSegment()
    {
        int codebooks = _codec.Codebooks;
        var delayed = new int[codebooks, _columns.Count / codebooks];
        for (int i = 0; i < _columns.Count; i++)
            delayed[i % codebooks, i / codebooks] = _columns[i];
        _columns.Clear();
        int[,] trimmed = DelayPattern.Frames(delayed, _codec.CodebookSize, _options.ReferenceTrimming);
        if (trimmed.GetLength(1) == 0)
            return null;
        var frames = AudioCodes.FromArray(trimmed, _codec.FrameRate);
        _segments.Add(frames);
        return _pushed < frames.Frames ? frames.Slice(_pushed, frames.Frames - _pushed) : null;
    }

    private HiggsAudioStreamerDelta Sound(AudioCodes? frames, bool ended)
    {
        float[] samples = [];
        if (_sound is not null && frames is not null)
            samples = _sound.Write(frames);
        if (_sound is not null && ended)
            samples = [.. samples, .. _sound.Complete()];
        var delta = new HiggsAudioStreamerDelta
        {
            Audio = samples,
            AudioCodes = frames,
            StartTime = TimeSpan.FromSeconds((double)_samples / _codec.SamplingRate),
            SamplingRate = _codec.SamplingRate,
        };
        _samples += samples.Length;
        return delta;
    }
}
