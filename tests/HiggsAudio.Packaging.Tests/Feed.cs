using System.IO.Compression;
using System.Xml.Linq;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Packaging.Tests;

/// <summary>A folder outside the repository with the packages in it, made once for all tests, and a package cache of its own, so that nothing old is found.</summary>
[SetUpFixture]
internal sealed class Feed
{
    private static readonly Lazy<Task> Packed = new(PackAsync);

    /// <summary>The names of the packages: those of the projects under src that have a README.</summary>
    public static string[] Names { get; } =
        [.. Directory.GetDirectories(Path.Combine(Golden.Repository, "src")).Where(folder => File.Exists(Path.Combine(folder, "README.md"))).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    /// <summary>Where it is.</summary>
    public static string Folder { get; } = Directory.CreateTempSubdirectory("higgs-audio-packages-").FullName;

    /// <summary>The environment of commands that use the packages.</summary>
    public static Dictionary<string, string> Variables { get; } = new()
    {
        ["NUGET_PACKAGES"] = Path.Combine(Folder, "cache"),
        ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
        ["DOTNET_NOLOGO"] = "1",
        ["MSBUILDDISABLENODEREUSE"] = "1",
    };

    /// <summary>Packs, the first time; skips the test where there is nothing to pack with.</summary>
    public static Task NeededAsync()
    {
        if (!Command.Exists("dotnet"))
            Assert.Ignore("the dotnet command is not on the path: packages cannot be made");
        return Packed.Value;
    }

    /// <summary>The version that a package has.</summary>
    public static string VersionOf(string name)
    {
        using ZipArchive package = Open(name, ".nupkg");
        using Stream nuspec = package.GetEntry(name + ".nuspec")!.Open();
        return XDocument.Load(nuspec).Descendants().Single(element => element.Name.LocalName == "version").Value;
    }

    /// <summary>Opens a package.</summary>
    public static ZipArchive Open(string name, string extension) =>
        ZipFile.OpenRead(Directory.GetFiles(Folder, name + ".*" + extension).Single(path => char.IsAsciiDigit(Path.GetFileName(path)[name.Length + 1])));

    private static async Task PackAsync()
    {
        string configuration = Path.GetFileName(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory))!);
        foreach (string name in Names)
            await Command.RunAsync(Golden.Repository, Variables.Where(v => v.Key != "NUGET_PACKAGES").ToDictionary(), "dotnet",
                "pack", Path.Combine("src", name), "-c", configuration, "--no-build", "-o", Folder, "--disable-build-servers", "-warnaserror");
    }

    [OneTimeTearDown]
    public void Delete() => Directory.Delete(Folder, recursive: true);
}
