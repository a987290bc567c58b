using Microsoft.Extensions.AI;

namespace HiggsAudio.Extensions.AI.Speech;

/// <summary>What a caller asks of the sound, checked.</summary>
internal sealed record SpeechCall(SpeechFormat Format, float Speed, float Pitch, float Volume)
{
    /// <summary>Reads options.</summary>
    /// <param name="options">The caller's; null for none.</param>
    /// <param name="streaming">Whether sound comes in pieces.</param>
    /// <exception cref="ArgumentOutOfRangeException">Speed, pitch or volume is out of its range.</exception>
    /// <exception cref="NotSupportedException">The format is not supported.</exception>
    public static SpeechCall From(TextToSpeechOptions? options, bool streaming) => new(
        SpeechFormat.Parse(options?.AudioFormat, streaming),
        InRange(options?.Speed, nameof(TextToSpeechOptions.Speed), SoundShaper.Least, SoundShaper.Most),
        InRange(options?.Pitch, nameof(TextToSpeechOptions.Pitch), SoundShaper.Least, SoundShaper.Most),
        InRange(options?.Volume, nameof(TextToSpeechOptions.Volume), 0, SoundShaper.MostVolume));

    /// <summary>The rate of the sound that the caller gets.</summary>
    public int Rate(int sourceRate) => Format.Rate ?? sourceRate;

    /// <summary>Its media type.</summary>
    public string MediaType(int sourceRate) => Format.MediaType(Rate(sourceRate));

    /// <summary>What makes that sound of the source's.</summary>
    public SoundShaper CreateShaper(int sourceRate) => new(Speed, Pitch, Volume, sourceRate, Rate(sourceRate));

    private static float InRange(float? value, string name, float least, float most) => value switch
    {
        null => 1,
        { } number when number >= least && number <= most => number,
        _ => throw new ArgumentOutOfRangeException(name, value, $"{name} must be {least} to {most}."),
    };
}
