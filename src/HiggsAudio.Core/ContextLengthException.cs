namespace HiggsAudio;

/// <summary>A conversation is too long: with its answer it does not fit the context. Shorten it, or raise <see cref="EngineOptions.MaxContextLength"/>.</summary>
public sealed class ContextLengthException : ArgumentException
{
    internal ContextLengthException(int rows, int mostRows) : base(
        $"The conversation has {rows} rows (text tokens and columns of audio); the context allows {mostRows}, answer included " +
        $"({nameof(EngineOptions)}.{nameof(EngineOptions.MaxContextLength)}).") => (Rows, MostRows) = (rows, mostRows);

    /// <summary>Rows of the conversation: text tokens and columns of audio.</summary>
    public int Rows { get; }

    /// <summary>Rows that the context allows, the answer's included.</summary>
    public int MostRows { get; }
}
