using System.Runtime.InteropServices;
using System.Xml.Linq;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Packaging.Tests;

/// <summary>Projects outside the repository that have nothing but the packages: restored from a folder, built, run.</summary>
internal sealed class FreshProjectTests
{
    private const string Program = """
        using HiggsAudio;

        using HiggsAudioServeEngine engine = NanoVoice.Load();
        HiggsAudioResponse output = engine.Generate(NanoVoice.Say("Good morning."), new GenerationOptions { ForceAudioGeneration = true, Seed = 1 });
        output.SaveWav(args[0]);
        Console.WriteLine($"{output.Audio!.Duration.TotalSeconds:0.00} s of speech");
        """;

    private const string ProgramWithServices = """
        #pragma warning disable MEAI001
        using HiggsAudio;
        using Microsoft.Extensions.AI;
        using Microsoft.Extensions.DependencyInjection;

        using HiggsAudioServeEngine engine = NanoVoice.Load();
        await using ServiceProvider services = new ServiceCollection().AddHiggsAudio(engine, options =>
        {
            options.VoiceDescriptions["feminine"] = "feminine";
            options.ConfigureSpeech = speech => speech with { Normalize = false, ChunkRewriter = NanoVoice.Normalize };
        }).BuildServiceProvider();
        var speech = services.GetRequiredService<ITextToSpeechClient>();
        TextToSpeechResponse response = await speech.GetAudioAsync("Good morning.", new TextToSpeechOptions { VoiceId = "feminine" });
        await File.WriteAllBytesAsync(args[0], ((DataContent)response.Contents[0]).Data.ToArray());
        """;

    private static string Make(string name, string program, string properties, params string[] packages)
    {
        string folder = Path.Combine(Feed.Folder, name);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Program.cs"), program);
        string references = string.Concat(packages.Select(package => $"<PackageReference Include=\"{package}\" Version=\"[{VersionOf(package)}]\" />"));
        File.WriteAllText(Path.Combine(folder, $"{name}.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><Nullable>enable</Nullable><ImplicitUsings>enable</ImplicitUsings>{properties}</PropertyGroup>
              <ItemGroup>{references}</ItemGroup>
            </Project>
            """);
        // The machine's own sources stay: the folder is one more.
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""<configuration><packageSources><add key="packages-of-the-test" value="{Feed.Folder}" /></packageSources></configuration>""");
        return folder;
    }

    // Microsoft.Extensions.* are released together: all have the version that the packages depend on.
    private static string VersionOf(string package) => Feed.Names.Contains(package)
        ? Feed.VersionOf(package)
        : XDocument.Load(Path.Combine(Golden.Repository, "Directory.Packages.props")).Descendants("PackageVersion")
            .Single(item => item.Attribute("Include")!.Value == "Microsoft.Extensions.Hosting.Abstractions").Attribute("Version")!.Value;

    private static async Task DotnetAsync(string folder, params string[] arguments)
    {
        try
        {
            await Command.RunAsync(folder, Feed.Variables, "dotnet", [.. arguments, "--disable-build-servers"]);
        }
        catch (InvalidOperationException problem) when (problem.Message.Contains("NU1301", StringComparison.Ordinal))
        {
            Assert.Ignore("the machine's own package sources cannot be reached (NU1301), and the new project's package cache is empty");
        }
    }

    private static void AssertSpeaks(string path)
    {
        Waveform sound = Waveform.Load(path);
        Assert.That(sound.Duration.TotalSeconds, Is.InRange(0.3, 20));
        Assert.That(sound.Rms, Is.GreaterThan(0.003), "it is not silence");
    }

    [Test]
    public async Task A_program_of_ten_lines_speaks()
    {
        await Feed.NeededAsync();
        string folder = Make("Speaking", Program, "", "HiggsAudio.Nano"), sound = Path.Combine(folder, "out.wav");
        await DotnetAsync(folder, "build", "-c", "Release", "-warnaserror", "-v", "quiet");
        await Command.RunAsync(folder, Feed.Variables, "dotnet", Path.Combine("bin", "Release", "net10.0", "Speaking.dll"), sound);
        AssertSpeaks(sound);
        string[] files = [.. Directory.GetFiles(Path.Combine(folder, "bin", "Release", "net10.0")).Select(path => Path.GetFileName(path))];
        Assert.That(files.Where(file => file.EndsWith(".so", StringComparison.Ordinal) || file.EndsWith(".dylib", StringComparison.Ordinal)), Is.Empty, "no native files");
    }

    [Test]
    public Task A_native_program_without_warnings_speaks() => SpeaksNatively("Native", Program, "HiggsAudio.Nano");

    [Test]
    public Task A_native_program_with_Microsoft_Extensions_AI_speaks() => SpeaksNatively("NativeServices", ProgramWithServices, "HiggsAudio.Nano", "HiggsAudio.Extensions.AI", "Microsoft.Extensions.DependencyInjection");

    private static async Task SpeaksNatively(string name, string program, params string[] packages)
    {
        await Feed.NeededAsync();
        if (OperatingSystem.IsWindows() || !(Command.Exists("clang") || Command.Exists("gcc")))
            Assert.Ignore("Native AOT needs a linker: clang or gcc is not on the path");
        string folder = Make(name, program, "<PublishAot>true</PublishAot><InvariantGlobalization>true</InvariantGlobalization><TrimmerSingleWarn>false</TrimmerSingleWarn>", packages);
        string sound = Path.Combine(folder, "out.wav"), output = Path.Combine(folder, "native");
        await DotnetAsync(folder, "publish", "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier, "-o", output, "-warnaserror", "-v", "quiet");
        Assert.That(Directory.GetFiles(output, "*.dll"), Is.Empty);
        TestContext.Out.WriteLine($"{name}: {new FileInfo(Path.Combine(output, name)).Length / 1e6:0.0} MB, the nano voice in it");
        await Command.RunAsync(folder, Feed.Variables, Path.Combine(output, name), sound);
        AssertSpeaks(sound);
    }
}
