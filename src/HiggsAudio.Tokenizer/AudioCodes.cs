namespace HiggsAudio;

/// <summary>
/// Sound as the codec writes it: one code per codebook and frame, [codebooks, frames]. Immutable. The published codec makes 25 frames
/// a second of 8 codes from 0 to 1023; the first codebook holds the coarsest part of the sound.
/// </summary>
public sealed class AudioCodes : IEquatable<AudioCodes>
{
    private readonly int[] _codes;   // [codebooks, frames]

    /// <summary>Copies codes.</summary>
    /// <param name="codebooks">Number of codebooks, at least 1.</param>
    /// <param name="codes">All codes of the first codebook, then all of the second, and so on: codebooks × frames values of at least 0.</param>
    /// <param name="frameRate">Frames a second, if known.</param>
    /// <exception cref="ArgumentException">The codes are not whole rows, or one of them is negative.</exception>
    public AudioCodes(int codebooks, ReadOnlySpan<int> codes, double? frameRate = null)
        : this(codebooks, Checked(codebooks, codes.ToArray()), CheckedRate(frameRate))
    {
    }

    private AudioCodes(int codebooks, int[] codes, double? frameRate) =>
        (Codebooks, Frames, _codes, FrameRate) = (codebooks, codes.Length / codebooks, codes, frameRate);

    /// <summary>Number of codebooks: rows.</summary>
    public int Codebooks { get; }

    /// <summary>Number of frames: columns.</summary>
    public int Frames { get; }

    /// <summary>Frames a second, if known. Not part of <see cref="Equals(AudioCodes?)"/>.</summary>
    public double? FrameRate { get; }

    /// <summary>How long the sound is, if the frame rate is known.</summary>
    public TimeSpan? Duration => FrameRate is { } rate ? TimeSpan.FromSeconds(Frames / rate) : null;

    /// <summary>One code.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such codebook or frame.</exception>
    public int this[int codebook, int frame]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)frame, (uint)Frames, nameof(frame));
            return Codebook(codebook)[frame];
        }
    }

    /// <summary>Takes codes from rows: one row per codebook, all of the same length.</summary>
    /// <exception cref="ArgumentException">There are no rows, they differ in length, or a code is negative.</exception>
    public static AudioCodes FromRows(IReadOnlyList<int[]> rows, double? frameRate = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
            throw new ArgumentException("Audio codes need at least one codebook.", nameof(rows));
        for (int i = 0; i < rows.Count; i++)
            if (rows[i].Length != rows[0].Length)
                throw new ArgumentException($"Codebook {i} has {rows[i].Length} frames, codebook 0 has {rows[0].Length}.", nameof(rows));
        int[] codes = [.. rows.SelectMany(row => row)];
        return new AudioCodes(rows.Count, Checked(rows.Count, codes), CheckedRate(frameRate));
    }

    /// <summary>Takes codes from an array [codebooks, frames].</summary>
    /// <exception cref="ArgumentException">There is no codebook, or a code is negative.</exception>
    public static AudioCodes FromArray(int[,] codes, double? frameRate = null)
    {
        ArgumentNullException.ThrowIfNull(codes);
        int[] flat = [.. codes.Cast<int>()];
        return new AudioCodes(codes.GetLength(0), Checked(codes.GetLength(0), flat), CheckedRate(frameRate));
    }

    /// <summary>Takes codes frame by frame: all codes of the first frame, then all of the second, and so on.</summary>
    /// <exception cref="ArgumentException">The codes are not whole frames, or one of them is negative.</exception>
    public static AudioCodes FromFrames(int codebooks, ReadOnlySpan<int> frames, double? frameRate = null)
    {
        Checked(codebooks, []);
        var codes = new int[frames.Length];
        int count = Math.DivRem(frames.Length, codebooks, out int rest);
        if (rest != 0)
            throw new ArgumentException($"{frames.Length} codes are not whole frames of {codebooks}.", nameof(frames));
        for (int i = 0; i < frames.Length; i++)
            codes[i % codebooks * count + i / codebooks] = frames[i];
        return new AudioCodes(codebooks, Checked(codebooks, codes), CheckedRate(frameRate));
    }

    /// <summary>Joins codes in time. The frame rate is kept if all parts agree on it.</summary>
    /// <exception cref="ArgumentException">There are no parts, or they differ in the number of codebooks.</exception>
    public static AudioCodes Concat(params ReadOnlySpan<AudioCodes> parts)
    {
        if (parts.IsEmpty)
            throw new ArgumentException("There is nothing to join.", nameof(parts));
        int frames = 0;
        double? rate = parts[0].FrameRate;
        foreach (AudioCodes part in parts)
        {
            if (part.Codebooks != parts[0].Codebooks)
                throw new ArgumentException($"Codes of {part.Codebooks} and of {parts[0].Codebooks} codebooks cannot be joined.", nameof(parts));
            frames = checked(frames + part.Frames);
            rate = part.FrameRate == rate ? rate : null;
        }
        var codes = new int[checked(frames * parts[0].Codebooks)];
        for (int q = 0, start = 0; q < parts[0].Codebooks; q++)
            foreach (AudioCodes part in parts)
            {
                part.Codebook(q).CopyTo(codes.AsSpan(start));
                start += part.Frames;
            }
        return new AudioCodes(parts[0].Codebooks, codes, rate);
    }

    /// <summary>All codes of one codebook.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such codebook.</exception>
    public ReadOnlySpan<int> Codebook(int codebook)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)codebook, (uint)Codebooks, nameof(codebook));
        return _codes.AsSpan(codebook * Frames, Frames);
    }

    /// <summary>Copies the codes of one frame.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="destination">Room for one code per codebook.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such frame.</exception>
    public void CopyFrame(int frame, Span<int> destination)
    {
        for (int q = 0; q < Codebooks; q++)
            destination[q] = this[q, frame];
    }

    /// <summary>Some of the frames.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not all there.</exception>
    public AudioCodes Slice(int start, int frames)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)start, (uint)Frames, nameof(start));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)frames, (uint)(Frames - start), nameof(frames));
        var codes = new int[Codebooks * frames];
        for (int q = 0; q < Codebooks; q++)
            Codebook(q).Slice(start, frames).CopyTo(codes.AsSpan(q * frames));
        return new AudioCodes(Codebooks, codes, FrameRate);
    }

    /// <summary>Some of the frames.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not all there.</exception>
    public AudioCodes Slice(Range frames)
    {
        (int start, int count) = frames.GetOffsetAndLength(Frames);
        return Slice(start, count);
    }

    /// <summary>A copy as an array [codebooks, frames].</summary>
    public int[,] ToArray()
    {
        var array = new int[Codebooks, Frames];
        Buffer.BlockCopy(_codes, 0, array, 0, _codes.Length * sizeof(int));
        return array;
    }

    /// <summary>A copy as rows, one per codebook.</summary>
    public int[][] ToRows()
    {
        var rows = new int[Codebooks][];
        for (int q = 0; q < Codebooks; q++)
            rows[q] = Codebook(q).ToArray();
        return rows;
    }

    /// <summary>Whether both have the same codes. The frame rate may differ.</summary>
    public bool Equals(AudioCodes? other) =>
        other is not null && Codebooks == other.Codebooks && _codes.AsSpan().SequenceEqual(other._codes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as AudioCodes);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(Codebooks);
        foreach (int code in _codes)
            hash.Add(code);
        return hash.ToHashCode();
    }

    /// <summary>Whether both have the same codes.</summary>
    public static bool operator ==(AudioCodes? left, AudioCodes? right) => left is null ? right is null : left.Equals(right);

    /// <summary>Whether the codes differ.</summary>
    public static bool operator !=(AudioCodes? left, AudioCodes? right) => !(left == right);

    /// <inheritdoc/>
    public override string ToString() => $"{Codebooks} codebooks × {Frames} frames";

    private static int[] Checked(int codebooks, int[] codes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(codebooks, 1);
        if (codes.Length % codebooks != 0)
            throw new ArgumentException($"{codes.Length} codes are not rows of {codebooks} codebooks.", nameof(codes));
        foreach (int code in codes)
            if (code < 0)
                throw new ArgumentException($"{code} is not a code: codes are at least 0.", nameof(codes));
        return codes;
    }

    private static double? CheckedRate(double? frameRate) =>
        frameRate is null or (> 0 and < double.PositiveInfinity)
            ? frameRate
            : throw new ArgumentOutOfRangeException(nameof(frameRate), frameRate, "A frame rate is above 0.");
}
