using System.Text.Json.Nodes;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

public class TokenizerFileTests
{
    // What is changed in the fixtures' tokenizer.json, and what the message must name.
    private static readonly (string Name, Action<JsonNode> Change, string Place)[] Broken =
    [
        ("no model", j => j.AsObject().Remove("model"), "model: is missing"),
        ("model is a list", j => j["model"] = new JsonArray(), "model: expected an object"),
        ("other model", j => j["model"]!["type"] = "Unigram", "model.type: is \"Unigram\""),
        ("dropout", j => j["model"]!["dropout"] = 0.1, "model.dropout"),
        ("prefix", j => j["model"]!["continuing_subword_prefix"] = "##", "model.continuing_subword_prefix"),
        ("suffix", j => j["model"]!["end_of_word_suffix"] = "</w>", "model.end_of_word_suffix"),
        ("ignore_merges", j => j["model"]!["ignore_merges"] = 1, "model.ignore_merges"),
        ("no vocabulary", j => j["model"]!.AsObject().Remove("vocab"), "model.vocab"),
        ("no merges", j => j["model"]!.AsObject().Remove("merges"), "model.merges"),
        ("id is text", j => j["model"]!["vocab"]!["a"] = "64", "model.vocab['a']"),
        ("id is huge", j => j["model"]!["vocab"]!["a"] = int.MaxValue, "model.vocab: id 2147483647"),
        ("id is negative", j => j["model"]!["vocab"]!["a"] = -1, "model.vocab: id -1"),
        ("id is given twice", j => j["model"]!["vocab"]!["a"] = 65, "model.vocab: id 65"),
        ("no token for a byte", j => j["model"]!["vocab"]!.AsObject().Remove("Ġ"), "model.merges[0]"),
        ("no token for an unmerged byte", j => { j["model"]!["vocab"]!.AsObject().Remove("Ā"); }, "for the byte 0x00"),
        ("merges are an object", j => j["model"]!["merges"] = new JsonObject(), "model.merges"),
        ("merge of one", j => j["model"]!["merges"]![3] = "ab", "model.merges[3]"),
        ("merge of three", j => j["model"]!["merges"]![3] = "a b c", "model.merges[3]"),
        ("merge of one in a list", j => j["model"]!["merges"]![3] = new JsonArray("a"), "model.merges[3]"),
        ("merge of three in a list", j => j["model"]!["merges"]![3] = new JsonArray("a", "b", "c"), "model.merges[3]"),
        ("merge of numbers", j => j["model"]!["merges"]![3] = new JsonArray(1, 2), "model.merges[3]"),
        ("merge is unknown", j => j["model"]!["merges"]![3] = "Q Z", "model.merges[3]: 'Q' and 'Z'"),
        ("normalizer", j => j["normalizer"] = new JsonObject { ["type"] = "NFKC" }, "normalizer: is 'NFKC'"),
        ("no pre-tokenizer", j => j["pre_tokenizer"] = null, "pre_tokenizer: is missing"),
        ("other pre-tokenizer", j => j["pre_tokenizer"]!["type"] = "Metaspace", "pre_tokenizer.type: is 'Metaspace'"),
        ("split removes", j => Split(j)["behavior"] = "Removed", "pre_tokenizer.pretokenizers[0].behavior: is 'Removed'"),
        ("no pattern", j => Split(j)["pattern"] = new JsonObject(), "pre_tokenizer.pretokenizers[0].pattern.Regex"),
        ("broken pattern", j => Split(j)["pattern"]!["Regex"] = "(", "pre_tokenizer.pretokenizers[0].pattern.Regex"),
        ("prefix space", j => j["pre_tokenizer"]!["pretokenizers"]![1]!["add_prefix_space"] = true, "pretokenizers[1].add_prefix_space"),
        ("other post-processor", j => j["post_processor"] = new JsonObject { ["type"] = "BertProcessing" }, "post_processor.type: is 'BertProcessing'"),
        ("template of two texts", j => Template(j).Add(new JsonObject { ["Sequence"] = new JsonObject() }), "post_processor.processors[1].single[2]"),
        ("template of an unknown token", j => Template(j)[0]!["SpecialToken"]!["id"] = "x", "special_tokens.x"),
        ("template of an unknown id", j => j["post_processor"]!["processors"]![1]!["special_tokens"]!["<|begin_of_text|>"]!["ids"]![0] = 9999, "ids[0]"),
        ("other decoder", j => j["decoder"] = new JsonObject { ["type"] = "Metaspace" }, "decoder.type: is 'Metaspace'"),
        ("no decoder", j => j["decoder"] = null, "decoder: is missing"),
        ("added tokens are an object", j => j["added_tokens"] = new JsonObject(), "added_tokens: expected an array"),
        ("added token is empty", j => j["added_tokens"]![2]!["content"] = "", "added_tokens[2].content"),
        ("added token has no id", j => j["added_tokens"]![2]!.AsObject().Remove("id"), "added_tokens[2].id"),
        ("added token has a broken id", j => j["added_tokens"]![2]!["id"] = 1.5, "added_tokens[2].id"),
        ("added token has another's id", j => j["added_tokens"]![2]!["id"] = 5, "added_tokens: id 5"),
        ("added token has two ids", j => j["added_tokens"]![2]!["content"] = "a", "added_tokens[2].id"),
        ("added token has a broken flag", j => j["added_tokens"]![2]!["lstrip"] = 1, "added_tokens[2].lstrip"),
    ];

    public static IEnumerable<TestCaseData> BrokenFiles() => Broken.Select((c, i) => new TestCaseData(i).SetArgDisplayNames(c.Name));

    [TestCaseSource(nameof(BrokenFiles))]
    public void What_is_broken_or_not_supported_is_named_with_its_place(int index)
    {
        using var file = new TokenizerCopy(Broken[index].Change);
        Assert.That(() => TextTokenizer.Load(file.Path),
            Throws.InstanceOf<CheckpointException>().With.Message.StartsWith(file.Path + ": ").And.Message.Contains(Broken[index].Place));
    }

    [TestCase("")]
    [TestCase("x")]
    [TestCase("[]")]
    [TestCase("{")]
    [TestCase("{}")]
    [TestCase("""{"model":""")]
    [TestCase("""{"model":{"vocab":{"a":0,"\ud800":1},"merges":[]}}""")]
    [TestCase("""{"model":{"merges":["\ud800 a"],"vocab":{"a":0}}}""")]
    [TestCase("""{"model":{"vocab":{"a":0,"a":1},"merges":[]}}""")]
    [TestCase("""{"model":{"vocab":{},"merges":[]}}""")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]}} x""")]
    public void What_is_not_a_tokenizer_is_refused(string json)
    {
        using var file = new TokenizerCopy(json);
        Assert.That(() => TextTokenizer.Load(file.Path), Throws.InstanceOf<CheckpointException>().With.Message.StartsWith(file.Path + ": "));
    }

    [Test]
    public void A_file_that_ends_anywhere_is_refused()
    {
        string json = File.ReadAllText(Path.Combine(Golden.Folders("tokenizer")[0], "tokenizer.json")).TrimEnd();
        for (int length = 0; length < json.Length; length += 97)
        {
            using var file = new TokenizerCopy(json[..length]);
            Assert.That(() => TextTokenizer.Load(file.Path), Throws.InstanceOf<CheckpointException>());
        }
    }

    [Test]
    public void A_file_that_is_not_there_is_named()
    {
        string folder = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString());
        Assert.That(() => TextTokenizer.Load(folder), Throws.InstanceOf<CheckpointException>().With.Message.Contains(folder));
        Directory.CreateDirectory(folder);
        Assert.That(() => TextTokenizer.Load(folder), Throws.InstanceOf<CheckpointException>().With.Message.Contains("tokenizer.json"));
        Directory.Delete(folder);
    }

    [TestCaseSource(typeof(Tokenizers), nameof(Tokenizers.All))]
    public void Both_ways_to_write_merges_give_the_same_ids(string folder)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!;
        JsonNode[] merges = [.. json["model"]!["merges"]!.AsArray().Select(merge => merge is JsonArray pair
            ? (JsonNode)$"{pair[0]} {pair[1]}"
            : new JsonArray([.. merge!.GetValue<string>().Split(' ').Select(part => (JsonNode)part)]))];
        json["model"]!["merges"] = new JsonArray(merges);
        JsonNode vocabulary = json["model"]!["vocab"]!.DeepClone();   // and merges before the vocabulary
        json["model"]!.AsObject().Remove("vocab");
        json["model"]!["vocab"] = vocabulary;
        using var file = new TokenizerCopy(json.ToJsonString());
        (TextTokenizer tokenizer, TextTokenizer other) = (Tokenizers.Load(folder), TextTokenizer.Load(file.Path));
        var random = new Random(4);
        for (int round = 0; round < 200; round++)
        {
            string text = TextTokenizerTests.RandomText(random, 100);
            Assert.That(other.Encode(text), Is.EqualTo(tokenizer.Encode(text)));
        }
    }

    [Test]
    public void A_byte_order_mark_is_skipped()
    {
        string json = File.ReadAllText(Path.Combine(Golden.Folders("tokenizer")[0], "tokenizer.json"));
        using var file = new TokenizerCopy("\uFEFF" + json);
        Assert.That(TextTokenizer.Load(file.Path).Encode("Hello"), Is.EqualTo(new[] { 39, 68, 75, 75, 78 }));
    }

    private static JsonNode Split(JsonNode json) => json["pre_tokenizer"]!["pretokenizers"]![0]!;

    private static JsonArray Template(JsonNode json) => json["post_processor"]!["processors"]![1]!["single"]!.AsArray();
}
