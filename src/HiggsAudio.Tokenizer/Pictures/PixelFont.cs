namespace HiggsAudio.Pictures;

/// <summary>Letters of 5 × 7 pixels: those that the labels of axes need.</summary>
internal static class PixelFont
{
    /// <summary>Pixels of a letter's height, and from one letter to the next.</summary>
    public const int Height = 7, Advance = 6;

    private static readonly Dictionary<char, string[]> Letters = new()
    {
        ['0'] = [".###.", "#...#", "#...#", "#...#", "#...#", "#...#", ".###."],
        ['1'] = ["..#..", ".##..", "..#..", "..#..", "..#..", "..#..", ".###."],
        ['2'] = [".###.", "#...#", "....#", "..##.", ".#...", "#....", "#####"],
        ['3'] = [".###.", "#...#", "....#", "..##.", "....#", "#...#", ".###."],
        ['4'] = ["...#.", "..##.", ".#.#.", "#..#.", "#####", "...#.", "...#."],
        ['5'] = ["#####", "#....", "####.", "....#", "....#", "#...#", ".###."],
        ['6'] = [".###.", "#....", "#....", "####.", "#...#", "#...#", ".###."],
        ['7'] = ["#####", "....#", "...#.", "...#.", "..#..", "..#..", "..#.."],
        ['8'] = [".###.", "#...#", "#...#", ".###.", "#...#", "#...#", ".###."],
        ['9'] = [".###.", "#...#", "#...#", ".####", "....#", "....#", ".###."],
        ['.'] = [".....", ".....", ".....", ".....", ".....", ".##..", ".##.."],
        ['-'] = [".....", ".....", ".....", ".###.", ".....", ".....", "....."],
        ['s'] = [".....", ".....", ".###.", "#....", ".###.", "....#", "####."],
        ['k'] = ["#....", "#....", "#..#.", "#.#..", "##...", "#.#..", "#..#."],
        ['H'] = ["#...#", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"],
        ['z'] = [".....", ".....", "####.", "...#.", "..#..", ".#...", "####."],
    };

    /// <summary>Pixels of a text's width.</summary>
    public static int Width(string text) => text.Length * Advance - 1;

    /// <summary>Writes a text, its upper left at a place. Letters without a form, such as the space, are left blank.</summary>
    public static void Draw(Picture picture, string text, int x, int y, Rgb colour)
    {
        for (int i = 0; i < text.Length; i++)
            if (Letters.TryGetValue(text[i], out string[]? rows))
                for (int row = 0; row < Height; row++)
                    for (int column = 0; column < 5; column++)
                        if (rows[row][column] == '#')
                            picture.Fill(x + i * Advance + column, y + row, 1, 1, colour);
    }
}
