using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Folders of voices.</summary>
internal sealed class VoiceLibraryTests
{
    private static readonly string Recording = Path.Combine(Golden.Repository, "tests", "golden", "nano", "ref_2.wav");
    private string _folder = null!;
    private VoiceLibrary _library = null!;

    private static HiggsAudioServeEngine Engine => NanoVoiceTests.Engine;

    [SetUp]
    public void MakeFolder()
    {
        _folder = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName;
        _library = new VoiceLibrary(Engine, _folder);
    }

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private void AddPair(string name, string transcript = "please open the window.")
    {
        File.Copy(Recording, At(name + ".wav"), overwrite: true);
        File.WriteAllText(At(name + ".txt"), transcript + "\n");
    }

    [Test]
    public async Task Voices_of_all_three_kinds_are_listed_and_read()
    {
        Assert.That(_library.Names, Is.Empty);
        AddPair("belinda");
        AddPair("vex", "of the pair");
        File.Copy(Recording, At("alone.wav"));
        File.WriteAllText(At("config.json"), """{"vex":{"transcript":"of the preset","audio_file":"alone.wav"},"told":{"system_prompt":"x"},"saved":{"transcript":"","audio_file":"absent.wav"}}""");
        PrefixCacheTests.RandomVoice(Engine.Codec, 1).Save(At("saved.voice"));
        Assert.That(_library.Names, Is.EqualTo(new[] { "belinda", "saved", "vex" }));

        Voice belinda = await _library.GetAsync("belinda"), vex = await _library.GetAsync("vex"), saved = await _library.GetAsync("saved");
        Assert.That((belinda.Name, belinda.Transcript), Is.EqualTo(("belinda", "please open the window.")));
        Assert.That(belinda.Codes, Is.EqualTo(Engine.Codec.Encode(Waveform.Load(Recording))));
        Assert.That((vex.Transcript, vex.Codes), Is.EqualTo(("of the preset", belinda.Codes)));
        Assert.That(saved.Codes, Is.EqualTo(PrefixCacheTests.RandomVoice(Engine.Codec, 1).Codes));
    }

    [Test]
    public async Task A_voice_is_encoded_once_until_its_files_change()
    {
        AddPair("belinda");
        Voice[] many = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _library.GetAsync("belinda")));
        Assert.That(many, Is.All.SameAs(many[0]));
        File.WriteAllText(At("belinda.txt"), "other words.");
        File.SetLastWriteTimeUtc(At("belinda.txt"), DateTime.UtcNow.AddSeconds(5));
        Voice changed = await _library.GetAsync("belinda");
        Assert.That(changed.Transcript, Is.EqualTo("other words."));
        PrefixCacheTests.RandomVoice(Engine.Codec, 3).Save(At("belinda.voice"));
        Assert.That((await _library.GetAsync("belinda")).Name, Is.EqualTo("voice 3"));
        File.Delete(At("belinda.voice"));
        File.Delete(At("belinda.txt"));
        Assert.That(async () => await _library.GetAsync("belinda"), Throws.ArgumentException);
    }

    [Test]
    public async Task A_voice_that_failed_is_tried_again()
    {
        AddPair("belinda");
        File.WriteAllText(At("belinda.wav"), "not a WAV file");
        DateTime time = File.GetLastWriteTimeUtc(At("belinda.wav"));
        Assert.That(async () => await _library.GetAsync("belinda"), Throws.TypeOf<AudioFormatException>());
        File.Copy(Recording, At("belinda.wav"), overwrite: true);
        File.SetLastWriteTimeUtc(At("belinda.wav"), time);
        Assert.That((await _library.GetAsync("belinda")).Codes.Frames, Is.GreaterThan(0));
    }

    [TestCase("../belinda")]
    [TestCase("..")]
    [TestCase(".")]
    [TestCase("")]
    [TestCase("a/b")]
    [TestCase("a\\b")]
    [TestCase("/etc/passwd")]
    [TestCase("C:belinda")]
    [TestCase("belinda.wav")]
    [TestCase("belinda\0")]
    [TestCase("nobody")]
    public void A_name_that_is_not_there_is_refused_with_those_that_are(string name)
    {
        AddPair("belinda");
        File.Copy(Recording, At("..x.wav"));
        File.WriteAllText(At("..x.txt"), "hidden");
        Assert.That(async () => await _library.GetAsync(name), Throws.ArgumentException.With.Message.Contains("there are belinda"));
    }

    [TestCase("""{"a":{"transcript":"x","audio_file":"../secret.wav"}}""")]
    [TestCase("""{"a":{"transcript":"x","audio_file":"/secret.wav"}}""")]
    [TestCase("""{"a":{"transcript":"x","audio_file":"b\\secret.wav"}}""")]
    [TestCase("""{"../a":{"transcript":"x","audio_file":"secret.wav"}}""")]
    [TestCase("""{"a":{"audio_file":"secret.wav"}}""")]
    [TestCase("""{"a":{"transcript":1,"audio_file":"secret.wav"}}""")]
    [TestCase("""{"a":1}""")]
    [TestCase("""[]""")]
    [TestCase("""{""")]
    public void Presets_that_are_broken_or_point_elsewhere_are_refused(string json)
    {
        File.WriteAllText(At("config.json"), json);
        Assert.That(() => _library.Names, Throws.TypeOf<VoiceFormatException>().With.Message.Contains("config.json"));
    }

    [Test]
    public void A_folder_that_is_absent_is_named() =>
        Assert.That(() => new VoiceLibrary(Engine, At("absent")).Names, Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains("absent"));
}
