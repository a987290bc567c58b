namespace HiggsAudio.Pictures;

/// <summary>How pictures of sound look. Immutable.</summary>
public sealed record PictureOptions
{
    /// <summary>Pixels of the whole width, 120 to 16384.</summary>
    public int Width { get; init; } = 960;

    /// <summary>Pixels of the height of one picture, its axis included, 60 to 8192.</summary>
    public int Height { get; init; } = 220;

    /// <summary>Dark on white, for paper, in place of light on dark.</summary>
    public bool Light { get; init; }

    /// <summary>The range of a spectrogram's colours below its loudest point, in dB, above 0.</summary>
    public float DynamicRange { get; init; } = 75;

    /// <summary>The number of codes of a codebook, at least 2; codes beyond (begin and end of stream) are grey.</summary>
    public int CodebookSize { get; init; } = 1024;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(Width is >= 120 and <= 16_384, nameof(Width), "120 to 16384", Width);
        Require(Height is >= 60 and <= 8192, nameof(Height), "60 to 8192", Height);
        Require(DynamicRange > 0 && float.IsFinite(DynamicRange), nameof(DynamicRange), "above 0", DynamicRange);
        Require(CodebookSize >= 2, nameof(CodebookSize), "2 or more", CodebookSize);
    }

    private static void Require(bool satisfied, string name, string expected, object found)
    {
        if (!satisfied)
            throw new ArgumentException(FormattableString.Invariant($"{nameof(PictureOptions)}.{name} must be {expected}, found {found}"), name);
    }
}
