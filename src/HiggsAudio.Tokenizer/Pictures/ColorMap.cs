namespace HiggsAudio.Pictures;

/// <summary>
/// Colours for numbers from 0 to 1. In the space of OKLab (Björn Ottosson, 2020), where equal distances look equal: lightness grows evenly, the hue
/// turns and the colour is strongest in the middle, so that more looks more, in grey and to the colour-blind too.
/// </summary>
public sealed class ColorMap
{
    private readonly Rgb[] _colours = new Rgb[256];

    private ColorMap(double darkest, double lightest, double firstHue, double lastHue, double chroma)
    {
        for (int i = 0; i < _colours.Length; i++)
        {
            double t = i / 255.0, lightness = darkest + (lightest - darkest) * t, hue = (firstHue + (lastHue - firstHue) * t) * Math.PI / 180;
            double strength = chroma * Math.Sin(Math.PI * (0.06 + 0.86 * t));
            _colours[i] = OkLab.ToRgb(lightness, strength * Math.Cos(hue), strength * Math.Sin(hue));
        }
    }

    /// <summary>From almost black through violet and orange to light yellow: for spectrograms.</summary>
    public static ColorMap Ember { get; } = new(0.10, 0.97, 275, 465, 0.19);

    /// <summary>From dark blue through green to light yellow: for codes.</summary>
    public static ColorMap Meadow { get; } = new(0.25, 0.95, 285, 105, 0.17);

    /// <summary>The colour of a number; below 0 is like 0, above 1 like 1, what is not a number like 0.</summary>
    public Rgb this[double value] => _colours[(int)(Math.Clamp(double.IsNaN(value) ? 0 : value, 0, 1) * 255 + 0.5)];
}

/// <summary>OKLab and sRGB.</summary>
internal static class OkLab
{
    /// <summary>The colour; what the screen cannot show is made paler until it can.</summary>
    public static Rgb ToRgb(double lightness, double a, double b)
    {
        for (double part = 1; ; part -= 0.02)
        {
            (double red, double green, double blue) = Linear(lightness, a * part, b * part);
            if (part <= 0.02 || Math.Min(red, Math.Min(green, blue)) >= -1e-4 && Math.Max(red, Math.Max(green, blue)) <= 1.0001)
                return new Rgb(Encode(red), Encode(green), Encode(blue));
        }
    }

    /// <summary>The lightness of a colour, 0 to 1.</summary>
    public static double Lightness(Rgb colour)
    {
        (double r, double g, double b) = (Decode(colour.Red), Decode(colour.Green), Decode(colour.Blue));
        double l = Math.Cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
        double m = Math.Cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
        double s = Math.Cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
        return 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
    }

    private static (double Red, double Green, double Blue) Linear(double lightness, double a, double b)
    {
        double l = Cube(lightness + 0.3963377774 * a + 0.2158037573 * b);
        double m = Cube(lightness - 0.1055613458 * a - 0.0638541728 * b);
        double s = Cube(lightness - 0.0894841775 * a - 1.2914855480 * b);
        return (4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
            -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
    }

    private static double Cube(double x) => x * x * x;

    private static byte Encode(double linear)
    {
        double x = Math.Clamp(linear, 0, 1);
        return (byte)((x <= 0.0031308 ? 12.92 * x : 1.055 * Math.Pow(x, 1 / 2.4) - 0.055) * 255 + 0.5);
    }

    private static double Decode(byte value) => value / 255.0 is var x && x <= 0.04045 ? x / 12.92 : Math.Pow((x + 0.055) / 1.055, 2.4);
}
