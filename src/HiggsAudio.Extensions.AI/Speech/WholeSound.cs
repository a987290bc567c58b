using System.Runtime.InteropServices;
using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>Makes one encoded sound of pieces. Not thread-safe.</summary>
internal sealed class WholeSound(SpeechCall call)
{
    private readonly List<float> _samples = [];
    private SoundShaper? _shaper;
    private int _sourceRate;
    private long _sourceSamples;

    /// <summary>How long the sound was before its speed was changed.</summary>
    public double SourceSeconds => _sourceRate == 0 ? 0 : (double)_sourceSamples / _sourceRate;

    /// <summary>Adds a piece.</summary>
    /// <returns>Whether it is not too long.</returns>
    public bool TryAdd(ReadOnlySpan<float> samples, int samplingRate, int mostBytes = int.MaxValue)
    {
        if (samples.IsEmpty)
            return true;
        _sourceRate = samplingRate;
        _sourceSamples += samples.Length;
        _shaper ??= call.CreateShaper(samplingRate);
        _samples.AddRange(_shaper.Write(samples));
        return _samples.Count <= mostBytes / 2;
    }

    /// <summary>The whole; null if there is no sound.</summary>
    public DataContent? ToContent()
    {
        if (_shaper is null)
            return null;
        _samples.AddRange(_shaper.Complete());
        _shaper = null;
        ReadOnlySpan<float> samples = CollectionsMarshal.AsSpan(_samples);
        if (!call.Format.IsWav)
            return new DataContent(SpeechFormat.Encode(samples), call.MediaType(_sourceRate));
        using var stream = new MemoryStream();
        new Waveform(samples, call.Rate(_sourceRate)).SaveWav(stream);
        return new DataContent(stream.ToArray(), call.MediaType(_sourceRate));
    }
}
