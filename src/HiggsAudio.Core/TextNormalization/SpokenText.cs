using System.Text;

namespace HiggsAudio.TextNormalization;

/// <summary>Puts together what is spoken: single spaces, punctuation at the word before it, no two marks in a row.</summary>
internal sealed class SpokenText(int capacity)
{
    private readonly StringBuilder _text = new(capacity);
    private bool _gap, _opened;

    /// <summary>Whether a word or mark was said.</summary>
    public bool IsEmpty => _text.Length == 0;

    /// <summary>What follows begins a new word.</summary>
    public void Gap() => _gap = true;

    /// <summary>Adds words of their own.</summary>
    public void Say(string words)
    {
        if (words.Length == 0)
            return;
        _gap = true;
        Copy(words);
        _gap = true;
    }

    /// <summary>Adds a part of the source, which continues what was before it.</summary>
    public void Copy(ReadOnlySpan<char> part)
    {
        if (_gap && !_opened && _text.Length > 0)
            _text.Append(' ');
        _text.Append(part);
        (_gap, _opened) = (false, false);
    }

    /// <summary>Adds one of <c>, ; : . ... ! ?</c>. Of several in a row the strongest stays; one before the first word goes.</summary>
    public void Mark(string mark)
    {
        int last = _text.Length - 1;
        if (_opened || last < 0)
            return;
        if (Rank(_text[last]) == 0)
        {
            _text.Append(mark);
        }
        else if (Rank(mark[0]) > Rank(_text[last]))
        {
            while (last > 0 && _text[last - 1] == _text[last])
                last--;
            _text.Length = last;   // all three of an ellipsis
            _text.Append(mark);
        }
        _gap = true;
    }

    /// <summary>Adds an opening bracket or quotation mark.</summary>
    public void Open(char mark)
    {
        Copy([mark]);
        _opened = true;
    }

    /// <summary>Adds a closing bracket or quotation mark.</summary>
    public void Close(char mark)
    {
        if (_opened)
        {
            _text.Length--;   // there was nothing inside
            (_opened, _gap) = (false, true);
            return;
        }
        if (_text.Length > 0)
            _text.Append(mark);
        _gap = true;
    }

    /// <summary>The whole.</summary>
    public override string ToString()
    {
        int end = _opened ? _text.Length - 1 : _text.Length;
        while (end > 0 && _text[end - 1] is ' ' or ',')
            end--;
        return _text.ToString(0, end);
    }

    private static int Rank(char mark) => mark switch
    {
        ',' => 1,
        ';' or ':' => 2,
        '.' => 3,
        '!' or '?' => 4,
        _ => 0,
    };
}
