using HiggsAudio.Pictures;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests.Pictures;

/// <summary>The icon of the packages is drawn here: bars of a sound, in the colours of a spectrogram. HIGGS_AUDIO_UPDATE_ICON=1 writes src/icon.png.</summary>
internal sealed class IconTests
{
    private const int Size = 128, Samples = 4;

    private static readonly double[] Heights = [0.16, 0.34, 0.62, 0.44, 0.78, 0.52, 0.30, 0.14];

    [Test]
    public void The_icon_of_the_packages_is_this_drawing()
    {
        string path = Path.Combine(Golden.Repository, "src", "icon.png");
        if (Environment.GetEnvironmentVariable("HIGGS_AUDIO_UPDATE_ICON") == "1")
            Draw().SavePng(path);
        Assert.That(PngReader.Read(File.ReadAllBytes(path)), Is.EqualTo((Size, Size, Draw().Pixels.ToArray())));
    }

    private static Picture Draw()
    {
        var picture = new Picture(Size, Size);
        for (int y = 0; y < Size; y++)
            for (int x = 0; x < Size; x++)
            {
                (double red, double green, double blue) = (0, 0, 0);
                for (int i = 0; i < Samples * Samples; i++)
                {
                    Rgb colour = At(x + (i % Samples + 0.5) / Samples, y + (i / Samples + 0.5) / Samples);
                    (red, green, blue) = (red + colour.Red, green + colour.Green, blue + colour.Blue);
                }
                const double Count = Samples * Samples;
                picture[x, y] = new Rgb((byte)(red / Count + 0.5), (byte)(green / Count + 0.5), (byte)(blue / Count + 0.5));
            }
        return picture;
    }

    // A bar is a line with round ends.
    private static Rgb At(double x, double y)
    {
        const double Middle = Size / 2.0, Pitch = 13.2, Radius = 4.1;
        for (int bar = 0; bar < Heights.Length; bar++)
        {
            double centre = Middle + (bar - (Heights.Length - 1) / 2.0) * Pitch, half = Heights[bar] * 52;
            double beyond = Math.Max(0, Math.Abs(y - Middle) - half);
            if ((x - centre) * (x - centre) + beyond * beyond <= Radius * Radius)
                return ColorMap.Ember[0.45 + 0.5 * (1 - Math.Abs(y - Middle) / 50)];
        }
        return ColorMap.Ember[0.03 + 0.05 * (y / Size)];
    }
}
