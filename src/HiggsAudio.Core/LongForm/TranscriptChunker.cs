using HiggsAudio.LongForm;

namespace HiggsAudio;

/// <summary>Divides a long transcript into what the model reads at a time.</summary>
public static class TranscriptChunker
{
    /// <summary>Divides a transcript.</summary>
    /// <param name="transcript">The text, normalized (<see cref="TranscriptNormalizer.Normalize"/>).</param>
    /// <param name="options">How; by sentences by default.</param>
    /// <returns>
    /// The chunks. By <see cref="ChunkMethod.Sentence"/> none is empty, nothing is lost (see <see cref="TranscriptChunk.Separator"/>; white space
    /// before the first is), no tag such as <c>&lt;SE&gt;[Laughter]&lt;/SE&gt;</c> is divided, and a chunk that goes on with a turn begins with the
    /// turn's speaker tag again.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">A number of the options is below 1.</exception>
    public static IReadOnlyList<TranscriptChunk> Chunk(string transcript, ChunkOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(transcript);
        options ??= new ChunkOptions();
        options.Validate();
        return options.Method switch
        {
            ChunkMethod.None => [new TranscriptChunk(transcript)],
            ChunkMethod.Speaker => [.. BySpeaker(transcript, options.MaxTurns).Select(text => new TranscriptChunk(text))],
            ChunkMethod.Word => [.. ByWord(transcript, options.MaxWords, options.WordSegmenter).Select(text => new TranscriptChunk(text))],
            _ => new SentenceChunker(transcript, options.MaxWords, options.MaxTurns, options.MaxCharacters).Chunks(),
        };
    }

    // A line that begins with a tag begins a turn, other lines belong to the turn before.
    private static List<string> BySpeaker(string text, int maxTurns)
    {
        var turns = new List<string>();
        string turn = "";
        foreach (string line in text.Split('\n').Select(TranscriptNormalizer.Strip))
        {
            bool begins = line.StartsWith("[SPEAKER", StringComparison.Ordinal) || line.StartsWith("<|speaker_id_start|>", StringComparison.Ordinal);
            if (begins && turn.Length > 0)
                turns.Add(TranscriptNormalizer.Strip(turn));
            turn = begins || turn.Length == 0 ? line : turn + "\n" + line;
        }
        if (turn.Length > 0)
            turns.Add(TranscriptNormalizer.Strip(turn));
        return [.. turns.Chunk(maxTurns).Select(some => string.Join('\n', some))];
    }

    // Every paragraph ends with a blank line, the last too.
    private static List<string> ByWord(string text, int maxWords, Func<string, IEnumerable<string>>? segmenter)
    {
        bool chinese = Script.IsChinese(text);
        var chunks = new List<string>();
        foreach (string paragraph in text.Split("\n\n"))
        {
            IEnumerable<string> words = chinese ? (segmenter ?? Script.ChineseWords)(paragraph) : paragraph.Split(' ');
            foreach (string[] some in words.Chunk(maxWords))
                chunks.Add(string.Join(chinese ? "" : " ", some));
            if (chunks.Count > 0)
                chunks[^1] += "\n\n";
        }
        return chunks;
    }
}
