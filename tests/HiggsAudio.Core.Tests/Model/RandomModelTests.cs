using HiggsAudio.Model;
using HiggsAudio.Testing.RandomModels;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Model;

/// <summary>The same random language model in both published layouts.</summary>
internal sealed class RandomModelTests
{
    private string _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    private LmFixture Load(CheckpointLayout layout)
    {
        string folder = Path.Combine(_folder, $"{layout}");
        RandomCheckpoint.WriteLanguageModel(folder, LanguageModelSizes.Tiny, layout, seed: 7);
        return new LmFixture(folder);
    }

    private static float[] Logits(LmFixture fixture)
    {
        TokenBatch batch = fixture.Model.CreateBatch();
        using SequenceState sequence = fixture.Model.CreateSequence();
        sequence.Reserve(16);
        foreach (int token in new[] { 128000, 72, 105, 128013 })
            batch.AddText(sequence, token);
        int text = batch.RequestTextLogits();
        batch.AddAudio(sequence, [1024, 1024, 1024, 1024, 1024, 1024, 1024, 1024]);
        batch.AddAudio(sequence, [1, 2, 3, 500, 700, 900, 1023, 1024]);
        int audio = batch.RequestAudioLogits();
        fixture.Model.Forward(fixture.Lane, batch);
        return [.. batch.TextLogits(text), .. batch.AudioLogits(audio)];
    }

    [Test]
    public void Both_published_layouts_give_the_same_logits()
    {
        using LmFixture legacy = Load(CheckpointLayout.Legacy), other = Load(CheckpointLayout.HuggingFace);
        float[] expected = Logits(legacy);
        Assert.That(expected, Has.Length.EqualTo(128256 + 8208).And.All.Matches<float>(float.IsFinite));
        Assert.That(expected.Max() - expected.Min(), Is.InRange(1, 20));
        Near.AssertWithin(1e-4, Logits(other), expected, "logits");
    }

    [Test]
    public void The_tokenizer_beside_it_gives_bytes_and_the_published_special_ids()
    {
        File.WriteAllBytes(Path.Combine(_folder, "tokenizer.json"), ByteTokenizer.Json());
        TextTokenizer tokenizer = TextTokenizer.Load(_folder);
        Assert.That(tokenizer.Encode("<|begin_of_text|>Hé\n<SE>"), Is.EqualTo(new[] { 128000, 'H', 0xC3, 0xA9, '\n', 128022 }));
        Assert.That(tokenizer.SpecialTokens, Has.Count.EqualTo(256));
        Assert.That(tokenizer.SpecialTokens["<|AUDIO_OUT|>"], Is.EqualTo(128016));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(128256));
    }
}
