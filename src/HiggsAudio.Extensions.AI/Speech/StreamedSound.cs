using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>Makes pieces of encoded sound of pieces. Not thread-safe.</summary>
internal sealed class StreamedSound(SpeechCall call)
{
    private SoundShaper? _shaper;
    private bool _begun;
    private int _sourceRate;
    private long _samples;

    /// <summary>How long the sound is so far, before its speed was changed.</summary>
    public double SourceSeconds => _sourceRate == 0 ? 0 : (double)_samples / _sourceRate;

    /// <summary>Adds a piece.</summary>
    /// <returns>The sound that is ready; null if none is.</returns>
    public DataContent? Add(ReadOnlySpan<float> samples, int samplingRate)
    {
        if (samples.IsEmpty)
            return null;
        _sourceRate = samplingRate;
        _samples += samples.Length;
        _shaper ??= call.CreateShaper(_sourceRate);
        return Content(_shaper.Write(samples));
    }

    /// <summary>The sound that is left; null if none is.</summary>
    public DataContent? Complete()
    {
        DataContent? rest = _shaper is null ? null : Content(_shaper.Complete());
        (_shaper, _begun) = (null, false);
        return rest;
    }

    private DataContent? Content(ReadOnlySpan<float> samples)
    {
        if (samples.IsEmpty)
            return null;
        byte[] header = call.Format.IsWav && !_begun ? SpeechFormat.OpenHeader(call.Rate(_sourceRate)) : [];
        _begun = true;
        return new DataContent(SpeechFormat.Encode(samples, header), call.MediaType(_sourceRate));
    }
}
