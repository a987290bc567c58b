using System.Text.Json;
using NUnit.Framework;

namespace HiggsAudio.Testing;

/// <summary>
/// Finds golden fixture folders: those committed under tests/golden and those named in the environment variable HIGGS_AUDIO_FIXTURES
/// (paths joined by ':'; each either a fixture folder itself or a folder of them).
/// </summary>
public static class Golden
{
    /// <summary>The environment variable that adds fixture folders.</summary>
    public const string Variable = "HIGGS_AUDIO_FIXTURES";

    /// <summary>The repository's root.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>All fixture folders of a kind, such as "codec_" or "lm_" (by prefix of the folder's name), in a stable order.</summary>
    public static IReadOnlyList<string> Folders(string prefix) =>
        [.. Roots().SelectMany(root => Directory.GetDirectories(root).Append(root))
            .Where(folder => System.IO.Path.GetFileName(folder).StartsWith(prefix, StringComparison.Ordinal) && Directory.EnumerateFiles(folder).Any())
            .Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The cases of a fixture folder's meta.json that satisfy a condition: (name, element).</summary>
    public static IEnumerable<(string Name, JsonElement Case)> Cases(string folder, Func<JsonElement, bool>? where = null)
    {
        string meta = System.IO.Path.Combine(folder, "meta.json");
        if (!File.Exists(meta))
            yield break;
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(meta));
        if (!document.RootElement.TryGetProperty("cases", out JsonElement cases))
            yield break;
        foreach (JsonProperty item in cases.EnumerateObject())
            if (where is null || where(item.Value))
                yield return (item.Name, item.Value.Clone());
    }

    /// <summary>One NUnit test case per fixture case, named folder/case.</summary>
    public static IEnumerable<TestCaseData> TestCases(string prefix, Func<JsonElement, bool>? where = null) =>
        Folders(prefix).SelectMany(folder => Cases(folder, where).Select(c =>
            new TestCaseData(folder, c.Name).SetArgDisplayNames(Display(folder), c.Name)));

    /// <summary>A short name of a fixture folder, different for folders outside the repository.</summary>
    public static string Display(string folder) =>
        folder.StartsWith(Repository, StringComparison.Ordinal)
            ? System.IO.Path.GetFileName(folder)
            : $"{System.IO.Path.GetFileName(System.IO.Path.GetDirectoryName(folder))}/{System.IO.Path.GetFileName(folder)}";

    private static IEnumerable<string> Roots() =>
        (Environment.GetEnvironmentVariable(Variable) ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Prepend(System.IO.Path.Combine(Repository, "tests", "golden"))
            .Select(System.IO.Path.GetFullPath).Where(Directory.Exists);

    private static string FindRepository()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "HiggsAudio.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException("HiggsAudio.sln was not found above " + AppContext.BaseDirectory);
    }
}
