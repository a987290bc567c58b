using System.Text.RegularExpressions;
using HiggsAudio.Testing;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using NUnit.Framework;

namespace HiggsAudio.Docs.Tests;

/// <summary>Every C# sample of every page compiles, as a program of its own.</summary>
internal sealed partial class SnippetTests
{
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private static IEnumerable<string> Pages() =>
        Directory.EnumerateFiles(Golden.Repository, "*.md")
            .Concat(Directory.EnumerateFiles(Path.Combine(Golden.Repository, "src"), "README.md", SearchOption.AllDirectories))
            .Concat(Directory.Exists(Path.Combine(Golden.Repository, "docs")) ? Directory.EnumerateFiles(Path.Combine(Golden.Repository, "docs"), "*.md", SearchOption.AllDirectories) : [])
            .Order(StringComparer.Ordinal);

    private static IEnumerable<TestCaseData> Snippets() =>
        from page in Pages()
        from match in Block().Matches(File.ReadAllText(page)).Select((m, i) => (Code: m.Groups[1].Value, Number: i + 1))
        select new TestCaseData(match.Code).SetArgDisplayNames(Path.GetRelativePath(Golden.Repository, page), $"sample {match.Number}");

    // What LINQPad adds to every object and query.
    private const string Dump = """
        public static class Linqpad { public static T Dump<T>(this T value, string? heading = null) => value; }
        public static class Util { public static object Image(byte[] picture) => picture; public static object Image(string path) => path; public static object RawHtml(string html) => html; }
        """;

    private static IEnumerable<TestCaseData> Queries() =>
        Directory.EnumerateFiles(Path.Combine(Golden.Repository, "samples", "LinqPad"), "*.linq").Order(StringComparer.Ordinal)
            .Select(path => new TestCaseData(path).SetArgDisplayNames(Path.GetFileName(path)));

    [TestCaseSource(nameof(Queries))]
    public void A_LINQPad_query_compiles(string path)
    {
        string text = File.ReadAllText(path);
        const string End = "</Query>";
        int code = text.IndexOf(End, StringComparison.Ordinal) + End.Length;
        var query = System.Xml.Linq.XElement.Parse(text[..code]);
        Assert.That(query.Attribute("Kind")?.Value, Is.EqualTo("Statements"));
        string usings = string.Concat(query.Elements("Namespace").Select(name => $"using {name.Value};\n"));
        AssertCompiles($"#nullable enable annotations\n{usings}{text[code..]}", $"#nullable enable annotations\n{Dump}");
    }

    [TestCaseSource(nameof(Snippets))]
    public void A_sample_compiles(string code) => AssertCompiles(code);

    private static void AssertCompiles(params string[] code)
    {
        var compilation = CSharpCompilation.Create("Snippet",
            [CSharpSyntaxTree.ParseText(ImplicitUsings), .. code.Select(part => CSharpSyntaxTree.ParseText(part))],
            ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
        Assert.That(compilation.GetDiagnostics().Where(d => d.Severity >= DiagnosticSeverity.Warning).Select(d => d.ToString()), Is.Empty);
    }

    [Test]
    public void The_readme_has_samples() => Assert.That(Snippets().Count(), Is.GreaterThanOrEqualTo(5));

    [GeneratedRegex(@"^```csharp\r?\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
