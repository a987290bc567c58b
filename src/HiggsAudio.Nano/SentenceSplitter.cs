namespace HiggsAudio.Nano;

/// <summary>Cuts a normalized text: its only marks are <c>, . ? !</c>, each at the end of a word.</summary>
internal static class SentenceSplitter
{
    // What is shorter is said with what follows, where there is room.
    private const int Short = 12;

    // The words before which a clause without a comma is cut best.
    private static readonly HashSet<string> Joints =
        ["and", "but", "or", "that", "which", "who", "because", "while", "when", "if", "with", "for", "from", "to", "in", "on", "at", "by", "as", "of", "than", "until", "into"];

    public static List<string> Split(string text, int longest)
    {
        var parts = new List<string>();
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is not ('.' or '?' or '!'))
                continue;
            AddSentence(parts, text[start..(i + 1)].Trim(), longest);
            start = i + 1;
        }
        return parts;
    }

    private static void AddSentence(List<string> parts, string sentence, int longest)
    {
        string rest = sentence;
        while (rest.Length > longest)
        {
            int end = EndOfFirst(rest, longest);
            parts.Add(rest[..end].TrimEnd(' ', ',') + ".");
            rest = rest[end..].TrimStart(' ', ',');
        }
        if (!rest.AsSpan().ContainsAnyInRange('a', 'z'))
            return;
        if (parts.Count > 0 && parts[^1].Length < Short && parts[^1].Length + 1 + rest.Length <= longest)
            parts[^1] += " " + rest;
        else
            parts.Add(rest);
    }

    // Where the first part ends, room for its full stop left: after the last comma, else before the last joint, else after the last word.
    private static int EndOfFirst(string text, int longest)
    {
        int room = longest - 1, comma = text.LastIndexOf(',', room - 1);
        if (comma >= longest / 3)
            return comma + 1;
        for (int i = room; i > longest / 2; i--)
            if (text[i] == ' ' && Joints.Contains(text[(i + 1)..NextSpace(text, i + 1)]))
                return i;
        int space = text.LastIndexOf(' ', room);
        return space > 0 ? space : room;
    }

    private static int NextSpace(string text, int start) => text.IndexOf(' ', start) is >= 0 and int end ? end : text.Length;
}
