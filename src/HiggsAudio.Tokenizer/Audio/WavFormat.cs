namespace HiggsAudio;

/// <summary>How samples are written to a WAV file.</summary>
public enum WavFormat
{
    /// <summary>16-bit integers: 32,768 is full scale; samples are rounded to the nearest and clipped to full scale.</summary>
    Pcm16,

    /// <summary>32-bit floats, unchanged.</summary>
    Float32,
}
