using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

public class PromptBuilderTests
{
    private static readonly TextTokenizer Tokenizer = Tokenizers.Load(Golden.Folders("tokenizer")[0]);
    private static readonly SpecialTokens Special = SpecialTokens.From(Tokenizer);
    private static readonly HiggsAudioConfig Config = new()
    {
        AudioInTokenId = Special.AudioIn,
        AudioOutTokenId = Special.AudioOut,
        AudioOutBosTokenId = Special.AudioOutBos,
        AudioEosTokenId = Special.AudioEos,
        PadTokenId = Special.EndOfText,
        VocabSize = Tokenizer.VocabularySize,
        AudioNumCodebooks = 2,
        AudioStreamBosId = 8,
        AudioStreamEosId = 9,
        CodebookSize = 10,
        UseDelayPattern = true,
    };

    [Test]
    public void The_turn_to_generate_begins_as_asked()
    {
        var builder = new PromptBuilder(Tokenizer, Special);
        var sample = new ChatMLSample(new Message("user", "x"));
        int[] none = builder.Build(sample).InputIds, text = builder.Build(sample, AssistantStart.Text).InputIds;
        PromptTokens audio = builder.Build(sample, AssistantStart.Audio);
        Assert.That(text, Is.EqualTo(none.Concat(Tokenizer.Encode("<|start_header_id|>assistant<|end_header_id|>\n\n"))));
        Assert.That(audio.InputIds, Is.EqualTo(text.Append(Special.AudioOutBos)));
        Assert.That(audio.LabelIds, Is.EqualTo(Enumerable.Repeat(-100, audio.InputIds.Length)));
    }

    [TestCase("<|AUDIO|>")]
    [TestCase("<|AUDIO_OUT|>")]
    public void A_placeholder_of_audio_in_text_is_refused(string placeholder)
    {
        var builder = new PromptBuilder(Tokenizer, Special);
        Assert.That(() => builder.Build(new ChatMLSample(new Message("user", "x"), new Message("user", $"say {placeholder}."))),
            Throws.ArgumentException.With.Message.Contains(placeholder).And.Message.Contains("message 1"));
        Assert.That(() => builder.Build(new ChatMLSample(new Message("assistant", "x") { Recipient = placeholder })),
            Throws.ArgumentException.With.Message.Contains(placeholder));
    }

    [Test]
    public void Clips_take_the_rows_of_their_columns()
    {
        Prompt prompt = Collate(new PromptCollator(Config), new AudioCodes(2, [1, 2, 3, 4]), new AudioCodes(2, []));
        PromptRow[] audioIn = [.. prompt.Rows.Where(row => row.Kind == PromptRowKind.AudioIn)];
        PromptRow[] audioOut = [.. prompt.Rows.Where(row => row.Kind == PromptRowKind.AudioOut)];
        Assert.Multiple(() =>
        {
            Assert.That(audioIn.SelectMany(row => prompt.CodesOf(row).ToArray()), Is.EqualTo(new[] { 8, 8, 1, 8, 2, 3, 9, 4, 9, 9 }));
            Assert.That(audioOut.SelectMany(row => prompt.CodesOf(row).ToArray()), Is.EqualTo(new[] { 8, 8, 9, 8, 9, 9 }));
            Assert.That(audioIn.Select(row => row.Id), Has.All.EqualTo(Special.AudioIn));
            Assert.That(audioOut.Select(row => row.Id), Has.All.EqualTo(Special.AudioOut));
            Assert.That(prompt.Rows, Has.Length.EqualTo(prompt.InputIds.Length + 4 + 2));
        });
    }

    [Test]
    public void Clips_of_the_user_stay_one_row_of_padding_if_the_model_is_not_given_them()
    {
        Prompt prompt = Collate(new PromptCollator(Config) { ReturnAudioInTokens = false }, null, new AudioCodes(2, []));
        int at = Array.IndexOf(prompt.InputIds, Special.AudioIn);
        Assert.That(prompt.Rows[at], Is.EqualTo(new PromptRow(PromptRowKind.Padding, Config.PadTokenId, 0)));
        Assert.That(prompt.AudioIn.Codes, Is.Empty);
        Assert.That(prompt.AudioOut.Starts, Is.EqualTo(new[] { 0 }));
    }

    [Test]
    public void Codes_that_are_not_the_model_s_are_refused()
    {
        AudioCodes good = new(2, [1, 2, 3, 4]);
        Assert.Multiple(() =>
        {
            AssertRefused("2 clips", good);
            AssertRefused("clip 1", good, null);
            AssertRefused("3 codebooks", good, new AudioCodes(3, [1, 2, 3]));
            AssertRefused("code 10 in codebook 1 at frame 1", new AudioCodes(2, [1, 2, 3, 10]), good);
            AssertRefused("code 9 in codebook 0 at frame 1", new AudioCodes(2, [1, 9, 3, 4]), good);
        });

        static void AssertRefused(string problem, params AudioCodes?[] clips) =>
            Assert.That(() => Collate(new PromptCollator(Config), clips), Throws.ArgumentException.With.Message.Contains(problem));
    }

    [Test]
    public void Special_tokens_that_are_missing_or_not_the_model_s_are_named()
    {
        Assert.That(SpecialTokens.From(Tokenizer, Config), Is.EqualTo(Special));
        Assert.That(() => SpecialTokens.From(Tokenizer, Config with { AudioInTokenId = 1, AudioEosTokenId = 2 }),
            Throws.InstanceOf<CheckpointException>().With.Message.Contains("<|AUDIO|>").And.Message.Contains("<|audio_eos|>"));
        Assert.That(() => SpecialTokens.From(Tokenizer, Config with { VocabSize = 3 }), Throws.InstanceOf<CheckpointException>());
        using var file = new TokenizerCopy(json =>
            json["added_tokens"]!.AsArray().RemoveAll(token => (string)token!["content"]! is "<|AUDIO|>" or "<|eom_id|>"));
        Assert.That(() => SpecialTokens.From(TextTokenizer.Load(file.Path)),
            Throws.InstanceOf<CheckpointException>().With.Message.Contains("<|eom_id|>, <|AUDIO|>").And.Message.Contains(file.Path));
    }

    private static Prompt Collate(PromptCollator collator, params AudioCodes?[] clips)
    {
        var sample = new ChatMLSample(new Message("user", AudioContent.Placeholder), new Message("assistant", AudioContent.Placeholder));
        return collator.Collate(new PromptBuilder(Tokenizer, Special).Build(sample), clips);
    }
}
