using System.Text.Json;
using HiggsAudio.Core.Tests.Generation;
using HiggsAudio.LongForm;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.LongForm;

internal sealed class SpeechScriptTests
{
    // Chunks, pauses as numbers of milliseconds.
    private static string Pieces(string text, SpeakOptions? options = null) =>
        string.Join('|', SpeechScript.Pieces(text, options ?? new SpeakOptions()).Select(p => p.IsPause ? $"{p.Pause.TotalMilliseconds}" : p.Speaker > 0 ? $"{p.Speaker}:{p.Text}" : p.Text));

    [TestCase("One. [pause 0.5] Two.", "One.|500|Two.")]
    [TestCase("One <break time=\"250ms\"/>two", "One.|250|two.")]
    [TestCase("<break time='1.5s' />One.<BREAK TIME=\"2s\"></break>", "1500|One.|2000")]
    [TestCase("One. [pause 100 ms][PAUSE 3s]", "One.|3100")]
    [TestCase("[pause 999999] One.", "10000|One.")]
    [TestCase("[pause 9] . [pause 9]", "10000")]
    [TestCase("<|speaker_id_start|>SPEAKER1<|speaker_id_end|> One. [pause 1] Two. [SPEAKER0] [SPEAKER2]",
        "<|speaker_id_start|>SPEAKER1<|speaker_id_end|> One.|1000|<|speaker_id_start|>SPEAKER1<|speaker_id_end|> Two.")]
    [TestCase("[pause] and [pause soon] and <break/> stay.", "[pause] and [pause soon] and <break/> stay.")]
    [TestCase("[SPEAKER1] One. [pause 1] Two.\n[SPEAKER0] [pause 1] Three.", "[SPEAKER1] One.|1000|[SPEAKER1] Two.|1000|[SPEAKER0] Three.")]
    [TestCase(" . [pause 1] - ", "1000")]
    [TestCase("大家好。[pause 1]你好。", "大家好.|1000|你好.")]
    public void Pauses_divide_the_text(string text, string pieces) => Assert.That(Pieces(text), Is.EqualTo(pieces));

    private static IEnumerable<TestCaseData> Transcripts() => GoldenJson.Cases("text", "generation_text.json", section: "main_pipeline");

    [TestCaseSource(nameof(Transcripts))]
    public void A_reference_s_transcript_is_cleaned_and_divided_and_nothing_else(JsonElement golden)
    {
        string text = golden.GetProperty("transcript_text").GetString()!;
        foreach (ChunkMethod method in new[] { ChunkMethod.None, ChunkMethod.Speaker, ChunkMethod.Word })
        {
            SpeakOptions options = SpeakOptions.Reference with { Chunking = new ChunkOptions { Method = method, MaxWords = 20 } };
            Assert.That(SpeechScript.Pieces(text, options).Select(p => p.Text),
                Is.EqualTo(TranscriptChunker.Chunk(TranscriptNormalizer.Normalize(text), options.Chunking).Select(c => c.Text)));
        }
    }

    [Test]
    public void Pauses_can_be_left_to_the_model() =>
        Assert.That(Pieces("One. [pause 0.5] Two.", new SpeakOptions { PauseTags = false }), Is.EqualTo("One. [pause 0.5] Two."));

    [Test]
    public void Separate_speakers_have_no_tags() =>
        Assert.That(Pieces("[SPEAKER2] Hello. [pause 1] There.\n<|speaker_id_start|>SPEAKER1<|speaker_id_end|> Yes.", new SpeakOptions { SeparateSpeakers = true }),
            Is.EqualTo("2:Hello.|1000|2:There.|1:Yes."));

    [Test]
    public void Chunks_can_be_rewritten() =>
        Assert.That(Pieces("[SPEAKER1] Hello There.", new SpeakOptions { SeparateSpeakers = true, ChunkRewriter = t => t.ToUpperInvariant() }), Is.EqualTo("1:HELLO THERE."));

    [Test]
    public void A_long_paragraph_keeps_every_word_and_separator()
    {
        string[] words = ["amor", "vincit", "omnia,", "et", "nos", "cedamus", "amori.", "\"Tempus", "fugit\";", "<SE>[Laughter]</SE>", "qui", "[sigh]", "s\u00ed\u2014no"];
        string[] spaces = [" ", "  ", "\t", "\n", "\n\n"];
        var random = new Random(7);
        for (int round = 0; round < 300; round++)
        {
            string text = string.Concat(Enumerable.Range(0, 200).Select(_ => words[random.Next(words.Length)] + spaces[random.Next(spaces.Length)]));
            var options = new ChunkOptions { MaxWords = random.Next(1, 60), MaxCharacters = random.Next(3) == 0 ? random.Next(20, 200) : null };
            IReadOnlyList<TranscriptChunk> chunks = TranscriptChunker.Chunk(text, options);
            Assert.That(string.Concat(chunks.Select(c => c.Text + c.Separator)), Is.EqualTo(text), $"round {round}");
            Assert.That(chunks.SkipLast(1).All(c => c.Separator.Length > 0), $"round {round}");
            Assert.That(chunks.All(c => Count(c.Text, "<SE>") == Count(c.Text, "</SE>") && Count(c.Text, "[") == Count(c.Text, "]")), $"round {round}");
            if (options.MaxCharacters is { } most)
                Assert.That(chunks.Max(c => c.Text.Length), Is.LessThanOrEqualTo(most), $"round {round}");
        }
    }

    [Test]
    public void Pieces_keep_every_character_whatever_the_tags()
    {
        string[] parts = ["word ", "two. ", "[laugh] ", "[SPEAKER0] ", "\n", "你好。", "[pause 0.2] ", "<break time=\"1s\"/>", "<SE>[Cough]</SE> ", "3.14 ", "[pause x] "];
        var random = new Random(11);
        var options = new SpeakOptions { Normalize = false, PauseTags = true, Chunking = new ChunkOptions { MaxWords = 3 } };
        for (int round = 0; round < 1000; round++)
        {
            string[] chosen = [.. Enumerable.Range(0, random.Next(1, 30)).Select(_ => parts[random.Next(parts.Length)])];
            List<SpeechPiece> pieces = SpeechScript.Pieces(string.Concat(chosen), options);
            double silence = chosen.Sum(p => p switch { "[pause 0.2] " => 0.2, "<break time=\"1s\"/>" => 1, _ => 0 });
            Assert.That(pieces.Sum(p => p.Pause.TotalSeconds), silence <= 10 ? Is.EqualTo(silence).Within(1e-6) : Is.LessThan(silence + 1e-6), $"round {round}");
            Assert.That(pieces.Zip(pieces.Skip(1)).Any(pair => pair.First.IsPause && pair.Second.IsPause), Is.False, $"round {round}");
            Assert.That(Bare(pieces.Select(p => p.Text)), Is.EqualTo(Bare(chosen.Where(p => p is not ("[pause 0.2] " or "<break time=\"1s\"/>")))), $"round {round}");
            Assert.That(pieces.All(p => Count(p.Text, "<SE>") == Count(p.Text, "</SE>")), $"round {round}");
        }
    }

    [Test]
    public void Broken_tags_take_linear_time()
    {
        const int Count = 100_000;
        string text = "<|speaker_id_start|>" + new string('1', Count) + "<break " + new string(' ', Count) + string.Concat(Enumerable.Repeat("[SPEAKER0]", Count)) +
            string.Concat(Enumerable.Repeat("[pause 1]", Count)) + string.Concat(Enumerable.Repeat("<|speaker_id_start|>", 1000));
        List<SpeechPiece> pieces = SpeechScript.Pieces(text, new SpeakOptions());
        Assert.That(pieces.Count(p => p.IsPause), Is.EqualTo(1));
    }

    // Speaker tags are repeated where a turn goes on, or dropped where nothing is said.
    private static string Bare(IEnumerable<string> texts) =>
        string.Concat(string.Concat(texts).Replace("[SPEAKER0]", "", StringComparison.Ordinal).Where(c => !char.IsWhiteSpace(c)));

    private static int Count(string text, string part) => text.Split(part).Length - 1;
}
