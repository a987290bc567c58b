using System.Reflection;
using System.Text;

namespace HiggsAudio.Cuda.Compilation;

/// <summary>The CUDA C++ sources in this assembly: one file a module, and the headers that they share.</summary>
internal static class KernelSources
{
    private static readonly Lazy<SortedDictionary<string, string>> Files = new(ReadAll);

    /// <summary>The headers, by file name, in one order.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Headers => [.. Files.Value.Where(file => IsHeader(file.Key))];

    /// <summary>The modules' names: their file names without extension.</summary>
    public static IReadOnlyList<string> Modules => [.. Files.Value.Keys.Where(name => !IsHeader(name)).Select(name => Path.GetFileNameWithoutExtension(name))];

    /// <summary>The text of a module.</summary>
    public static string Module(string name) => Files.Value[name + ".cu"];

    private static bool IsHeader(string name) => name.EndsWith(".cuh", StringComparison.Ordinal);

    private static SortedDictionary<string, string> ReadAll()
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Assembly assembly = typeof(KernelSources).Assembly;
        foreach (string name in assembly.GetManifestResourceNames())
        {
            if (!name.EndsWith(".cu", StringComparison.Ordinal) && !IsHeader(name))
                continue;
            using Stream stream = assembly.GetManifestResourceStream(name)!;
            using var reader = new StreamReader(stream, Encoding.UTF8);
            files[name] = reader.ReadToEnd();
        }
        return files;
    }
}
