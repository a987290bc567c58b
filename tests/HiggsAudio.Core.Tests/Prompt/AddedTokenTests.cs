using System.Text.Json.Nodes;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

public class AddedTokenTests
{
    // Ids made with the Rust library; 600 … are the tokens in the order they are added here.
    [TestCase("a foo b", 64, 220, 600, 274)]
    [TestCase("foobar _foo foo", 69, 78, 78, 65, 292, 220, 62, 69, 78, 78, 220, 600)]
    [TestCase("a  <L> b", 64, 601, 274)]
    [TestCase("a <R>  b", 64, 220, 602, 65)]
    [TestCase("a <B> <B>\n<B>b", 64, 603, 603, 603, 65)]
    [TestCase("<N>x<N>", 605, 604)]
    [TestCase("<Long><Lo<L>", 607, 606, 601)]
    [TestCase("éaéb c", 608, 127, 102, 609)]
    public void Added_tokens_are_found_as_their_flags_say(string text, params int[] ids)
    {
        using var file = new TokenizerCopy(json =>
        {
            JsonArray tokens = json["added_tokens"]!.AsArray();
            Add("foo", "single_word");
            Add("<L>", "lstrip");
            Add("<R>", "rstrip");
            Add("<B>", "lstrip", "rstrip");
            Add("<N>", "normalized");
            Add("<N>x", "normalized", "special");
            Add("<Lo");
            Add("<Long>");
            Add("éa");
            Add("b c");

            void Add(string content, params string[] flags)
            {
                JsonNode token = tokens[0]!.DeepClone();
                (token["id"], token["content"], token["special"]) = (512 + tokens.Count, content, false);
                foreach (string flag in flags)
                    token[flag] = true;
                tokens.Add(token);
            }
        });
        TextTokenizer tokenizer = TextTokenizer.Load(file.Path);
        Assert.That(tokenizer.Encode(text), Is.EqualTo(ids));
        Assert.That(tokenizer.IsSpecial(605) && !tokenizer.IsSpecial(604));
        Assert.That(tokenizer.TokenToId("b c"), Is.EqualTo(609));
        Assert.That(tokenizer.Decode([609]), Is.EqualTo("b c"));
        Assert.That(tokenizer.Decode([605, 604], skipSpecialTokens: true), Is.EqualTo("<N>"));
    }
}
