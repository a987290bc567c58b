using System.Text.Json;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Generation;

/// <summary>Fixture files that are one JSON array (or an object of arrays) of cases.</summary>
internal static class GoldenJson
{
    /// <summary>One NUnit case per element of the array in every folder's file; of the array under <paramref name="section"/> if given.</summary>
    public static IEnumerable<TestCaseData> Cases(string prefix, string file, Func<JsonElement, bool>? where = null, string? section = null)
    {
        foreach (string folder in Golden.Folders(prefix))
        {
            string path = Path.Combine(folder, file);
            if (!File.Exists(path))
                continue;
            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
            JsonElement cases = document.RootElement;
            if (section is not null && !cases.TryGetProperty(section, out cases))
                continue;
            int index = 0;
            foreach (JsonElement item in cases.EnumerateArray())
            {
                if (where is null || where(item))
                    yield return new TestCaseData(item.Clone()).SetArgDisplayNames($"{Golden.Display(folder)}/{section ?? Path.GetFileNameWithoutExtension(file)}[{index}]");
                index++;
            }
        }
    }

    public static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(v => v.GetInt32())];

    public static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(v => v.GetSingle())];

    /// <summary>Rows of equal length as a matrix; [rows, 0] for empty rows.</summary>
    public static int[,] Matrix(JsonElement rows)
    {
        int[][] values = [.. rows.EnumerateArray().Select(Ints)];
        var matrix = new int[values.Length, values.Length == 0 ? 0 : values[0].Length];
        for (int r = 0; r < matrix.GetLength(0); r++)
            for (int c = 0; c < matrix.GetLength(1); c++)
                matrix[r, c] = values[r][c];
        return matrix;
    }

    public static int[,] Transpose(int[,] matrix)
    {
        var transposed = new int[matrix.GetLength(1), matrix.GetLength(0)];
        for (int r = 0; r < matrix.GetLength(0); r++)
            for (int c = 0; c < matrix.GetLength(1); c++)
                transposed[c, r] = matrix[r, c];
        return transposed;
    }

    public static int? NullableInt(JsonElement value) => value.ValueKind == JsonValueKind.Null ? null : value.GetInt32();
}
