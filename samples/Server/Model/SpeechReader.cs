using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Telemetry;
using Microsoft.Extensions.AI;

namespace HiggsAudio.Server.Model;

/// <summary>Reads a speech from the client of <c>AddHiggsAudio</c>, piece of sound by piece of sound: samples of 16 bits, little-endian, mono.</summary>
internal sealed class SpeechReader(ITextToSpeechClient client, SpeechPlan plan, int samplingRate, RequestMeter meter, CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly IAsyncEnumerator<TextToSpeechResponseUpdate> _updates = client.GetStreamingAudioAsync(plan.Text, new TextToSpeechOptions
    {
        AudioFormat = "pcm",
        Speed = plan.Speed,
        RawRepresentationFactory = _ => plan.Options,
    }, cancellationToken).GetAsyncEnumerator(cancellationToken);
    private HiggsAudioStreamerDelta? _last;

    /// <summary>Samples a second.</summary>
    public int SamplingRate => samplingRate;

    /// <summary>The newest piece of sound; null at the end.</summary>
    public ReadOnlyMemory<byte>? Current { get; private set; }

    /// <summary>What it cost; known at the end.</summary>
    public SpeechUsage Usage
    {
        get
        {
            int input = plan.TextTokens + plan.AudioTokens, output = _last?.Usage?.CompletionTokens ?? 0;
            return new SpeechUsage(input, output, input + output, new SpeechInputDetails(plan.TextTokens, plan.AudioTokens));
        }
    }

    /// <summary>Why it ended; known at the end.</summary>
    public string FinishReason => (_last?.FinishReason ?? HiggsAudio.FinishReason.Stop).ToString();

    /// <summary>Waits for the next sound (or the first), or the end.</summary>
    public async Task NextAsync()
    {
        Current = null;
        while (Current is null && await _updates.MoveNextAsync())
        {
            _last = _updates.Current.RawRepresentation as HiggsAudioStreamerDelta ?? _last;
            if (_updates.Current.Contents.OfType<DataContent>().FirstOrDefault() is not { Data.IsEmpty: false } sound)
                continue;
            Current = sound.Data;
            meter.AddSound(sound.Data.Length / 2, samplingRate);
        }
        if (_last?.Usage is { } usage)
            meter.AddTokens(usage);
    }

    public ValueTask DisposeAsync() => _updates.DisposeAsync();
}
