using System.Text;
using System.Text.RegularExpressions;

namespace HiggsAudio;

/// <summary>What the reference does to a transcript before the model sees it (examples/generation.py).</summary>
public static partial class TranscriptNormalizer
{
    private const string FullWidth = "，。：；？！（）【】《》“”‘’、—…·「」『』";

    private static readonly string[] HalfWidth =
        [", ", ".", ":", ";", "?", "!", "(", ")", "[", "]", "<", ">", "\"", "\"", "'", "'", ",", "-", "...", ".", "\"", "\"", "\"", "\""];

    private static readonly (string Written, string Spoken)[] Replacements =
    [
        ("(", " "), (")", " "), ("°F", " degrees Fahrenheit"), ("°C", " degrees Celsius"),
        ("[laugh]", "<SE>[Laughter]</SE>"),
        ("[humming start]", "<SE_s>[Humming]</SE_s>"), ("[humming end]", "<SE_e>[Humming]</SE_e>"),
        ("[music start]", "<SE_s>[Music]</SE_s>"), ("[music end]", "<SE_e>[Music]</SE_e>"), ("[music]", "<SE>[Music]</SE>"),
        ("[sing start]", "<SE_s>[Singing]</SE_s>"), ("[sing end]", "<SE_e>[Singing]</SE_e>"),
        ("[applause]", "<SE>[Applause]</SE>"), ("[cheering]", "<SE>[Cheering]</SE>"), ("[cough]", "<SE>[Cough]</SE>"),
    ];

    private static readonly string[] Endings = [".", "!", "?", ",", ";", "\"", "'", "</SE_e>", "</SE>"];

    /// <summary>
    /// Cleans a transcript: Chinese punctuation becomes Western, parentheses go, °F and °C are written out, tags such as <c>[laugh]</c> become
    /// the sound events that the model knows, blank lines and double spaces go, and a text without an ending gets a full stop.
    /// </summary>
    /// <param name="transcript">The text, any language; speaker tags such as <c>[SPEAKER0]</c> stay.</param>
    public static string Normalize(string transcript)
    {
        ArgumentNullException.ThrowIfNull(transcript);
        string text = NormalizeChinesePunctuation(transcript);
        foreach ((string written, string spoken) in Replacements)
            text = text.Replace(written, spoken, StringComparison.Ordinal);
        var lines = new List<string>();
        foreach (string line in text.Split('\n'))
            if (JoinWords(line) is { Length: > 0 } joined)
                lines.Add(joined);
        text = string.Join('\n', lines);
        return Array.Exists(Endings, ending => text.EndsWith(ending, StringComparison.Ordinal)) ? text : text + ".";
    }

    /// <summary>Replaces full-width and Chinese punctuation by Western: 。 by a full stop, 「 and “ by a quotation mark, and so on.</summary>
    /// <param name="text">The text.</param>
    public static string NormalizeChinesePunctuation(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var result = new StringBuilder(text.Length + 16);
        foreach (char c in text)
            _ = FullWidth.IndexOf(c) is >= 0 and int i ? result.Append(HalfWidth[i]) : result.Append(c);
        return result.ToString();
    }

    /// <summary>The different speaker tags of a transcript, without brackets, sorted as strings (SPEAKER10 before SPEAKER2).</summary>
    /// <param name="transcript">The text, not normalized yet.</param>
    public static IReadOnlyList<string> SpeakerTags(string transcript)
    {
        ArgumentNullException.ThrowIfNull(transcript);
        return [.. SpeakerTag().Matches(transcript).Select(m => m.Groups[1].Value).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>White space of Python's str.split and str.strip: that of Unicode and four control characters.</summary>
    internal static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>Without white space around it.</summary>
    internal static string Strip(string text)
    {
        int start = 0, end = text.Length;
        while (start < end && IsSpace(text[start]))
            start++;
        while (start < end && IsSpace(text[end - 1]))
            end--;
        return text[start..end];
    }

    // One space between words, none around.
    private static string JoinWords(string line)
    {
        var result = new StringBuilder(line.Length);
        foreach (char c in line)
        {
            if (!IsSpace(c))
                result.Append(c);
            else if (result.Length > 0 && result[^1] != ' ')
                result.Append(' ');
        }
        return result.Length > 0 && result[^1] == ' ' ? result.ToString(0, result.Length - 1) : result.ToString();
    }

    [GeneratedRegex(@"\[(SPEAKER\d+)\]")]
    private static partial Regex SpeakerTag();
}
