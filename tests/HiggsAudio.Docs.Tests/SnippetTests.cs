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

    [TestCaseSource(nameof(Snippets))]
    public void A_sample_compiles(string code)
    {
        var compilation = CSharpCompilation.Create("Snippet",
            [CSharpSyntaxTree.ParseText(ImplicitUsings), CSharpSyntaxTree.ParseText(code)],
            ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
        Assert.That(compilation.GetDiagnostics().Where(d => d.Severity >= DiagnosticSeverity.Warning).Select(d => d.ToString()), Is.Empty);
    }

    [Test]
    public void The_readme_has_samples() => Assert.That(Snippets().Count(), Is.GreaterThanOrEqualTo(5));

    [GeneratedRegex(@"^```csharp\r?\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
