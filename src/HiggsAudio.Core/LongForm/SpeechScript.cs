using System.Globalization;
using System.Text.RegularExpressions;

namespace HiggsAudio.LongForm;

/// <summary>A step of a text that is spoken: a chunk, or a pause.</summary>
/// <param name="Text">What the model reads; empty for a pause.</param>
/// <param name="Speaker">Whose conversation it belongs to; 0 unless speakers are separate.</param>
/// <param name="Pause">How long to be silent.</param>
internal readonly record struct SpeechPiece(string Text, int Speaker = 0, TimeSpan Pause = default)
{
    public bool IsPause => Text.Length == 0;
}

/// <summary>Turns a text into chunks and pauses.</summary>
internal static partial class SpeechScript
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    public static List<SpeechPiece> Pieces(string text, SpeakOptions options)
    {
        var pieces = new List<SpeechPiece>();
        string turn = "";   // the tag of the speaker whose turn a pause interrupts
        int start = 0;
        foreach (Match tag in options.PauseTags ? PauseTag().Matches(text) : Enumerable.Empty<Match>())
        {
            AddText(pieces, text[start..tag.Index], options, ref turn);
            AddPause(pieces, tag);
            start = tag.Index + tag.Length;
        }
        AddText(pieces, text[start..], options, ref turn);
        return pieces;
    }

    // Tags in a row are one pause, so that a short text cannot ask for hours of silence.
    private static void AddPause(List<SpeechPiece> pieces, Match tag)
    {
        double number = double.Parse(tag.Groups["number"].ValueSpan, CultureInfo.InvariantCulture);
        var pause = TimeSpan.FromSeconds(tag.Groups["unit"].ValueSpan.Equals("ms", StringComparison.OrdinalIgnoreCase) ? number / 1000 : number);
        if (pieces.Count > 0 && pieces[^1].IsPause)
        {
            pause += pieces[^1].Pause;
            pieces.RemoveAt(pieces.Count - 1);
        }
        pieces.Add(new SpeechPiece("", Pause: pause < LongestPause ? pause : LongestPause));
    }

    private static void AddText(List<SpeechPiece> pieces, string text, SpeakOptions options, ref string turn)
    {
        if (string.IsNullOrWhiteSpace(text))
            return;
        if (turn.Length > 0 && SpeakerTag().Match(TranscriptNormalizer.Strip(text)) is not { Success: true, Index: 0 })
            text = $"{turn} {text.TrimStart()}";
        if (options.PauseTags && (text = BeforePause(text, ref turn)).Length == 0)
            return;
        if (options.Normalize)
            text = TranscriptNormalizer.Normalize(text);
        foreach (TranscriptChunk chunk in TranscriptChunker.Chunk(text, options.Chunking))
        {
            if (options.Chunking.Method == ChunkMethod.Sentence && !TranscriptAtoms.Of(chunk.Text).Exists(atom => atom.Weight > 0))
                continue;   // marks alone
            (string said, int speaker) = options.SeparateSpeakers ? WithoutTag(chunk.Text) : (chunk.Text, 0);
            if (options.ChunkRewriter is { } rewrite)
                said = rewrite(said) ?? throw new ArgumentException($"{nameof(SpeakOptions)}.{nameof(SpeakOptions.ChunkRewriter)} returned null", nameof(options));
            if (said.Length > 0)
                pieces.Add(new SpeechPiece(said, speaker));
        }
    }

    // A tag at the end is of the turn after the pause.
    private static string BeforePause(string text, ref string turn)
    {
        MatchCollection tags = SpeakerTag().Matches(text);
        turn = tags.LastOrDefault()?.Value ?? turn;
        int end = text.AsSpan().TrimEnd().Length;
        for (int i = tags.Count - 1; i >= 0 && tags[i].Index + tags[i].Length == end; i--)
            end = text.AsSpan(0, tags[i].Index).TrimEnd().Length;
        return text[..end];
    }

    private static (string Text, int Speaker) WithoutTag(string text)
    {
        if (SpeakerTag().Match(text) is not { Success: true, Index: 0 } tag)
            return (text, 0);
        _ = int.TryParse(tag.Groups["number"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int speaker);
        return (text[tag.Length..].TrimStart(), speaker);
    }

    [GeneratedRegex("""<break\s+time\s*=\s*["'](?<number>[0-9]{1,6}(\.[0-9]{1,6})?)\s*(?<unit>ms|s)["']\s*/?>(\s*</break>)?|\[pause\s+(?<number>[0-9]{1,6}(\.[0-9]{1,6})?)\s*(?<unit>ms|s)?\]""",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex PauseTag();

    [GeneratedRegex(@"\[SPEAKER(?<number>[0-9]+)\]|<\|speaker_id_start\|>(?>[^<>|\n0-9]*)(?<number>(?>[0-9]*))(?>[^<>|\n]*)<\|speaker_id_end\|>")]
    private static partial Regex SpeakerTag();
}
