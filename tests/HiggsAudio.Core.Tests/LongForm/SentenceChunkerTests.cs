using NUnit.Framework;

namespace HiggsAudio.Core.Tests.LongForm;

internal sealed class SentenceChunkerTests
{
    private static string[] Chunk(string text, int maxWords, int maxTurns = 1) =>
        [.. TranscriptChunker.Chunk(text, new ChunkOptions { MaxWords = maxWords, MaxTurns = maxTurns }).Select(c => c.Text)];

    [TestCase("One two three. Four five six! Seven eight?", 4, "One two three.|Four five six!|Seven eight?")]
    [TestCase("One two three. Four five six! Seven eight?", 6, "One two three. Four five six!|Seven eight?")]
    [TestCase("One two three. Four five six! Seven eight?", 100, "One two three. Four five six! Seven eight?")]
    [TestCase("He met Dr. Smith and J. Doe. They spoke.", 8, "He met Dr. Smith and J. Doe.|They spoke.")]
    [TestCase("\"Go!\" he said. \"Now!\" She went.", 4, "\"Go!\" he said. \"Now!\"|She went.")]
    [TestCase("It costs 3.14 dollars, or more, they say.", 4, "It costs 3.14 dollars,|or more, they say.")]
    [TestCase("one two three four five six seven", 3, "one two three|four five six|seven")]
    [TestCase("A line.\nAnother line here. And more\nThe third line.", 6, "A line.|Another line here. And more|The third line.")]
    [TestCase("Wait... what is it? Nothing.", 3, "Wait... what is|it? Nothing.")]
    public void English_is_divided_between_sentences_then_clauses_then_words(string text, int maxWords, string chunks) =>
        Assert.That(Chunk(text, maxWords), Is.EqualTo(chunks.Split('|')));

    [TestCase("大家好，欢迎收听本期的节目。今天我们聊学习。", 8, "大家好，欢迎收听本期的节目。|今天我们聊学习。")]
    [TestCase("大家好，欢迎收听本期的节目。今天我们聊学习。", 4, "大家好，|欢迎收听本期的节|目。今天我们聊学习。")]
    [TestCase("你好 世界 .今天25 degrees Celsius!", 3, "你好 世界 .|今天25 degrees|Celsius!")]
    [TestCase("これはペンです。あれは本です。", 4, "これはペンです。|あれは本です。")]
    public void Chinese_and_Japanese_are_divided_by_their_marks_without_spaces(string text, int maxWords, string chunks) =>
        Assert.That(Chunk(text, maxWords), Is.EqualTo(chunks.Split('|')));

    [Test]
    public void Tags_are_never_divided_and_closing_ones_stay_with_their_text()
    {
        const string Text = "<SE_s>[Music]</SE_s> la la la <SE_e>[Music]</SE_e> and <SE>[Loud Laughter]</SE> more [some odd tag] words <|scene_desc_start|> here";
        foreach (int maxWords in Enumerable.Range(1, 20))
        {
            string[] chunks = Chunk(Text, maxWords);
            Assert.That(string.Join(' ', chunks), Is.EqualTo(Text));
            foreach (string tag in new[] { "<SE_s>[Music]</SE_s>", "la <SE_e>[Music]</SE_e>", "<SE>[Loud Laughter]</SE>", "[some odd tag]" })
                Assert.That(chunks.Count(c => c.Contains(tag, StringComparison.Ordinal)), Is.EqualTo(1), $"{tag} with {maxWords} words");
        }
    }

    [Test]
    public void A_turn_is_a_chunk_and_a_long_turn_repeats_its_tag()
    {
        const string Text = "[SPEAKER0] One two three. Four five six.\n[SPEAKER1] Seven.\n[SPEAKER0] Eight. [SPEAKER1] Nine.";
        Assert.That(Chunk(Text, 4), Is.EqualTo(new[]
        {
            "[SPEAKER0] One two three.", "[SPEAKER0] Four five six.", "[SPEAKER1] Seven.", "[SPEAKER0] Eight.", "[SPEAKER1] Nine.",
        }));
        Assert.That(Chunk(Text, 100, maxTurns: 2), Is.EqualTo(new[]
        {
            "[SPEAKER0] One two three. Four five six.\n[SPEAKER1] Seven.", "[SPEAKER0] Eight. [SPEAKER1] Nine.",
        }));
        Assert.That(Chunk("<|speaker_id_start|>SPEAKER0<|speaker_id_end|> One two. Three four.", 2), Is.EqualTo(new[]
        {
            "<|speaker_id_start|>SPEAKER0<|speaker_id_end|> One two.", "<|speaker_id_start|>SPEAKER0<|speaker_id_end|> Three four.",
        }));
    }

    [TestCase("")]
    [TestCase(" \n\t ")]
    public void Nothing_gives_no_chunks(string text) => Assert.That(Chunk(text, 5), Is.Empty);

    [Test]
    public void Marks_alone_are_no_chunk_of_their_own() => Assert.That(Chunk("One two . . . — \"", 2), Is.EqualTo(new[] { "One two . . . — \"" }));

    [Test]
    public void Nothing_is_lost_and_no_chunk_is_too_long_whatever_the_text()
    {
        string[] pieces = ["word", "it's", "e.g.", "Dr.", "3.14", "end.", "What?", "No!", "comma,", "你好", "世界。", "，", "か", "です。", "<SE>[Cough]</SE>", "😀", "—", "\"quoted.\"", "…", "\u3099"];
        string[] spaces = [" ", "  ", "\n", "\n\n", "", "\t"];
        var random = new Random(3);
        for (int round = 0; round < 2000; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(0, 40)).Select(_ => pieces[random.Next(pieces.Length)] + spaces[random.Next(spaces.Length)]));
            int maxWords = random.Next(1, 12);
            IReadOnlyList<TranscriptChunk> chunks = TranscriptChunker.Chunk(text, new ChunkOptions { MaxWords = maxWords });
            Assert.That(string.Concat(chunks.Select(c => c.Text + c.Separator)), Is.EqualTo(text.TrimStart()), $"round {round}");
            Assert.That(chunks.All(c => c.Text.Length > 0 && c.Text.Trim() == c.Text && c.Separator.Trim().Length == 0), $"round {round}");
            Assert.That(chunks.All(c => c.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Count(w => w.Any(char.IsAsciiLetter) && !w.Contains('<', StringComparison.Ordinal) && w.All(char.IsAscii)) <= maxWords), $"round {round}");
        }
    }

    [Test]
    public void A_long_text_without_borders_takes_linear_time() =>
        Assert.That(Chunk(new string('x', 500_000) + string.Concat(Enumerable.Repeat(" <SE>[a]</SE>b", 50_000)), 10), Is.Not.Empty);

    [Test]
    public void Numbers_below_one_are_refused()
    {
        Assert.That(() => Chunk("a", 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Chunk("a", 1, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
