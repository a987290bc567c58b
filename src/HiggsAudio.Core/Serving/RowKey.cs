using HiggsAudio.Model;
using HiggsAudio.Prompts;

namespace HiggsAudio.Serving;

/// <summary>
/// What the rows of a sequence are, to be compared: of a text row its id, of a column of audio its codes, complemented (below zero). Equal
/// keys make equal caches. Immutable.
/// </summary>
internal sealed class RowKey
{
    private readonly int[] _values;
    private readonly int _codebooks;

    private RowKey(int[] values, int codebooks)
    {
        (_values, _codebooks) = (values, codebooks);
        Length = Count(values.Length, int.MaxValue, out _);
    }

    /// <summary>How long a sequence of these rows is.</summary>
    public SequenceLength Length { get; }

    /// <summary>The rows of a prompt; null if it has padding, which makes later rows depend on more than the rows.</summary>
    public static RowKey? Of(Prompt prompt)
    {
        var values = new List<int>(prompt.Rows.Length);
        foreach (PromptRow row in prompt.Rows)
            switch (row.Kind)
            {
                case PromptRowKind.Padding: return null;
                case PromptRowKind.Text: values.Add(row.Id); break;
                default: AddColumn(values, prompt.CodesOf(row)); break;
            }
        return new RowKey([.. values], prompt.AudioOut.Codebooks);
    }

    /// <summary>Adds a column to values for <see cref="Append"/>; a text row is added as its id.</summary>
    public static void AddColumn(List<int> values, ReadOnlySpan<int> codes)
    {
        foreach (int code in codes)
            values.Add(~code);
    }

    /// <summary>These rows and then others.</summary>
    public RowKey Append(IEnumerable<int> values) => new([.. _values, .. values], _codebooks);

    /// <summary>The first rows.</summary>
    public RowKey First(int rows)
    {
        Count(_values.Length, rows, out int values);
        return new RowKey(_values[..values], _codebooks);
    }

    /// <summary>The rows at the beginning that another key has, too.</summary>
    /// <param name="other">The other.</param>
    /// <param name="most">Most rows to count.</param>
    public SequenceLength Common(RowKey other, int most = int.MaxValue) => Count(_values.AsSpan().CommonPrefixLength(other._values), most, out _);

    // The whole rows among the first values.
    private SequenceLength Count(int values, int most, out int counted)
    {
        int rows = 0, text = 0;
        for (counted = 0; rows < most && counted < values; rows++)
        {
            bool isText = _values[counted] >= 0;
            if (!isText && counted + _codebooks > values)
                break;
            counted += isText ? 1 : _codebooks;
            text += isText ? 1 : 0;
        }
        return new SequenceLength(rows, text, 0, InPrefill: true);
    }
}
