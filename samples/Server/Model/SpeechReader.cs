using HiggsAudio.Server.Contracts;
using HiggsAudio.Server.Telemetry;

namespace HiggsAudio.Server.Model;

/// <summary>Reads a speech from the engine, piece of sound by piece of sound.</summary>
internal sealed class SpeechReader(HiggsAudioServeEngine engine, SpeechPlan plan, float speed, RequestMeter meter, CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly IAsyncEnumerator<HiggsAudioStreamerDelta> _deltas =
        engine.SpeakAsync(plan.Text, plan.Options, null, cancellationToken).GetAsyncEnumerator(cancellationToken);
    private HiggsAudioStreamerDelta? _last;

    /// <summary>Samples a second.</summary>
    public int SamplingRate => engine.SamplingRate;

    /// <summary>The newest piece of sound; null at the end.</summary>
    public ReadOnlyMemory<float>? Current { get; private set; }

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

    /// <summary>Waits for the first sound.</summary>
    public Task BeginAsync()
    {
        _ = speed;
        return NextAsync();
    }

    /// <summary>Waits for the next sound, or the end.</summary>
    public async Task NextAsync()
    {
        Current = null;
        while (Current is null && await _deltas.MoveNextAsync())
        {
            _last = _deltas.Current;
            if (_last.Audio.IsEmpty)
                continue;
            Current = _last.Audio;
            meter.AddSound(_last.Audio.Length, SamplingRate);
        }
        if (_last?.Usage is { } usage)
            meter.AddTokens(usage);
    }

    public ValueTask DisposeAsync() => _deltas.DisposeAsync();
}
