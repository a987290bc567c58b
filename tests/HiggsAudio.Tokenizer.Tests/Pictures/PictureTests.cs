using HiggsAudio.Pictures;
using NUnit.Framework;

namespace HiggsAudio.Tokenizer.Tests.Pictures;

/// <summary>Pixels, PNG files and colours.</summary>
internal sealed class PictureTests
{
    private static byte[] Png(Picture picture)
    {
        using var stream = new MemoryStream();
        picture.WritePng(stream);
        return stream.ToArray();
    }

    [TestCase(1, 1)]
    [TestCase(7, 5)]
    [TestCase(300, 41)]
    public void A_png_has_the_pixels_of_the_picture(int width, int height)
    {
        var random = new Random(width);
        var picture = new Picture(width, height);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                picture[x, y] = y % 3 == 0 ? new Rgb((byte)x, (byte)y, 7) : y % 3 == 1 ? new Rgb(1, 2, 3) : new Rgb((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256));
        Assert.That(PngReader.Read(Png(picture)), Is.EqualTo((width, height, picture.Pixels.ToArray())));
    }

    [Test]
    public void A_png_of_one_colour_is_small() => Assert.That(Png(new Picture(1000, 1000, new Rgb(9, 9, 9))), Has.Length.LessThan(10_000));

    [Test]
    public void What_is_drawn_outside_is_left_out()
    {
        var picture = new Picture(4, 3);
        picture.Fill(-5, -5, 6, 6, new Rgb(1, 1, 1));
        picture.Fill(3, 2, int.MaxValue, int.MaxValue, new Rgb(2, 2, 2));
        picture.Draw(new Picture(2, 2, new Rgb(3, 3, 3)), 3, -1);
        Assert.That(Enumerable.Range(0, 12).Select(i => picture[i % 4, i / 4].Red), Is.EqualTo(new byte[] { 1, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2 }));
        Assert.That(() => picture[4, 0], Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => picture[0, -1], Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Stacked_pictures_are_below_each_other()
    {
        Picture all = Picture.Stack(new Rgb(9, 9, 9), new Picture(2, 1, new Rgb(1, 1, 1)), new Picture(3, 2, new Rgb(2, 2, 2)));
        Assert.That((all.Width, all.Height), Is.EqualTo((3, 3)));
        Assert.That((all[0, 0].Red, all[2, 0].Red, all[2, 2].Red), Is.EqualTo(((byte)1, (byte)9, (byte)2)));
    }

    [TestCase(0, 1)]
    [TestCase(1, 0)]
    [TestCase(40_000, 1)]
    [TestCase(32_768, 32_768)]
    public void Sizes_are_checked_before_memory_is_taken(int width, int height) =>
        Assert.That(() => new Picture(width, height), Throws.InstanceOf<ArgumentOutOfRangeException>());

    private static IEnumerable<ColorMap> Maps() => [ColorMap.Ember, ColorMap.Meadow];

    [TestCaseSource(nameof(Maps))]
    public void More_is_lighter_in_even_steps(ColorMap map)
    {
        double[] lightness = [.. Enumerable.Range(0, 256).Select(i => OkLab.Lightness(map[i / 255.0]))];
        double step = (lightness[255] - lightness[0]) / 255;
        Assert.That(step, Is.GreaterThan(0.002));
        for (int i = 0; i < 255; i++)
            Assert.That(lightness[i + 1] - lightness[i], Is.EqualTo(step).Within(0.01), $"step {i}");
        Assert.That(Enumerable.Range(0, 256).Select(i => map[i / 255.0]).Distinct().Count(), Is.GreaterThan(200));
        Assert.That((map[-1], map[double.NaN], map[2]), Is.EqualTo((map[0], map[0], map[1])));
    }
}
