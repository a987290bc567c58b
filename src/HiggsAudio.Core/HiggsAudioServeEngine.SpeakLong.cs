using System.Runtime.CompilerServices;
using HiggsAudio.LongForm;

namespace HiggsAudio;

public sealed partial class HiggsAudioServeEngine
{
    /// <summary>
    /// Speaks a text of any length: cleans and divides it, and generates chunk after chunk with the voices and the last chunks as context (the loop
    /// of the reference's examples/generation.py). The whole is what <see cref="SpeakAsync"/> gives, joined.
    /// </summary>
    /// <param name="text">The text. It may hold speaker tags (<c>[SPEAKER0]</c>), sound events (<c>[laugh]</c>) and pauses (<c>[pause 0.5]</c>).</param>
    /// <param name="options">Voices, division, guards.</param>
    /// <param name="progress">Told after every frame how far it is.</param>
    /// <param name="cancellationToken">Ends the work within one step; see <see cref="GenerationOptions.KeepPartialAnswer"/>.</param>
    /// <exception cref="ArgumentException">The text is empty, an option is not valid, or a voice and one chunk do not fit into the context.</exception>
    /// <inheritdoc cref="Generate" path="/exception[not(contains(@cref,'ArgumentException'))]"/>
    public async Task<SpeakResponse> SpeakLongAsync(string text, SpeakOptions? options = null, IProgress<SpeakProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options ??= new SpeakOptions();
        return await CollectAsync(SpeakEventsAsync(text, options, progress, cancellationToken)).ConfigureAwait(false);
    }

    /// <summary>As <see cref="SpeakLongAsync"/>, without awaiting.</summary>
    /// <inheritdoc cref="SpeakLongAsync"/>
    public SpeakResponse SpeakLong(string text, SpeakOptions? options = null, IProgress<SpeakProgress>? progress = null, CancellationToken cancellationToken = default) =>
        SpeakLongAsync(text, options, progress, cancellationToken).GetAwaiter().GetResult();

    /// <summary>
    /// Speaks a text of any length piece by piece, with the sound as it becomes ready. <see cref="HiggsAudioStreamerDelta.StartTime"/> goes on over all
    /// chunks; the last delta has the reason of the first chunk that went wrong, else of the last, and what all cost together. Memory does not
    /// grow with the text.
    /// </summary>
    /// <inheritdoc cref="SpeakLongAsync"/>
    public async IAsyncEnumerable<HiggsAudioStreamerDelta> SpeakAsync(string text, SpeakOptions? options = null, IProgress<SpeakProgress>? progress = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (SpeechEvent happened in SpeakEventsAsync(text, options ?? new SpeakOptions(), progress, cancellationToken).ConfigureAwait(false))
            if (happened.Delta is { } delta)
                yield return delta;
    }

    private async IAsyncEnumerable<SpeechEvent> SpeakEventsAsync(string text, SpeakOptions options, IProgress<SpeakProgress>? progress,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        ObjectDisposedException.ThrowIf(_disposed, this);
        options.Validate();
        List<SpeechPiece> pieces = await Task.Run(() => SpeechScript.Pieces(text, options), cancellationToken).ConfigureAwait(false);
        IReadOnlyList<string> tags = TranscriptNormalizer.SpeakerTags(text);
        await foreach (SpeechEvent happened in SpeakEventsAsync(pieces, MessagesFor, options, progress, cancellationToken).ConfigureAwait(false))
            yield return happened;

        IReadOnlyList<Message> MessagesFor(int speaker)
        {
            IReadOnlyList<SpeakerPrompt> voices = !options.SeparateSpeakers ? options.Speakers : speaker < options.Speakers.Count ? [options.Speakers[speaker]] : [];
            return SpeakerPrompts.Messages(options.Scene, voices, options.SeparateSpeakers ? null : tags, options.ReferencesInSystemMessage);
        }
    }

    /// <summary>Speaks chunks and pauses.</summary>
    /// <param name="pieces">What to speak.</param>
    /// <param name="messages">Scene and voices of a speaker's conversation.</param>
    /// <param name="options">Validated.</param>
    /// <param name="progress">Told after every frame.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    internal async IAsyncEnumerable<SpeechEvent> SpeakEventsAsync(IReadOnlyList<SpeechPiece> pieces, Func<int, IReadOnlyList<Message>> messages,
        SpeakOptions options, IProgress<SpeakProgress>? progress = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var speech = new Speech(this, messages, options, new SpeechMeter(pieces, Codec.SamplingRate, progress), cancellationToken);
        foreach (SpeechPiece piece in pieces)
        {
            if (speech.EndIfCancelled())
                break;
            if (piece.IsPause)
                yield return speech.Pause(piece.Pause);
            else
                await foreach (SpeechEvent happened in speech.SayAsync(piece).ConfigureAwait(false))
                    yield return happened;
        }
        yield return speech.Finish();
    }

    /// <summary>The whole is the loop over the stream.</summary>
    internal async Task<SpeakResponse> CollectAsync(IAsyncEnumerable<SpeechEvent> events)
    {
        var chunks = new List<SpokenChunk>();
        var sound = new List<float>();
        HiggsAudioStreamerDelta? last = null;
        await foreach (SpeechEvent happened in events.ConfigureAwait(false))
        {
            if (happened.Chunk is { } chunk)
                chunks.Add(chunk);
            if (happened.Delta is not { } delta)
                continue;
            last = delta;
            sound.AddRange(delta.Audio.Span);
        }
        AudioCodes[] codes = [.. chunks.Select(chunk => chunk.AudioCodes).OfType<AudioCodes>()];
        return new SpeakResponse
        {
            Audio = sound.Count == 0 ? null : new Waveform(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(sound), SamplingRate),
            SamplingRate = SamplingRate,
            AudioCodes = codes.Length == 0 ? null : AudioCodes.Concat(codes),
            Chunks = chunks,
            Usage = last!.Usage!.Value,
            FinishReason = last.FinishReason!.Value,
        };
    }

    // The recordings are encoded once, not for every chunk.
    private List<Message> Encoded(IReadOnlyList<Message> messages, CancellationToken cancellationToken)
    {
        var encoded = new List<Message>(messages.Count);
        for (int i = 0; i < messages.Count; i++)
        {
            IEnumerable<MessageContent> content = messages[i].Content.Select(piece =>
                piece is AudioContent audio ? AudioContent.FromCodes(CodesOf(new Prompts.PromptAudio(audio, Prompts.PromptRowKind.AudioOut, i), cancellationToken)) : piece);
            encoded.Add(new Message(messages[i].Role, content) { Recipient = messages[i].Recipient });
        }
        return encoded;
    }
}

/// <summary>What happens while a text is spoken.</summary>
/// <param name="Delta">A piece of the answer.</param>
/// <param name="Chunk">A chunk that is complete.</param>
internal readonly record struct SpeechEvent(HiggsAudioStreamerDelta? Delta, SpokenChunk? Chunk = null);
