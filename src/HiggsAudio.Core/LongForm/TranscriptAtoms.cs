using System.Text;
using System.Text.RegularExpressions;

namespace HiggsAudio.LongForm;

internal enum AtomKind
{
    /// <summary>White space.</summary>
    Space,

    /// <summary>What stands between spaces, with its punctuation; or a run of punctuation after an unspaced character.</summary>
    Word,

    /// <summary>One Chinese or Japanese character.</summary>
    Unspaced,

    /// <summary>A sound event or special token.</summary>
    Tag,

    /// <summary>The tag with which a turn begins.</summary>
    SpeakerTag,
}

/// <summary>A piece of a transcript that is never divided.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Start">Its first character.</param>
/// <param name="End">The character after its last.</param>
/// <param name="Weight">How long it takes to say, in half words.</param>
internal readonly record struct Atom(AtomKind Kind, int Start, int End, int Weight);

/// <summary>Cuts a transcript into atoms.</summary>
internal static partial class TranscriptAtoms
{
    public static List<Atom> Of(string text)
    {
        var atoms = new List<Atom>();
        int start = 0;
        foreach (ValueMatch tag in AnyTag().EnumerateMatches(text))
        {
            AddPlain(atoms, text, start, tag.Index);
            start = tag.Index + tag.Length;
            ReadOnlySpan<char> name = text.AsSpan(tag.Index, tag.Length);
            bool speaker = name.StartsWith("[SPEAKER") || name.StartsWith("<|speaker_id_start|>");
            int weight = speaker || name.StartsWith("<|") || name.StartsWith("<SE_e>") ? 0 : 2;   // a sound takes its time
            atoms.Add(new Atom(speaker ? AtomKind.SpeakerTag : AtomKind.Tag, tag.Index, start, weight));
        }
        AddPlain(atoms, text, start, text.Length);
        return atoms;
    }

    private static void AddPlain(List<Atom> atoms, string text, int start, int end)
    {
        while (start < end)
        {
            (AtomKind kind, int next) = KindAt(text, start, end);
            bool spoken = kind == AtomKind.Unspaced || char.IsLetterOrDigit(text[start]) || char.IsSurrogate(text[start]);
            while (kind != AtomKind.Unspaced && next < end && KindAt(text, next, end) is var (other, after) && other == kind)
            {
                spoken |= char.IsLetterOrDigit(text[next]) || char.IsSurrogate(text[next]);
                next = after;
            }
            int weight = kind == AtomKind.Unspaced ? 1 : kind == AtomKind.Word && spoken ? 2 : 0;
            atoms.Add(new Atom(kind, start, next, weight));
            start = next;
        }
    }

    private static (AtomKind Kind, int End) KindAt(string text, int index, int end)
    {
        Rune.DecodeFromUtf16(text.AsSpan(index, end - index), out Rune rune, out int length);
        AtomKind kind = Script.IsUnspaced(rune.Value) ? AtomKind.Unspaced : TranscriptNormalizer.IsSpace(text[index]) ? AtomKind.Space : AtomKind.Word;
        return (kind, index + length);
    }

    [GeneratedRegex(@"<SE(?:_[se])?>[^<>\n]*</SE(?:_[se])?>|<\|speaker_id_start\|>[^<>|\n]*<\|speaker_id_end\|>|<\|[^|<>\n]*\|>|\[SPEAKER\d+\]|\[\p{L}[^\[\]\n]{0,40}\]")]
    private static partial Regex AnyTag();
}
