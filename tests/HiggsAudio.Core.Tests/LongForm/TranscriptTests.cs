using System.Text.Json;
using HiggsAudio.Core.Tests.Generation;
using HiggsAudio.LongForm;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.LongForm;

/// <summary>The text functions against those of the reference's examples/generation.py.</summary>
internal sealed class TranscriptTests
{
    // Stands in for the reference's dictionary (jieba), which was not at hand: chosen so that the fixtures' Chinese chunks come out. It shows that
    // words handed in are grouped like the reference's, and nothing of how the reference cuts words.
    private static readonly string[] Words =
    [
        "大家", "欢迎", "收听", "本期", "节目", "今天", "我们", "一个", "绝对", "不能", "忽视", "话题", "模态", "学习", "无论", "开发者", "还是", "数据",
        "科学", "爱好者", "一定", "听说", "这个", "所以", "希格斯", "主播", "代替", "这期", "视频", "只是", "人工智能", "感兴趣", "它", "已经", "成为", "时代",
        "研究", "热点", "那么", "问题", "真的", "了解", "知道", "如何", "自己", "动手", "构建", "模型", "李沐",
    ];

    private static IEnumerable<TestCaseData> PunctuationCases() => Cases("normalize_chinese_punctuation");

    private static IEnumerable<TestCaseData> CleanupCases() => Cases("transcript_cleanup");

    private static IEnumerable<TestCaseData> ChunkCases() => Cases("prepare_chunk_text");

    private static IEnumerable<TestCaseData> PipelineCases() => Cases("main_pipeline");

    private static IEnumerable<TestCaseData> Cases(string section) => GoldenJson.Cases("text", "generation_text.json", section: section);

    [TestCaseSource(nameof(PunctuationCases))]
    public void Chinese_punctuation_becomes_western(JsonElement golden) =>
        Assert.That(TranscriptNormalizer.NormalizeChinesePunctuation(Text(golden, "input")), Is.EqualTo(Text(golden, "output")));

    [TestCaseSource(nameof(CleanupCases))]
    public void A_transcript_is_cleaned_like_the_references(JsonElement golden) =>
        Assert.That(TranscriptNormalizer.Normalize(Text(golden, "input")), Is.EqualTo(Text(golden, "output")));

    [TestCaseSource(nameof(ChunkCases))]
    public void A_transcript_is_chunked_like_the_references(JsonElement golden)
    {
        string input = Text(golden, "input");
        Assert.That(Script.IsChinese(input), Is.EqualTo(Text(golden, "langid") == "zh"));
        AssertChunks(input, ReadOptions(golden.GetProperty("args"), 100), golden.GetProperty("output"));
    }

    [TestCaseSource(nameof(PipelineCases))]
    public void A_transcript_is_cleaned_and_chunked_like_the_references(JsonElement golden) =>
        AssertChunks(TranscriptNormalizer.Normalize(Text(golden, "transcript_text")), ReadOptions(golden.GetProperty("args"), 200), golden.GetProperty("chunked_text"));

    private static void AssertChunks(string text, ChunkOptions options, JsonElement golden)
    {
        string[] expected = [.. golden.EnumerateArray().Select(c => c.GetString()!)];
        string[] actual = [.. TranscriptChunker.Chunk(text, options).Select(c => c.Text)];
        bool byDictionary = options.Method == ChunkMethod.Word && Script.IsChinese(text);
        if (!byDictionary || Segment(text).All(w => !w.EnumerateRunes().Any(r => Script.IsUnspaced(r.Value)) || Known(w)))
            Assert.That(actual, Is.EqualTo(expected));
        if (!byDictionary)
            return;
        // Without the dictionary the borders differ; the text must be equal, and the number of chunks nearly.
        string[] ruled = [.. TranscriptChunker.Chunk(text, options with { WordSegmenter = null }).Select(c => c.Text)];
        Assert.That(string.Concat(ruled), Is.EqualTo(string.Concat(expected)));
        Assert.That(ruled.Length, Is.EqualTo(expected.Length).Within(Math.Max(1, expected.Length / 4)));
    }

    private static ChunkOptions ReadOptions(JsonElement args, int maxWords) => new()
    {
        Method = args.TryGetProperty("chunk_method", out JsonElement method) ? method.GetString() switch
        {
            "speaker" => ChunkMethod.Speaker,
            "word" => ChunkMethod.Word,
            _ => ChunkMethod.None,
        } : ChunkMethod.None,
        MaxWords = args.TryGetProperty("chunk_max_word_num", out JsonElement words) ? words.GetInt32() : maxWords,
        MaxTurns = args.TryGetProperty("chunk_max_num_turns", out JsonElement turns) ? turns.GetInt32() : 1,
        WordSegmenter = Segment,
    };

    private static bool Known(string word) => Words.Contains(word) || "好的跟李沐学哥在忙着洗由我他讲要聊是你多对人都过词吗大个热点成它".Contains(word, StringComparison.Ordinal);

    // The longest word that fits, or one character, or a run of letters.
    private static List<string> Segment(string text)
    {
        var words = new List<string>();
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = start + 1;
            if (char.IsAsciiLetterOrDigit(text[start]))
                while (end < text.Length && char.IsAsciiLetterOrDigit(text[end]))
                    end++;
            string? longest = Words.Where(w => string.CompareOrdinal(text, start, w, 0, w.Length) == 0).MaxBy(w => w.Length);
            end = longest is null ? end : start + longest.Length;
            words.Add(text[start..end]);
        }
        return words;
    }

    [TestCase("大家好，欢迎收听本期的节目。今天我们要聊的是一个你绝对不能忽视的话题，多模态学习。")]
    [TestCase("AI时代2024年。\nGPT-4o 很好。")]
    [TestCase("𠮷野家")]
    public void Words_cut_without_a_dictionary_join_to_the_text(string text)
    {
        string[] words = [.. Script.ChineseWords(text)];
        Assert.That(string.Concat(words), Is.EqualTo(text));
        Assert.That(words, Has.None.Empty);
        Assert.That(words.Count(w => w.EnumerateRunes().Count(r => Script.IsUnspaced(r.Value)) > 2), Is.Zero);
    }

    [TestCase("", false)]
    [TestCase("Hello world", false)]
    [TestCase("你好", true)]
    [TestCase("今天我们用 GPT 学习", true)]
    [TestCase("これは日本語の文章です。漢字もある。", false)]
    [TestCase("한국어 漢字", false)]
    [TestCase("The word 你 means you in this sentence", false)]
    public void Chinese_is_told_by_its_characters(string text, bool chinese) => Assert.That(Script.IsChinese(text), Is.EqualTo(chinese));

    [Test]
    public void Speaker_tags_are_sorted_as_strings_and_named_once() =>
        Assert.That(TranscriptNormalizer.SpeakerTags("[SPEAKER2] a [SPEAKER10] b\n[SPEAKER2] c [speaker3] [SPEAKER]"), Is.EqualTo(new[] { "SPEAKER10", "SPEAKER2" }));

    private static string Text(JsonElement golden, string name) => golden.GetProperty(name).GetString() ?? "";
}
