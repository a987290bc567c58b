using System.Text;
using System.Text.Json;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

public class TextTokenizerTests
{
    // Made with the Rust library from the published tokenizer.json.
    private static readonly (string Text, int[] Ids)[] PublishedIds =
    [
        ("Hello world", [9906, 1917]),
        ("The sun rises in the east and sets in the west.", [791, 7160, 38268, 304, 279, 11226, 323, 7437, 304, 279, 9909, 13]),
        ("<SE>[Laughter]</SE>", [128022, 58, 8921, 7490, 60, 128023]),
        ("大家好, 我是火星人。 12345  \n\n x", [109429, 53901, 11, 106026, 21043, 80699, 78519, 17792, 1811, 220, 4513, 1774, 19124, 865]),
        ("<|audio_out_bos|><|AUDIO_OUT|><|audio_eos|>", [128013, 128016, 128012]),
        ("𝐀𝐁 x", [57352, 238, 222, 57352, 238, 223, 865]),
        ("<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nGenerate audio following instruction.\n\n<|scene_desc_start|>\n" +
            "Audio is recorded from a quiet room.\n<|scene_desc_end|><|eot_id|><|start_header_id|>user<|end_header_id|>\n\n" +
            "The sun rises in the east and sets in the west.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n<|audio_out_bos|>",
            [128000, 128006, 9125, 128007, 271, 32215, 7855, 2768, 7754, 382, 128018, 198, 15097, 374, 12715, 505, 264, 11594, 3130, 627, 128019, 128009,
                128006, 882, 128007, 271, 791, 7160, 38268, 304, 279, 11226, 323, 7437, 304, 279, 9909, 13, 128009, 128006, 78191, 128007, 271, 128013]),
    ];

    public static IEnumerable<TestCaseData> GoldenTexts()
    {
        foreach ((string folder, string tokenizer, int index, JsonElement item) in Tokenizers.Cases("tokenizer_cases.json"))
        {
            if (!item.TryGetProperty("text", out JsonElement text))   // only ids to decode
                continue;
            yield return new TestCaseData(tokenizer, text.GetString(), item.GetProperty("ids").Ints()).SetArgDisplayNames(Golden.Display(folder), $"{index}");
        }
        if (Tokenizers.Folders.Contains(Tokenizers.Published))
            for (int i = 0; i < PublishedIds.Length; i++)
                yield return new TestCaseData(Tokenizers.Published, PublishedIds[i].Text, PublishedIds[i].Ids).SetArgDisplayNames("published", $"{i}");
    }

    public static IEnumerable<TestCaseData> GoldenDecodings() =>
        Tokenizers.Cases("tokenizer_cases.json").Select(c => new TestCaseData(c.Tokenizer, c.Item).SetArgDisplayNames(Golden.Display(c.Folder), $"{c.Index}"));

    [TestCaseSource(nameof(GoldenTexts))]
    public void A_text_has_the_ids_of_the_reference(string tokenizer, string text, int[] ids)
    {
        Assert.That(Tokenizers.Load(tokenizer).Encode(text), Is.EqualTo(ids));
        var list = new List<int> { -1 };
        Tokenizers.Load(tokenizer).EncodeTo(text, list);
        Assert.That(list, Is.EqualTo(ids.Prepend(-1)));
    }

    [TestCaseSource(nameof(GoldenDecodings))]
    public void Ids_have_the_text_of_the_reference(string folder, JsonElement item)
    {
        TextTokenizer tokenizer = Tokenizers.Load(folder);
        int[] ids = item.GetProperty("ids").Ints();
        if (item.TryGetProperty("ids_with_special", out JsonElement withSpecial))
            Assert.That(tokenizer.Encode(item.GetProperty("text").GetString()!, addSpecialTokens: true), Is.EqualTo(withSpecial.Ints()));
        Assert.That(tokenizer.Decode(ids), Is.EqualTo(item.GetProperty("decoded").GetString()));
        Assert.That(tokenizer.Decode(ids, skipSpecialTokens: true), Is.EqualTo(item.GetProperty("decoded_skip_special").GetString()));
    }

    [TestCaseSource(typeof(Tokenizers), nameof(Tokenizers.All))]
    public void Decoding_id_by_id_gives_the_text_of_all_ids(string folder)
    {
        TextTokenizer tokenizer = Tokenizers.Load(folder);
        var random = new Random(1);
        for (int round = 0; round < 400; round++)
        {
            // Ids of single bytes make broken and torn characters likely.
            int[] ids = [.. Enumerable.Range(0, random.Next(60)).Select(_ => random.Next(random.Next(2) == 0 ? 256 : tokenizer.VocabularySize + 3))];
            bool skip = round % 2 == 1;
            IncrementalDecoder decoder = tokenizer.CreateIncrementalDecoder(skip);
            var text = new StringBuilder();
            foreach (int id in ids)
                text.Append(decoder.Append(id));
            Assert.That(text.Append(decoder.Flush()).ToString(), Is.EqualTo(tokenizer.Decode(ids, skip)));
        }
    }

    [TestCaseSource(typeof(Tokenizers), nameof(Tokenizers.All))]
    public void Decoding_waits_for_the_end_of_a_character(string folder)
    {
        TextTokenizer tokenizer = Tokenizers.Load(folder);
        int[] bytes = [.. "Ã±".Concat("ðŁĺĢ").Select(c => tokenizer.TokenToId(c.ToString())!.Value)];   // the bytes of ñ and 😀
        IncrementalDecoder decoder = tokenizer.CreateIncrementalDecoder();
        Assert.That(bytes.Select(decoder.Append), Is.EqualTo(new[] { "", "ñ", "", "", "", "😀" }));
        decoder.Append(bytes[0]);
        Assert.That(decoder.Flush(), Is.EqualTo("\uFFFD"));
        Assert.That(decoder.Flush(), Is.Empty);
    }

    [TestCaseSource(typeof(Tokenizers), nameof(Tokenizers.All))]
    public void Any_text_survives_encoding_and_decoding(string folder)
    {
        TextTokenizer tokenizer = Tokenizers.Load(folder);
        var random = new Random(2);
        for (int round = 0; round < 300; round++)
        {
            string text = RandomText(random, random.Next(120));
            Assert.That(tokenizer.Decode(tokenizer.Encode(text)), Is.EqualTo(text));
        }
    }

    [TestCaseSource(typeof(Tokenizers), nameof(Tokenizers.All))]
    public void Encoding_from_many_threads_gives_the_same_ids(string folder)
    {
        TextTokenizer tokenizer = Tokenizers.Load(folder);
        string text = RandomText(new Random(3), 2000);
        int[] ids = tokenizer.Encode(text);
        Parallel.For(0, 16, _ => Assert.That(tokenizer.Encode(text), Is.EqualTo(ids)));
    }

    [Test]
    public void Long_and_strange_texts_are_encoded(
        [Values("a", "é", " ", "\n", " \n", "<", "<|", "<|eot_id|", "'", "'s", "1", "=", "😀", "𝐀", "\uD83D", "\uDE00", "\0", "a 1!",
            "<|eot_id|>")] string unit)
    {
        TextTokenizer tokenizer = Tokenizers.Load(Tokenizers.Folders.First());
        string text = string.Concat(Enumerable.Repeat(unit, 1_000_000 / unit.Length));
        string expected = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));   // lone surrogates become U+FFFD
        Assert.That(tokenizer.Decode(tokenizer.Encode(text)) == expected);
    }

    [Test]
    public void A_lone_half_of_a_surrogate_pair_is_encoded_as_the_replacement_character()
    {
        TextTokenizer tokenizer = Tokenizers.Load(Tokenizers.Folders.First());
        Assert.That(tokenizer.Encode("x\uD83D y\uDE00"), Is.EqualTo(tokenizer.Encode("x\uFFFD y\uFFFD")));
    }

    [TestCaseSource(typeof(Tokenizers), nameof(Tokenizers.All))]
    public void Tokens_have_ids_and_ids_have_tokens(string folder)
    {
        TextTokenizer tokenizer = Tokenizers.Load(folder);
        for (int id = 0; id < tokenizer.VocabularySize; id++)
            if (tokenizer.IdToToken(id) is { } token)
                Assert.That(tokenizer.TokenToId(token), Is.EqualTo(id));
        Assert.That(tokenizer.TokenToId("no such token"), Is.Null);
        Assert.That(tokenizer.IdToToken(-1), Is.Null);
        Assert.That(tokenizer.IdToToken(tokenizer.VocabularySize), Is.Null);
        Assert.That(tokenizer.Decode([-1, int.MaxValue]), Is.Empty);
        Assert.That(tokenizer.SpecialTokens["<|eot_id|>"], Is.EqualTo(tokenizer.TokenToId("<|eot_id|>")));
        Assert.That(tokenizer.SpecialTokens.Values, Has.All.Matches<int>(tokenizer.IsSpecial));
        Assert.That(tokenizer.IsSpecial(0), Is.False);
    }

    internal static string RandomText(Random random, int length)
    {
        string[] parts = ["<|eot_id|>", "<|", "'s", "'LL", "   ", "\r\n", "\n\n", " the", "ing", "SPEAKER0"];
        var text = new StringBuilder();
        for (int i = 0; i < length; i++)
            _ = random.Next(8) switch
            {
                0 => text.Append(parts[random.Next(parts.Length)]),
                1 => text.Append(RandomRune(random, 0x3000).ToString()),
                2 => text.Append(RandomRune(random, 0x1FFFF).ToString()),
                3 => text.Append((char)random.Next('0', '9' + 1)),
                4 => text.Append(" \t\n\u00A0"[random.Next(4)]),
                _ => text.Append((char)random.Next('a', 'z' + 1)),
            };
        return text.ToString();
    }

    private static Rune RandomRune(Random random, int limit)
    {
        int value = random.Next(limit);
        return Rune.IsValid(value) ? new Rune(value) : Rune.ReplacementChar;
    }
}
