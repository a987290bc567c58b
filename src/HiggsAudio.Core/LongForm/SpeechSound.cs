namespace HiggsAudio.LongForm;

/// <summary>
/// The sound of a text: frames of chunk after chunk, and pauses. Chunks without a pause between them are decoded as one clip, so that there is no
/// seam to hear (the reference too joins all codes and decodes once): the last frames of a chunk wait for the first of the next. A pause
/// ends the clip. Both ends of a clip are faded. Memory is constant.
/// </summary>
internal sealed class SpeechSound(AudioCodec codec, CodecStreamOptions options, double fadeMilliseconds)
{
    private readonly int _fade = (int)(fadeMilliseconds * codec.SamplingRate / 1000);
    private CodecStream? _clip;
    private long _returnedOfClip;
    private float[] _held = [];   // would fade out if the clip ended here

    /// <summary>Samples returned so far.</summary>
    public long Returned { get; private set; }

    /// <summary>Samples returned and samples to come of what was written.</summary>
    public long Written { get; private set; }

    /// <summary>Writes frames and returns the samples that are ready.</summary>
    public float[] Write(AudioCodes frames, CancellationToken cancellationToken)
    {
        _clip ??= new CodecStream(codec, options);
        Written += (long)frames.Frames * codec.HopLength;
        return Release(_clip.Write(frames, cancellationToken), ended: false);
    }

    /// <summary>Ends the clip and is silent.</summary>
    /// <returns>The rest of the clip, and the silence.</returns>
    public float[] Pause(TimeSpan duration)
    {
        var silence = new float[(int)Math.Round(duration.TotalSeconds * codec.SamplingRate)];
        float[] samples = [.. EndClip(), .. silence];
        (Returned, Written) = (Returned + silence.Length, Written + silence.Length);
        return samples;
    }

    /// <summary>Ends the clip and returns the rest of it.</summary>
    public float[] EndClip()
    {
        if (_clip is null)
            return [];
        float[] rest = Release(_clip.Complete(), ended: true);
        (_clip, _returnedOfClip) = (null, 0);
        return rest;
    }

    private float[] Release(float[] samples, bool ended)
    {
        if (samples.Length > 0 && _held.Length > 0)
            samples = [.. _held, .. samples];
        else if (samples.Length == 0)
            samples = _held;
        if (samples.Length == 0)
            return samples;
        // What was held is not faded yet.
        int keep = ended ? 0 : Math.Min(_fade, samples.Length), count = samples.Length - keep;
        _held = keep > 0 ? samples[count..] : [];
        float[] released = keep > 0 ? samples[..count] : samples;
        for (int i = 0; i < count && _returnedOfClip + i < _fade; i++)
            released[i] *= Weight(_returnedOfClip + i);
        for (int i = Math.Max(0, count - _fade); ended && i < count; i++)
            released[i] *= Weight(count - 1 - i);
        (_returnedOfClip, Returned) = (_returnedOfClip + count, Returned + count);
        return released;
    }

    // Raised cosine, by the distance from the end of the clip.
    private float Weight(long distance) => (float)(0.5 - 0.5 * Math.Cos(Math.PI * (distance + 1) / (_fade + 1)));
}
