using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Hub;

/// <summary>The environment variables of Hugging Face's own tools.</summary>
internal sealed class HubOptionsTests
{
    private string _home = null!;

    [SetUp]
    public void MakeFolder() => _home = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_home, recursive: true);

    private HubOptions From(params (string Name, string Value)[] variables) =>
        HubOptions.From(name => variables.Where(v => v.Name == name).Select(v => v.Value).FirstOrDefault(), _home);

    private string At(params string[] path) => Path.Combine([_home, .. path]);

    [Test]
    public void Without_variables_they_are_the_usual()
    {
        HubOptions options = From();
        Assert.That(options.Endpoint, Is.EqualTo(new Uri("https://huggingface.co")));
        Assert.That(options.CacheFolder, Is.EqualTo(At(".cache", "huggingface", "hub")));
        Assert.That((options.Token, options.Offline, options.Proxy), Is.EqualTo(((string?)null, false, (object?)null)));
    }

    [Test]
    public void The_cache_is_where_the_most_special_variable_says()
    {
        Assert.That(From(("XDG_CACHE_HOME", "/x")).CacheFolder, Is.EqualTo(Path.Combine("/x", "huggingface", "hub")));
        Assert.That(From(("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")).CacheFolder, Is.EqualTo(Path.Combine("/h", "hub")));
        Assert.That(From(("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")).CacheFolder, Is.EqualTo("/old"));
        Assert.That(From(("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/c")).CacheFolder, Is.EqualTo("/c"));
        Assert.That(From(("HF_HUB_CACHE", "~/models")).CacheFolder, Is.EqualTo(At("models")));
        Assert.That(From(("HF_HUB_CACHE", "  ")).CacheFolder, Is.EqualTo(At(".cache", "huggingface", "hub")));
    }

    [Test]
    public void The_token_is_the_variable_s_or_the_file_s()
    {
        Directory.CreateDirectory(At("h"));
        File.WriteAllText(At("h", "token"), "hf_file\n");
        File.WriteAllText(At("other"), "hf_other");
        Assert.That(From(("HF_HOME", At("h"))).Token, Is.EqualTo("hf_file"));
        Assert.That(From(("HF_HOME", At("h")), ("HF_TOKEN_PATH", At("other"))).Token, Is.EqualTo("hf_other"));
        Assert.That(From(("HF_HOME", At("h")), ("HF_TOKEN", " hf_variable\n")).Token, Is.EqualTo("hf_variable"));
        Assert.That(From(("HF_HOME", At("h")), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")).Token, Is.Null);
        Assert.That(() => From(("HF_TOKEN", "hf_a\r\nX-Evil: 1")), Throws.ArgumentException);
    }

    [TestCase("1", true)]
    [TestCase("true", true)]
    [TestCase("ON", true)]
    [TestCase("0", false)]
    [TestCase("no", false)]
    public void Offline_is_a_switch(string value, bool expected) => Assert.That(From(("HF_HUB_OFFLINE", value)).Offline, Is.EqualTo(expected));

    [Test]
    public void The_endpoint_is_checked()
    {
        Assert.That(From(("HF_ENDPOINT", "https://mirror.example/hub/")).Endpoint, Is.EqualTo(new Uri("https://mirror.example/hub/")));
        Assert.That(() => From(("HF_ENDPOINT", "mirror.example")), Throws.ArgumentException.With.Message.Contains("HF_ENDPOINT"));
        Assert.That(() => From(("HF_ENDPOINT", "file:///etc")), Throws.ArgumentException);
        Assert.That(() => From(("HF_ENDPOINT", "https://me:secret@mirror.example")), Throws.ArgumentException.With.Message.Not.Contains("secret"));
    }

    [Test]
    public void Retries_and_patience_have_ranges()
    {
        Assert.That(() => new HubOptions { Retries = -1 }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new HubOptions { Timeout = TimeSpan.Zero }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new HubOptions { Timeout = TimeSpan.MaxValue }, Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Printing_the_options_does_not_print_the_token() =>
        Assert.That(From(("HF_TOKEN", "hf_secret")).ToString(), Does.Not.Contain("hf_secret").And.Contain("token set"));
}
