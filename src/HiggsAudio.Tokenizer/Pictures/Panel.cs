using System.Globalization;

namespace HiggsAudio.Pictures;

/// <summary>A picture with room for axes: what is drawn in the middle is drawn by others.</summary>
internal sealed class Panel
{
    private const int Left = 46, Right = 14, Top = 8, Bottom = 20, Tick = 4;

    public Panel(PictureOptions options)
    {
        options.Validate();
        Background = options.Light ? new Rgb(255, 255, 255) : new Rgb(18, 18, 22);
        Ink = options.Light ? new Rgb(60, 60, 66) : new Rgb(176, 176, 184);
        Accent = options.Light ? new Rgb(66, 104, 190) : new Rgb(112, 156, 240);
        Strong = options.Light ? new Rgb(30, 58, 140) : new Rgb(176, 204, 255);
        Grid = options.Light ? new Rgb(222, 222, 228) : new Rgb(46, 46, 54);
        Picture = new Picture(options.Width, options.Height, Background);
        (Width, Height) = (options.Width - Left - Right, options.Height - Top - Bottom);
    }

    public Picture Picture { get; }

    /// <summary>Columns and rows of the middle.</summary>
    public int Width { get; }

    public int Height { get; }

    public Rgb Background { get; }

    public Rgb Ink { get; }

    public Rgb Accent { get; }

    public Rgb Strong { get; }

    public Rgb Grid { get; }

    /// <summary>Fills a rectangle of the middle.</summary>
    public void Fill(int x, int y, int width, int height, Rgb colour) => Picture.Fill(Left + x, Top + y, width, height, colour);

    /// <summary>Marks times below the middle.</summary>
    public void TimeAxis(double seconds)
    {
        Picture.Fill(Left, Top + Height, Width, 1, Ink);
        if (seconds <= 0)
            return;
        double step = NiceStep(seconds, Math.Max(1, Width / 80));
        for (int i = 0; i * step <= seconds * 1.0001; i++)
        {
            int x = (int)Math.Min(Width - 1, i * step / seconds * Width);
            Picture.Fill(Left + x, Top + Height, 1, Tick, Ink);
            string label = string.Create(CultureInfo.InvariantCulture, $"{i * step:0.##} s");
            int at = Math.Clamp(Left + x - PixelFont.Width(label) / 2, 0, Picture.Width - PixelFont.Width(label) - 1);
            PixelFont.Draw(Picture, label, at, Top + Height + Tick + 4, Ink);
        }
    }

    /// <summary>Marks a height beside the middle.</summary>
    public void Label(string text, int y)
    {
        Picture.Fill(Left - Tick, Top + y, Tick, 1, Ink);
        PixelFont.Draw(Picture, text, Left - Tick - 4 - PixelFont.Width(text), Math.Clamp(Top + y - PixelFont.Height / 2, 0, Picture.Height - PixelFont.Height), Ink);
    }

    // 1, 2 or 5 times a power of ten, below a minute; whole minutes beyond would be as good.
    private static double NiceStep(double length, int most)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(length / most)));
        foreach (double factor in (ReadOnlySpan<double>)[1, 2, 5, 10])
            if (length / (factor * power) <= most)
                return factor * power;
        return 10 * power;
    }
}
