using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Xml.Linq;
using NUnit.Framework;

namespace HiggsAudio.Packaging.Tests;

/// <summary>What is in the packages.</summary>
internal sealed class PackageTests
{
    private static string[] Names => Feed.Names;

    private static string Read(ZipArchive package, string name)
    {
        using var reader = new StreamReader(package.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }

    [TestCaseSource(nameof(Names))]
    public async Task A_package_has_managed_code_documentation_and_nothing_native(string name)
    {
        await Feed.NeededAsync();
        using ZipArchive package = Feed.Open(name, ".nupkg");
        string[] files = [.. package.Entries.Select(entry => entry.FullName).Where(file => !file.StartsWith("_rels/", StringComparison.Ordinal) && !file.StartsWith("package/", StringComparison.Ordinal))];
        Assert.That(files, Is.EquivalentTo(new[]
        {
            "[Content_Types].xml", "icon.png", "README.md", "THIRD-PARTY-NOTICES.md", $"{name}.nuspec", $"lib/net10.0/{name}.dll", $"lib/net10.0/{name}.xml",
        }));
        using var code = new MemoryStream();
        using (Stream stream = package.GetEntry($"lib/net10.0/{name}.dll")!.Open())
            stream.CopyTo(code);
        code.Position = 0;
        using var assembly = new PEReader(code);
        Assert.That(assembly.PEHeaders.CorHeader!.Flags.HasFlag(CorFlags.ILOnly));
        string metadata = Encoding.UTF8.GetString(code.ToArray());
        Assert.That(metadata, Does.Contain("IsTrimmable").And.Contain("IsAotCompatible"));
        Assert.That(assembly.ReadDebugDirectory().Select(entry => entry.Type), Has.Member(DebugDirectoryEntryType.Reproducible), "the build is deterministic");
    }

    [TestCaseSource(nameof(Names))]
    public async Task A_package_says_what_it_is(string name)
    {
        await Feed.NeededAsync();
        using ZipArchive package = Feed.Open(name, ".nupkg");
        XElement metadata = XDocument.Parse(Read(package, $"{name}.nuspec")).Root!.Elements().Single(element => element.Name.LocalName == "metadata");
        string Value(string field) => metadata.Elements().SingleOrDefault(element => element.Name.LocalName == field)?.Value ?? "";
        Assert.That(Value("id"), Is.EqualTo(name));
        Assert.That((Value("license"), Value("icon"), Value("readme")), Is.EqualTo(("Apache-2.0", "icon.png", "README.md")));
        Assert.That(Value("description").Length, Is.GreaterThan(40));
        Assert.That(Value("tags"), Does.Contain("text-to-speech"));
        Assert.That(Read(package, "README.md"), Does.StartWith($"# {name}").And.Contain("```csharp"));
        using Stream icon = package.GetEntry("icon.png")!.Open();
        var start = new byte[24];
        icon.ReadExactly(start);
        Assert.That((start[19], start[23]), Is.EqualTo((128, 128)), "128 × 128 pixels");
    }

    [TestCaseSource(nameof(Names))]
    public async Task Symbols_are_a_package_of_their_own(string name)
    {
        await Feed.NeededAsync();
        using ZipArchive package = Feed.Open(name, ".snupkg");
        using var symbols = new MemoryStream();
        using (Stream stream = package.GetEntry($"lib/net10.0/{name}.pdb")!.Open())
            stream.CopyTo(symbols);
        symbols.Position = 0;
        using MetadataReaderProvider provider = MetadataReaderProvider.FromPortablePdbStream(symbols);
        Assert.That(provider.GetMetadataReader().Documents.Count, Is.GreaterThan(1));
    }

    [Test]
    public async Task Packages_depend_on_each_other_and_on_little_else()
    {
        await Feed.NeededAsync();
        foreach (string name in Names)
        {
            using ZipArchive package = Feed.Open(name, ".nupkg");
            string[] dependencies = [.. XDocument.Parse(Read(package, $"{name}.nuspec")).Descendants().Where(e => e.Name.LocalName == "dependency").Select(e => e.Attribute("id")!.Value)];
            Assert.That(dependencies.Where(id => !id.StartsWith("HiggsAudio.", StringComparison.Ordinal) && !(name.Contains("Extensions", StringComparison.Ordinal) && id.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal))), Is.Empty, name);
        }
    }
}
