namespace HiggsAudio.Pictures;

/// <summary>A colour: red, green and blue, 0 to 255 in sRGB.</summary>
public readonly record struct Rgb(byte Red, byte Green, byte Blue);

/// <summary>A picture of pixels, to draw into and to save as PNG. Not thread-safe.</summary>
public sealed class Picture
{
    private const int MaxSide = 32_768;

    private readonly byte[] _pixels;

    /// <summary>A picture of one colour.</summary>
    /// <param name="width">Pixels of a row, 1 to 32768.</param>
    /// <param name="height">Rows, 1 to 32768; at most 256 million pixels in all.</param>
    /// <param name="background">The colour.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is out of its range.</exception>
    public Picture(int width, int height, Rgb background = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, MaxSide);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(height, Math.Min(MaxSide, (1 << 28) / width));
        (Width, Height) = (width, height);
        _pixels = new byte[width * height * 3];
        Fill(0, 0, width, height, background);
    }

    /// <summary>Pixels of a row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Red, green and blue of every pixel, row by row from the top.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;

    /// <summary>A pixel; the first is at the upper left.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such pixel.</exception>
    public Rgb this[int x, int y]
    {
        get
        {
            int at = At(x, y);
            return new Rgb(_pixels[at], _pixels[at + 1], _pixels[at + 2]);
        }
        set
        {
            int at = At(x, y);
            (_pixels[at], _pixels[at + 1], _pixels[at + 2]) = (value.Red, value.Green, value.Blue);
        }
    }

    /// <summary>Fills a rectangle; what is outside the picture is left out.</summary>
    /// <param name="x">Its left column.</param>
    /// <param name="y">Its upper row.</param>
    /// <param name="width">Its columns.</param>
    /// <param name="height">Its rows.</param>
    /// <param name="colour">The colour.</param>
    public void Fill(int x, int y, int width, int height, Rgb colour)
    {
        for (int row = Math.Max(0, y); row < Math.Min(Height, (long)y + height); row++)
            for (int column = Math.Max(0, x); column < Math.Min(Width, (long)x + width); column++)
                this[column, row] = colour;
    }

    /// <summary>Puts another picture into this one; what is outside is left out.</summary>
    /// <param name="picture">The other.</param>
    /// <param name="x">The column of its left side.</param>
    /// <param name="y">The row of its upper side.</param>
    public void Draw(Picture picture, int x, int y)
    {
        ArgumentNullException.ThrowIfNull(picture);
        for (int row = Math.Max(0, -y); row < Math.Min(picture.Height, Height - y); row++)
            for (int column = Math.Max(0, -x); column < Math.Min(picture.Width, Width - x); column++)
                this[x + column, y + row] = picture[column, row];
    }

    /// <summary>Pictures below each other, as wide as the widest.</summary>
    /// <param name="background">The colour of what is beside narrower ones.</param>
    /// <param name="pictures">From the top.</param>
    /// <exception cref="ArgumentException">There are none.</exception>
    public static Picture Stack(Rgb background, params IReadOnlyList<Picture> pictures)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        if (pictures.Count == 0)
            throw new ArgumentException("There are no pictures.", nameof(pictures));
        var all = new Picture(pictures.Max(p => p.Width), pictures.Sum(p => p.Height), background);
        int y = 0;
        foreach (Picture picture in pictures)
        {
            all.Draw(picture, 0, y);
            y += picture.Height;
        }
        return all;
    }

    /// <summary>Writes the picture as PNG.</summary>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public void WritePng(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        PngWriter.Write(stream, Width, Height, _pixels);
    }

    /// <summary>Saves the picture as a PNG file.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public void SavePng(string path)
    {
        using FileStream stream = File.Create(path);
        WritePng(stream);
    }

    private int At(int x, int y)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)x, (uint)Width, nameof(x));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)y, (uint)Height, nameof(y));
        return (y * Width + x) * 3;
    }
}
