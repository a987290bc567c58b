namespace HiggsAudio.Compute;

/// <summary>The geometry of a one-dimensional convolution over time.</summary>
/// <param name="Kernel">Taps.</param>
/// <param name="Stride">Rows of the input per row of the output.</param>
/// <param name="Dilation">Rows of the input between two taps.</param>
/// <param name="PaddingLeft">Zero rows before the input.</param>
/// <param name="PaddingRight">Zero rows after the input.</param>
public readonly record struct Conv1dShape(int Kernel, int Stride = 1, int Dilation = 1, int PaddingLeft = 0, int PaddingRight = 0)
{
    /// <summary>A convolution that keeps the number of rows (odd kernel, stride 1).</summary>
    public static Conv1dShape Same(int kernel, int dilation = 1) =>
        new(kernel, 1, dilation, (kernel - 1) / 2 * dilation, (kernel - 1) / 2 * dilation);

    /// <summary>Rows of the output for a number of rows of the input; 0 or less if the input is too short.</summary>
    public int OutputRows(int inputRows)
    {
        int span = inputRows + PaddingLeft + PaddingRight - Dilation * (Kernel - 1) - 1;
        return span < 0 ? 0 : span / Stride + 1;
    }
}

/// <summary>The geometry of a transposed one-dimensional convolution over time: torch's ConvTranspose1d.</summary>
/// <param name="Kernel">Taps.</param>
/// <param name="Stride">Rows of the output per row of the input.</param>
/// <param name="Padding">Rows cut off the start of the full output, and (less <paramref name="OutputPadding"/>) off its end.</param>
/// <param name="OutputPadding">Rows kept beyond that at the end.</param>
public readonly record struct ConvTranspose1dShape(int Kernel, int Stride, int Padding = 0, int OutputPadding = 0)
{
    /// <summary>Input rows that touch one output row: ceil(kernel / stride).</summary>
    public int Taps => (Kernel + Stride - 1) / Stride;

    /// <summary>Rows of the output for a number of rows of the input.</summary>
    public int OutputRows(int inputRows) => Math.Max(0, (inputRows - 1) * Stride - 2 * Padding + Kernel + OutputPadding);
}
