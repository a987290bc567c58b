using System.Text.Json;
using HiggsAudio.Prompts.BytePair;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

public class TextSplitterTests
{
    private static readonly TextSplitter Llama3 = new Llama3Splitter(), Gpt2 = new Gpt2Splitter();

    [Test]
    public void The_scanners_split_like_their_patterns()
    {
        (TextSplitter Scanner, string Pattern)[] pairs = [(Llama3, Llama3Splitter.Pattern), (Gpt2, Gpt2Splitter.Pattern)];
        var random = new Random(5);
        for (int round = 0; round < 2000; round++)
        {
            // .NET's patterns know no letters beyond the basic plane, and do not fold the long s.
            string text = string.Concat(TextTokenizerTests.RandomText(random, 60).Where(c => !char.IsSurrogate(c) && c != 'ſ'));
            foreach ((TextSplitter scanner, string pattern) in pairs)
                Assert.That(Pieces(scanner, text), Is.EqualTo(Pieces(new RegexSplitter(pattern), text)));
        }
    }

    [TestCase("𝐀𝐁 x", "𝐀𝐁", " x")]              // mathematical letters are letters
    [TestCase("a𠀀b 𠀀", "a𠀀b", " 𠀀")]          // so are ideographs beyond the basic plane
    [TestCase("😀a 😀!", "😀a", " 😀!")]           // an emoji goes with the word after it
    [TestCase("😀😀1", "😀😀", "1")]
    [TestCase("𝟏𝟐𝟑𝟒", "𝟏𝟐𝟑", "𝟒")]              // mathematical digits are numbers
    [TestCase("it'ſ IT'S we'Ll'x", "it", "'ſ", " IT", "'S", " we", "'Ll", "'x")]
    [TestCase("a  b \n c\n\n", "a", " ", " b", " \n", " c", "\n\n")]
    [TestCase("1234567", "123", "456", "7")]
    [TestCase("!\r\n\n x", "!\r\n\n", " x")]
    [TestCase("\u3000x \t\u00A0", "\u3000x", " \t\u00A0")]
    public void Text_is_split_like_llama_3_does(string text, params string[] pieces) => Assert.That(Pieces(Llama3, text), Is.EqualTo(pieces));

    [TestCase("it's IT'S 12345 𝟏𝟐 𝐀!  x", "it", "'s", " IT", "'", "S", " 12345", " 𝟏𝟐", " 𝐀", "!", " ", " x")]
    [TestCase("a\n\n b  ", "a", "\n\n", " b", "  ")]
    public void Text_is_split_like_gpt_2_does(string text, params string[] pieces) => Assert.That(Pieces(Gpt2, text), Is.EqualTo(pieces));

    [Test]
    public void Patterns_with_gaps_empty_matches_and_surrogates_lose_nothing(
        [Values(@"\d+", "", "x*", @"(?=b)", @"[^a]", @"\p{Cs}", @"(?<=a)b", "b$")] string pattern)
    {
        var splitter = new RegexSplitter(pattern);
        var random = new Random(6);
        for (int round = 0; round < 100; round++)
        {
            string text = TextTokenizerTests.RandomText(random, 30) + "aab 12xx";
            string[] pieces = Pieces(splitter, text);
            Assert.That(string.Concat(pieces), Is.EqualTo(text));
            Assert.That(pieces, Has.None.Matches<string>(piece => char.IsLowSurrogate(piece[0]) || char.IsHighSurrogate(piece[^1])));
        }
    }

    [Test]
    public void Pieces_of_any_length_are_merged_in_the_order_of_the_merges()
    {
        string folder = Golden.Folders("tokenizer")[0];
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        JsonElement merges = json.RootElement.GetProperty("model").GetProperty("merges");
        string[] ordered = [.. merges.EnumerateArray().Select(merge =>
            merge.ValueKind == JsonValueKind.String ? merge.GetString()! : $"{merge[0]} {merge[1]}")];
        var random = new Random(7);
        foreach (int length in new[] { 2, 5, 20, 127, 128, 129, 200, 700 })
            for (int round = 0; round < 10; round++)
            {
                // Letters of merges, so that there is much to merge and much that overlaps.
                string piece = string.Concat(Enumerable.Range(0, length).Select(_ => "theinrson"[random.Next(9)]));
                List<string> tokens = [.. piece.Select(c => c.ToString())];
                foreach (string merge in ordered)
                    for (int i = 0; i + 1 < tokens.Count; i++)
                        if (merge == $"{tokens[i]} {tokens[i + 1]}")
                        {
                            tokens[i] += tokens[i + 1];
                            tokens.RemoveAt(i + 1);
                        }
                TextTokenizer tokenizer = Tokenizers.Load(folder);
                Assert.That(tokenizer.Encode(piece).Select(tokenizer.IdToToken), Is.EqualTo(tokens));
            }
    }

    private static string[] Pieces(TextSplitter splitter, string text)
    {
        var pieces = new List<string>();
        for (int start = 0, end; start < text.Length; start = end)
            pieces.Add(text[start..(end = splitter.PieceEnd(text, start))]);
        return [.. pieces];
    }
}
