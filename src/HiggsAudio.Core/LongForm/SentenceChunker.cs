using System.Runtime.InteropServices;

namespace HiggsAudio.LongForm;

/// <summary>
/// Divides a transcript where it is heard least: as much as fits, up to the last end of a paragraph in it, else of a sentence, else of a
/// clause, else of a word.
/// </summary>
internal sealed class SentenceChunker(string transcript, int maxWords, int maxTurns, int? maxCharacters = null)
{
    private enum Border
    {
        None,
        Word,
        Clause,
        Sentence,
        Paragraph,
        Turn,
    }

    private const string SentenceMarks = ".!?…。！？｡", ClauseMarks = ",;:—–，、；：､", Closers = "\"'”’»)]}」』】》〉）", Openers = "\"'“‘«([{「『【《〈（¿¡";

    // What is written with a full stop before a name.
    private static readonly string[] Titles = ["mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "sr.", "sra.", "vs.", "e.g.", "i.e."];

    private readonly List<Atom> _atoms = TranscriptAtoms.Of(transcript);
    private readonly List<TranscriptChunk> _chunks = [];
    private Atom? _speaker;   // the tag of the turn that the chunk begins in

    public List<TranscriptChunk> Chunks()
    {
        int start = _atoms.Count > 0 && _atoms[0].Kind == AtomKind.Space ? 1 : 0;
        while (start < _atoms.Count)
        {
            int end = FindEnd(start);
            Add(start, end);
            start = end;
        }
        return _chunks;
    }

    // The atom after the last of the chunk that begins at one.
    private int FindEnd(int start)
    {
        int weight = 0, turns = 0, best = -1;
        Border bestBorder = Border.None;
        for (int i = start; i < _atoms.Count; i++)
        {
            weight += _atoms[i].Weight;
            bool full = weight > 2 * maxWords || (_atoms[i].Kind != AtomKind.Space && _atoms[i].End - _atoms[start].Start > maxCharacters);
            if (full && best > 0)
                return best;
            if (weight == 0 || i == _atoms.Count - 1)
                continue;
            Border border = BorderAfter(i);
            if (border == Border.Turn && ++turns == maxTurns)
                return i + 1;
            if (border != Border.None && border >= bestBorder)
                (bestBorder, best) = (border, i + 1);
        }
        return _atoms.Count;
    }

    private void Add(int start, int end)
    {
        Atom last = _atoms[end - 1];
        bool space = last.Kind == AtomKind.Space;
        string text = transcript[_atoms[start].Start..(space ? last.Start : last.End)], separator = space ? transcript[last.Start..last.End] : "";
        Span<Atom> atoms = CollectionsMarshal.AsSpan(_atoms)[start..end];
        int weight = 0;
        foreach (Atom atom in atoms)
            weight += atom.Weight;
        if (weight == 0 && _chunks.Count > 0)
        {
            // Nothing to say: marks after the last word.
            _chunks[^1] = new TranscriptChunk(_chunks[^1].Text + _chunks[^1].Separator + text, separator);
            return;
        }
        if (_speaker is { } tag && atoms[0].Kind != AtomKind.SpeakerTag)
            text = $"{transcript.AsSpan(tag.Start, tag.End - tag.Start)} {text}";
        _chunks.Add(new TranscriptChunk(text, separator));
        foreach (Atom atom in atoms)
            if (atom.Kind == AtomKind.SpeakerTag)
                _speaker = atom;
    }

    private Border BorderAfter(int i)
    {
        (Atom atom, Atom next) = (_atoms[i], _atoms[i + 1]);
        if (next.Kind == AtomKind.SpeakerTag)
            return Border.Turn;
        bool closes = next.Kind == AtomKind.Tag && transcript.AsSpan(next.Start).StartsWith("<SE_e>");
        if (next.Kind == AtomKind.Space || atom.Kind == AtomKind.SpeakerTag || closes)
            return Border.None;
        if (atom.Kind == AtomKind.Space)
        {
            if (i > 0 && _atoms[i - 1].Kind == AtomKind.SpeakerTag)
                return Border.None;
            if (transcript.AsSpan(atom.Start, atom.End - atom.Start).Contains('\n'))
                return Border.Paragraph;
            return i == 0 || _atoms[i - 1].Kind == AtomKind.Tag ? Border.Word : BorderBetween(_atoms[i - 1], next);
        }
        if (atom.Kind == AtomKind.Tag || next.Kind == AtomKind.Tag)
            return Border.None;
        char first = transcript[next.Start];
        bool begins = next.Kind == AtomKind.Unspaced || char.IsLetterOrDigit(first) || (Openers.Contains(first, StringComparison.Ordinal) && next.Weight > 0);
        return begins ? BorderBetween(atom, next) : Border.None;
    }

    private Border BorderBetween(Atom atom, Atom next)
    {
        ReadOnlySpan<char> said = transcript.AsSpan(atom.Start, atom.End - atom.Start), word = said.TrimEnd(Closers);
        if (word.IsEmpty)
            return Border.Word;
        if (ClauseMarks.Contains(word[^1], StringComparison.Ordinal))
            return Border.Clause;
        if (!SentenceMarks.Contains(word[^1], StringComparison.Ordinal))
            return Border.Word;
        ReadOnlySpan<char> following = transcript.AsSpan(next.Start, next.End - next.Start).TrimStart(Openers);
        bool goesOn = !following.IsEmpty && char.IsLower(following[0]);
        return goesOn || IsAbbreviation(word.TrimStart(Openers)) ? Border.Word : Border.Sentence;
    }

    private static bool IsAbbreviation(ReadOnlySpan<char> word)
    {
        if (word.Length == 2 && char.IsUpper(word[0]) && word[1] == '.')
            return true;
        foreach (string title in Titles)
            if (word.Equals(title, StringComparison.OrdinalIgnoreCase))
                return true;
        return false;
    }
}
