using HiggsAudio.Testing.RandomModels;
using NUnit.Framework;

namespace HiggsAudio.Tests;

/// <summary>The same random codec in both published layouts.</summary>
public class RandomCodecTests
{
    private string _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    private AudioCodec Load(CheckpointLayout layout)
    {
        string folder = Path.Combine(_folder, $"{layout}");
        RandomCheckpoint.WriteCodec(folder, CodecSizes.Tiny, layout, seed: 7);
        return AudioCodec.Load(folder);
    }

    [Test]
    public void Both_published_layouts_give_the_same_codes_and_sound()
    {
        using AudioCodec legacy = Load(CheckpointLayout.Legacy), other = Load(CheckpointLayout.HuggingFace);
        Assert.That((legacy.FrameRate, legacy.Codebooks, legacy.CodebookSize), Is.EqualTo((25.0, 8, 1024)));
        var wave = new Waveform([.. Enumerable.Range(0, 960 * 20).Select(i => MathF.Sin(i * 0.05f + MathF.Sin(i * 0.001f) * 9) * 0.4f)], 24000);
        AudioCodes codes = legacy.Encode(wave);
        Assert.That(codes.Frames, Is.EqualTo(20));
        Assert.That(other.Encode(wave), Is.EqualTo(codes));
        float[] sound = legacy.Decode(codes).Samples.ToArray();
        Assert.That(sound, Has.All.Matches<float>(float.IsFinite));
        Assert.That(sound.Max(), Is.GreaterThan(sound.Min()));
        Assert.That(other.Decode(codes).Samples.ToArray(), Is.EqualTo(sound).Within(1e-4f * sound.Max(MathF.Abs)));
    }
}
