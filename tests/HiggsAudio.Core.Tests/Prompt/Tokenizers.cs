using System.Collections.Concurrent;
using System.Text.Json;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

/// <summary>The tokenizers that tests run on: those of the fixtures and, where it lies beside the repository, the published one.</summary>
internal static class Tokenizers
{
    private static readonly ConcurrentDictionary<string, Lazy<TextTokenizer>> Loaded = new();

    /// <summary>The published tokenizer's folder, whether it exists or not.</summary>
    public static string Published { get; } = Path.GetFullPath(Path.Combine(Golden.Repository, "..", "shared", "facts", "tokenizer"));

    /// <summary>All folders with a tokenizer.json.</summary>
    public static IEnumerable<string> Folders =>
        Golden.Folders("tokenizer").Append(Published).Where(folder => File.Exists(Path.Combine(folder, "tokenizer.json")));

    /// <summary>One test case per folder.</summary>
    public static IEnumerable<TestCaseData> All => Folders.Select(folder => new TestCaseData(folder).SetArgDisplayNames(Golden.Display(folder)));

    /// <summary>A folder's tokenizer, loaded once.</summary>
    public static TextTokenizer Load(string folder) => Loaded.GetOrAdd(folder, f => new Lazy<TextTokenizer>(() => TextTokenizer.Load(f))).Value;

    /// <summary>The tokenizer folder beside a fixture folder: utils -> tokenizer, utils_x -> tokenizer_x or tokenizer.</summary>
    public static string Beside(string utils)
    {
        string root = Path.GetDirectoryName(utils)!, own = "tokenizer" + Path.GetFileName(utils)["utils".Length..];
        return new[] { own, "tokenizer" }.Select(name => Path.Combine(root, name)).First(Directory.Exists);
    }

    /// <summary>The items of a JSON array in every fixture folder "utils…" that has the file, with that folder's tokenizer.</summary>
    public static IEnumerable<(string Folder, string Tokenizer, int Index, JsonElement Item)> Cases(string file)
    {
        foreach (string folder in Golden.Folders("utils"))
        {
            string path = Path.Combine(folder, file);
            if (!File.Exists(path))
                continue;
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            int index = 0;
            foreach (JsonElement item in document.RootElement.EnumerateArray())
                yield return (folder, Beside(folder), index++, item.Clone());
        }
    }

    public static int[] Ints(this JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];
}
