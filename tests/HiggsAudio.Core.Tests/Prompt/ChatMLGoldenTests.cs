using System.Text.Json;
using System.Text.RegularExpressions;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

/// <summary>utils/chatml_collator_merge.json: samples as tokens, collated, and merged with their audio.</summary>
public class ChatMLGoldenTests
{
    private static readonly string[] Roles = ["system", "user", "assistant", "ipython"];

    private static IEnumerable<(string Folder, string Tokenizer, string Name, JsonElement Item, bool Refused)> Cases() =>
        Tokenizers.Cases("chatml_collator_merge.json").Select(c => (c.Folder, c.Tokenizer, c.Item.GetProperty("name").GetString()!, c.Item,
            c.Item.GetProperty("sample").GetProperty("messages").EnumerateArray().Any(m => !Roles.Contains(m.GetProperty("role").GetString()))));

    public static IEnumerable<TestCaseData> Samples() =>
        Cases().Where(c => !c.Refused).Select(c => new TestCaseData(c.Tokenizer, c.Item).SetArgDisplayNames(Golden.Display(c.Folder), c.Name));

    public static IEnumerable<TestCaseData> RefusedSamples() =>
        Cases().Where(c => c.Refused).Select(c => new TestCaseData(c.Item).SetArgDisplayNames(Golden.Display(c.Folder), c.Name));

    public static IEnumerable<TestCaseData> CollatedSamples() => Variants("collated");

    public static IEnumerable<TestCaseData> MergedSamples() => Variants("merged");

    private static IEnumerable<TestCaseData> Variants(string member) =>
        Cases().Where(c => !c.Refused).SelectMany(c => c.Item.GetProperty(member).EnumerateObject().Select(variant =>
            new TestCaseData(c.Tokenizer, c.Item, variant.Name).SetArgDisplayNames(Golden.Display(c.Folder), c.Name, variant.Name)));

    [TestCaseSource(nameof(Samples))]
    public void A_sample_has_the_tokens_and_labels_of_the_reference(string tokenizer, JsonElement item)
    {
        PromptTokens tokens = Build(tokenizer, item);
        Assert.Multiple(() =>
        {
            Assert.That(tokens.InputIds, Is.EqualTo(item.GetProperty("input_tokens").Ints()));
            Assert.That(tokens.LabelIds, Is.EqualTo(item.GetProperty("label_tokens").Ints()));
            Assert.That(tokens.Audio, Has.Count.EqualTo(item.GetProperty("n_audio").GetInt32()));
            Assert.That(ChatMLSample.FromJson(item.GetProperty("sample")).Speaker, Is.EqualTo(item.GetProperty("speaker_id").GetString()));
            Assert.That(Tokenizers.Load(tokenizer).Decode(tokens.InputIds), Is.EqualTo(item.GetProperty("decoded").GetString()));
        });
    }

    [TestCaseSource(nameof(RefusedSamples))]
    public void A_role_that_the_model_does_not_know_is_refused_by_name(JsonElement item)
    {
        JsonElement sample = item.GetProperty("sample");
        string unknown = sample.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("role").GetString()!).First(role => !Roles.Contains(role));
        Assert.That(() => ChatMLSample.FromJson(sample), Throws.InstanceOf<JsonException>().With.Message.Contains($"'{unknown}'"));
    }

    [TestCaseSource(nameof(CollatedSamples))]
    public void Clips_are_collated_like_the_reference_does(string tokenizer, JsonElement item, string variant)
    {
        JsonElement expected = item.GetProperty("collated").GetProperty(variant);
        HiggsAudioConfig config = Config(tokenizer, item) with { UseDelayPattern = Regex.IsMatch(variant, "delay=True") };
        bool returnAudioIn = Regex.IsMatch(variant, "return_audio_in=True");
        Prompt prompt = new PromptCollator(config) { ReturnAudioInTokens = returnAudioIn }.Collate(Build(tokenizer, item), Clips(item));
        Assert.Multiple(() =>
        {
            Assert.That(prompt.InputIds, Is.EqualTo(expected.GetProperty("input_ids").Ints()));
            Assert.That(expected.GetProperty("attention_mask").Ints(), Is.EqualTo(Enumerable.Repeat(1, prompt.InputIds.Length)));
            Assert.That(Rows(prompt.AudioIn), Is.EqualTo(Rows(expected.GetProperty("audio_in_ids"), config.AudioNumCodebooks)));
            Assert.That(prompt.AudioIn.Starts, Is.EqualTo(Starts(expected.GetProperty("audio_in_ids_start"))));
            Assert.That(Rows(prompt.AudioOut), Is.EqualTo(Rows(expected.GetProperty("audio_out_ids"), config.AudioNumCodebooks)));
            Assert.That(prompt.AudioOut.Starts, Is.EqualTo(Starts(expected.GetProperty("audio_out_ids_start"))));
        });
    }

    [TestCaseSource(nameof(MergedSamples))]
    public void Rows_are_laid_out_like_the_reference_merges_them(string tokenizer, JsonElement item, string variant)
    {
        JsonElement expected = item.GetProperty("merged").GetProperty(variant);
        HiggsAudioConfig config = Config(tokenizer, item);
        PromptRow[] rows = new PromptCollator(config).Collate(Build(tokenizer, item), Clips(item)).Rows;

        // The reference pads to a multiple of round_to; we do not.
        int roundTo = int.Parse(Regex.Match(variant, @"round_to=(\d+)").Groups[1].Value), padding = (roundTo - rows.Length % roundTo) % roundTo;
        bool left = Regex.IsMatch(variant, "left=True");
        int[] position = [.. Enumerable.Range(0, rows.Length)];
        Assert.Multiple(() =>
        {
            Assert.That(Padded(rows.Select(row => row.Id), config.PadTokenId), Is.EqualTo(expected.GetProperty("input_ids").Ints()));
            Assert.That(Padded(rows.Select(row => 1), 0), Is.EqualTo(expected.GetProperty("attention_mask").Ints()));
            Assert.That(Padded(position, 1), Is.EqualTo(expected.GetProperty("position_ids").Ints()));
            Assert.That(Padded(Mask(PromptRowKind.AudioIn), 0), Is.EqualTo(expected.GetProperty("audio_in_mask").Ints()));
            Assert.That(Padded(Mask(PromptRowKind.AudioOut), 0), Is.EqualTo(expected.GetProperty("audio_out_mask").Ints()));
        });

        IEnumerable<int> Mask(PromptRowKind kind) => rows.Select(row => row.Kind == kind ? 1 : 0);

        IEnumerable<int> Padded(IEnumerable<int> values, int pad) =>
            left ? Enumerable.Repeat(pad, padding).Concat(values) : values.Concat(Enumerable.Repeat(pad, padding));
    }

    private static PromptTokens Build(string tokenizer, JsonElement item)
    {
        TextTokenizer loaded = Tokenizers.Load(tokenizer);
        return new PromptBuilder(loaded, SpecialTokens.From(loaded)).Build(ChatMLSample.FromJson(item.GetProperty("sample")));
    }

    private static AudioCodes[] Clips(JsonElement item) =>
        [.. item.GetProperty("audio_codes").EnumerateArray().Select(clip => AudioCodes.FromRows([.. clip.EnumerateArray().Select(row => row.Ints())]))];

    // BOS and EOS are not in the file: they are the first and the last column of a clip that is not delayed.
    private static HiggsAudioConfig Config(string tokenizer, JsonElement item)
    {
        SpecialTokens special = SpecialTokens.From(Tokenizers.Load(tokenizer));
        AudioCodes[] clips = Clips(item);
        JsonElement collated = item.GetProperty("collated").GetProperty("return_audio_in=True,delay=False");
        int[] row = [.. new[] { "audio_in_ids", "audio_out_ids" }.Select(name => collated.GetProperty(name))
            .Where(ids => ids.ValueKind == JsonValueKind.Array && ids.GetArrayLength() > 0).Select(ids => ids[0].Ints()).FirstOrDefault([64, 65])];
        return new HiggsAudioConfig
        {
            AudioInTokenId = special.AudioIn,
            AudioOutTokenId = special.AudioOut,
            PadTokenId = special.EndOfText,
            AudioNumCodebooks = clips.Length > 0 ? clips[0].Codebooks : 8,
            AudioStreamBosId = row[0],
            AudioStreamEosId = row[^1],
            CodebookSize = Math.Max(row[0], row[^1]) + 1,
            UseDelayPattern = true,
        };
    }

    private static int[][] Rows(PromptClips clips) =>
        [.. Enumerable.Range(0, clips.Codebooks).Select(c => Enumerable.Range(0, clips.Columns).Select(t => clips.Column(t)[c]).ToArray())];

    // [] and null both stand for no columns.
    private static int[][] Rows(JsonElement ids, int codebooks) =>
        ids.ValueKind == JsonValueKind.Array && ids.GetArrayLength() > 0
            ? [.. ids.EnumerateArray().Select(row => row.Ints())]
            : [.. Enumerable.Repeat(Array.Empty<int>(), codebooks)];

    private static int[] Starts(JsonElement starts) => starts.ValueKind == JsonValueKind.Array ? starts.Ints() : [];
}
