using HiggsAudio.Extensions.AI.Speech;
using Microsoft.Extensions.AI;
using MeaiText = Microsoft.Extensions.AI.TextContent;

namespace HiggsAudio.Extensions.AI.Chat;

/// <summary>
/// Turns the deltas of an answer into contents: text without special tokens, and sound with the codes that it was made of, in the order in which
/// the model made them. Not thread-safe.
/// </summary>
internal sealed class ChatAnswer(HiggsAudioServeEngine engine, SpeechCall call)
{
    private readonly IncrementalDecoder _text = engine.Tokenizer.CreateIncrementalDecoder(skipSpecialTokens: true);
    private readonly int? _audioOut = engine.Tokenizer.TokenToId("<|AUDIO_OUT|>");
    private readonly List<AudioCodes> _frames = [];   // whose sound was not given yet
    private StreamedSound _sound = new(call);

    /// <summary>Frames of audio so far.</summary>
    public int Frames { get; private set; }

    /// <summary>How much sound there is.</summary>
    public double SoundSeconds { get; private set; }

    /// <summary>Why the answer ended; null while it has not.</summary>
    public FinishReason? FinishReason { get; private set; }

    /// <summary>What it cost; null while it has not ended.</summary>
    public UsageDetails? Usage { get; private set; }

    /// <summary>The contents that a delta completes.</summary>
    public IEnumerable<AIContent> Add(HiggsAudioStreamerDelta delta)
    {
        var contents = new List<AIContent>();
        foreach (int token in delta.TextTokens ?? [])
        {
            if (token == _audioOut)
                EndSound(contents);
            AddText(contents, _text.Append(token));
        }
        if (delta.AudioCodes is { } frames)
        {
            Frames += frames.Frames;
            _frames.Add(frames);
        }
        if (!delta.Audio.IsEmpty)
        {
            SoundSeconds += (double)delta.Audio.Length / delta.SamplingRate;
            AddSound(contents, _sound.Add(delta.Audio.Span, delta.SamplingRate));
        }
        if (delta.FinishReason is null)
            return contents;
        (FinishReason, Usage) = (delta.FinishReason, delta.Usage!.Value.ToDetails(Frames));
        EndSound(contents);
        AddText(contents, _text.Flush());
        return contents;
    }

    private static void AddText(List<AIContent> contents, string text)
    {
        if (text.Length > 0)
            contents.Add(new MeaiText(text));
    }

    private void EndSound(List<AIContent> contents)
    {
        AddSound(contents, _sound.Complete());
        _sound = new StreamedSound(call);
        _frames.Clear();
    }

    private void AddSound(List<AIContent> contents, DataContent? sound)
    {
        if (sound is null)
            return;
        if (_frames.Count > 0)
            sound.RawRepresentation = AudioCodes.Concat([.. _frames]);
        _frames.Clear();
        contents.Add(sound);
    }
}
