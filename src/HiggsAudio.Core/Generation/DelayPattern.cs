namespace HiggsAudio.Generation;

/// <summary>
/// The delay pattern (MusicGen, arXiv:2306.05284, section 2.2): codebook c runs c columns behind codebook 0, so that a model that predicts
/// all codebooks of a column at once has each frame's earlier codebooks as context. Codes are [codebooks, columns]; a finished segment of
/// the model is one column of BOS, the delayed frames, and the ramp of EOS.
/// </summary>
internal static class DelayPattern
{
    /// <summary>Delays codes.</summary>
    /// <param name="codes">[codebooks, frames].</param>
    /// <param name="bos">Fills what lies before a codebook's first code.</param>
    /// <param name="pad">Fills what lies after its last (the model is trained with EOS).</param>
    /// <returns>[codebooks, frames + codebooks - 1].</returns>
    public static int[,] Build(int[,] codes, int bos, int pad)
    {
        (int codebooks, int frames) = (codes.GetLength(0), codes.GetLength(1));
        int columns = frames + Math.Max(codebooks - 1, 0);
        var delayed = new int[codebooks, columns];
        for (int c = 0; c < codebooks; c++)
            for (int t = 0; t < columns; t++)
                delayed[c, t] = t < c ? bos : t < c + frames ? codes[c, t - c] : pad;
        return delayed;
    }

    /// <summary>Undoes <see cref="Build"/>.</summary>
    /// <param name="delayed">[codebooks, columns], at least as many columns as codebooks.</param>
    /// <returns>[codebooks, columns - codebooks + 1].</returns>
    /// <exception cref="ArgumentException">Fewer columns than codebooks: no frame is complete.</exception>
    public static int[,] Revert(int[,] delayed)
    {
        (int codebooks, int columns) = (delayed.GetLength(0), delayed.GetLength(1));
        if (columns < codebooks)
            throw new ArgumentException($"{codebooks} delayed codebooks need at least {codebooks} columns to hold a frame, found {columns}", nameof(delayed));
        int frames = columns - codebooks + 1;
        var codes = new int[codebooks, frames];
        for (int c = 0; c < codebooks; c++)
            for (int t = 0; t < frames; t++)
                codes[c, t] = delayed[c, t + c];
        return codes;
    }

    /// <summary>The frames of a segment: reverted and trimmed. None where the segment was cut before its first frame was complete.</summary>
    /// <param name="delayed">[codebooks, columns] as the model made them, the column of BOS included.</param>
    /// <param name="codebookSize">Codes are below it, BOS and EOS are not.</param>
    /// <param name="referenceTrimming">Whether to <see cref="TrimLikeReference"/> rather than <see cref="Trim"/>.</param>
    public static int[,] Frames(int[,] delayed, int codebookSize, bool referenceTrimming = false)
    {
        if (delayed.GetLength(1) < delayed.GetLength(0))
            return new int[delayed.GetLength(0), 0];
        int[,] reverted = Revert(delayed);
        return referenceTrimming ? TrimLikeReference(reverted, codebookSize) : Trim(reverted, codebookSize);
    }

    /// <summary>
    /// Drops every frame that holds BOS or EOS. Equals <see cref="TrimLikeReference"/> for a segment that the model ended and that has
    /// neither inside; keeps the last frame of one that was cut by length, and never hands the codec an invented code.
    /// </summary>
    /// <param name="reverted">[codebooks, frames].</param>
    /// <param name="codebookSize">Codes are below it, BOS and EOS are not.</param>
    public static int[,] Trim(int[,] reverted, int codebookSize)
    {
        (int codebooks, int frames) = (reverted.GetLength(0), reverted.GetLength(1));
        var kept = new List<int>(frames);
        for (int t = 0; t < frames; t++)
        {
            bool good = true;
            for (int c = 0; c < codebooks; c++)
                good &= reverted[c, t] < codebookSize;
            if (good)
                kept.Add(t);
        }
        var codes = new int[codebooks, kept.Count];
        for (int c = 0; c < codebooks; c++)
            for (int t = 0; t < kept.Count; t++)
                codes[c, t] = reverted[c, kept[t]];
        return codes;
    }

    /// <summary>
    /// What the reference does (serve_engine.py, examples/generation.py): codes clipped to the codebook, the first and the last frame dropped.
    /// </summary>
    /// <inheritdoc cref="Trim" path="/param"/>
    public static int[,] TrimLikeReference(int[,] reverted, int codebookSize)
    {
        (int codebooks, int frames) = (reverted.GetLength(0), Math.Max(0, reverted.GetLength(1) - 2));
        var codes = new int[codebooks, frames];
        for (int c = 0; c < codebooks; c++)
            for (int t = 0; t < frames; t++)
                codes[c, t] = Math.Clamp(reverted[c, t + 1], 0, codebookSize - 1);
        return codes;
    }

    /// <summary>Reads one frame of a segment that may still grow.</summary>
    /// <param name="columns">[columns, codebooks]: the segment's delayed columns so far, one after the other.</param>
    /// <param name="frame">Which frame, complete: frame + codebooks &lt;= columns. Frame 0 is that of BOS.</param>
    /// <param name="codebookSize">Codes are below it, BOS and EOS are not.</param>
    /// <param name="codes">Filled: [codebooks].</param>
    /// <returns>Whether the frame holds codes only, so that <see cref="Trim"/> keeps it.</returns>
    public static bool TryReadFrame(ReadOnlySpan<int> columns, int frame, int codebookSize, Span<int> codes)
    {
        bool good = true;
        for (int c = 0; c < codes.Length; c++)
        {
            codes[c] = columns[(frame + c) * codes.Length + c];
            good &= codes[c] < codebookSize;
        }
        return good;
    }

    /// <summary>Splits columns that several segments were joined in, each but perhaps the last ended by one column of only EOS.</summary>
    /// <param name="joined">[codebooks, columns].</param>
    /// <param name="eos">The stream's EOS.</param>
    /// <returns>The segments, [codebooks, columns] each, without the columns of EOS between them.</returns>
    public static IReadOnlyList<int[,]> SplitAtEnds(int[,] joined, int eos)
    {
        (int codebooks, int columns) = (joined.GetLength(0), joined.GetLength(1));
        var segments = new List<int[,]>();
        int start = 0;
        for (int t = 0; t < columns; t++)
        {
            bool ends = true;
            for (int c = 0; c < codebooks; c++)
                ends &= joined[c, t] == eos;
            if (!ends)
                continue;
            segments.Add(Slice(joined, start, t - start));
            start = t + 1;
        }
        if (start < columns)
            segments.Add(Slice(joined, start, columns - start));
        return segments;
    }

    private static int[,] Slice(int[,] codes, int start, int count)
    {
        var slice = new int[codes.GetLength(0), count];
        for (int c = 0; c < codes.GetLength(0); c++)
            for (int t = 0; t < count; t++)
                slice[c, t] = codes[c, start + t];
        return slice;
    }
}
