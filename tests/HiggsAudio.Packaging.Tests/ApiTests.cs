using System.Reflection;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Packaging.Tests;

/// <summary>
/// The public surface of every assembly is that in tests/api. A change that is meant is written there by running this test with the environment
/// variable HIGGS_AUDIO_UPDATE_API set to 1, and shows in the review.
/// </summary>
internal sealed class ApiTests
{
    private static string[] Names => Feed.Names;

    [TestCaseSource(nameof(Names))]
    public void The_public_surface_is_the_committed_one(string name)
    {
        string path = Path.Combine(Golden.Repository, "tests", "api", name + ".txt");
        string[] actual = [.. PublicSurface.Of(Assembly.Load(name))];
        if (Environment.GetEnvironmentVariable("HIGGS_AUDIO_UPDATE_API") == "1")
            File.WriteAllLines(path, actual);
        string[] expected = File.Exists(path) ? File.ReadAllLines(path) : [];
        Assert.That(actual.Except(expected), Is.Empty, "new in the assembly; HIGGS_AUDIO_UPDATE_API=1 writes tests/api");
        Assert.That(expected.Except(actual), Is.Empty, "gone from the assembly; HIGGS_AUDIO_UPDATE_API=1 writes tests/api");
        Assert.That(actual, Is.EqualTo(expected));
    }

    [Test]
    public void Every_snapshot_is_of_an_assembly() =>
        Assert.That(Directory.GetFiles(Path.Combine(Golden.Repository, "tests", "api")).Select(path => Path.GetFileNameWithoutExtension(path)), Is.EquivalentTo(Names));
}
