using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Acoustic;

/// <summary>Samples to latent frames: the Descript audio codec's encoder (arXiv:2306.06546; dac.py, Encoder).</summary>
internal sealed class AcousticEncoder
{
    private const int WindowSamples = 1 << 14;

    private static readonly Conv1dShape FirstShape = Conv1dShape.Same(7), LastShape = Conv1dShape.Same(3);

    private readonly int _width;
    private readonly int[] _ratios;
    private readonly Weight _conv1;
    private readonly Weight _conv1Bias;
    private readonly EncoderBlock[] _blocks;
    private readonly Weight _snake;
    private readonly Weight _conv2;
    private readonly Weight _conv2Bias;

    public AcousticEncoder(WeightReader reader, AcousticSizes sizes, int[] ratios)
    {
        (_width, _ratios) = (sizes.Width, ratios);
        _conv1 = reader.Conv1d("conv1", sizes.Width, 1, FirstShape.Kernel);
        _conv1Bias = reader.Vector("conv1.bias", sizes.Width);
        _blocks = [.. ratios.Select((stride, i) => new EncoderBlock(reader.Scope($"block.{i}"), sizes.Width << i, stride))];
        int last = sizes.Width << ratios.Length;
        _snake = reader.Vector("snake1.alpha", last);
        _conv2 = reader.Conv1d("conv2", sizes.Latent, last, LastShape.Kernel);
        _conv2Bias = reader.Vector("conv2.bias", sizes.Latent);
    }

    /// <summary>Frames that a number of samples gives; 0 if they are too few.</summary>
    public int Frames(int samples)
    {
        int rows = samples;
        foreach (int stride in _ratios)
            rows = rows < 1 ? 0 : EncoderBlock.DownsamplingShape(stride).OutputRows(rows);
        return rows;
    }

    /// <param name="ops">The lane.</param>
    /// <param name="x">[samples, 1]</param>
    /// <param name="padding">Zero samples to imagine before and after.</param>
    /// <param name="into">[Frames(samples + 2 * padding), latent]</param>
    /// <param name="cancellationToken">Ends the work between steps.</param>
    public void Forward(Backend ops, Matrix x, int padding, Matrix into, CancellationToken cancellationToken)
    {
        using var scope = ops.Scratch();
        int rows = EncoderBlock.DownsamplingShape(_ratios[0]).OutputRows(x.Rows + 2 * padding);
        long largest = (long)rows * _blocks[0].Outputs;
        for (int i = 1, r = rows; i < _blocks.Length; i++)
        {
            r = EncoderBlock.DownsamplingShape(_ratios[i]).OutputRows(r);
            largest = Math.Max(largest, (long)r * _blocks[i].Outputs);
        }
        Room current = new(ops, largest), next = new(ops, largest), spare = new(ops, largest);
        Matrix y = current.As(rows, _blocks[0].Outputs);
        ForwardFirstBlock(ops, x, padding, y, cancellationToken);
        foreach (EncoderBlock block in _blocks.AsSpan(1))
        {
            cancellationToken.ThrowIfCancellationRequested();
            y = block.Forward(ops, y, next, spare);
            (current, next) = (next, current);
        }
        ops.Snake(y, _snake, into: y);
        ops.Conv1d(y, _conv2, _conv2Bias, LastShape, into);
    }

    // What has a row for every sample is by far the largest, and needs few of the samples around it: it is made in windows.
    private void ForwardFirstBlock(Backend ops, Matrix x, int padding, Matrix into, CancellationToken cancellationToken)
    {
        int stride = _ratios[0], total = x.Rows + 2 * padding, windowRows = Math.Max(1, WindowSamples / stride);
        for (int start = 0; start < into.Rows; start += windowRows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = ops.Scratch();
            int count = Math.Min(windowRows, into.Rows - start);
            (long first, long last) = FirstBlockReach(start, start + count - 1, stride);
            int skipped = (int)Math.Max(0, first) / stride;                          // whole rows, so that strides fall as in the whole
            int from = skipped * stride, to = (int)Math.Min(total, last + 1);        // of the padded samples
            int firstSample = Math.Clamp(from - padding, 0, x.Rows), endSample = Math.Clamp(to - padding, firstSample, x.Rows);
            int zerosBefore = Math.Clamp(padding - from, 0, to - from), zerosAfter = to - from - zerosBefore - (endSample - firstSample);

            long most = (long)(to - from) * _width;                                   // twice the width has half the rows, or fewer
            Room current = new(ops, most), next = new(ops, most), spare = new(ops, most);
            Matrix y = ops.Conv1d(x[firstSample..endSample], _conv1, _conv1Bias, Padded(zerosBefore, zerosAfter), into: current.As(to - from, _width));
            y = _blocks[0].Forward(ops, y, next, spare);
            ops.Copy(y[(start - skipped)..(start - skipped + count)], into: into[start..(start + count)]);
        }
    }

    private static Conv1dShape Padded(int zerosBefore, int zerosAfter) =>
        FirstShape with { PaddingLeft = FirstShape.PaddingLeft + zerosBefore, PaddingRight = FirstShape.PaddingRight + zerosAfter };

    // The samples that rows after the first block depend on, followed backwards.
    private static (long First, long Last) FirstBlockReach(long first, long last, int stride)
    {
        Conv1dShape down = EncoderBlock.DownsamplingShape(stride);
        (first, last) = (first * stride - down.PaddingLeft, last * stride - down.PaddingLeft + down.Kernel - 1);
        foreach (int dilation in EncoderBlock.Dilations)
        {
            Conv1dShape wide = ResidualUnit.WideShape(dilation);
            (first, last) = (first - wide.PaddingLeft, last + wide.PaddingRight);
        }
        return (first - FirstShape.PaddingLeft, last + FirstShape.PaddingRight);
    }
}

/// <summary>Three residual units, snake, downsampling to twice the channels (dac.py, EncoderBlock).</summary>
internal sealed class EncoderBlock(WeightReader reader, int inputs, int stride)
{
    /// <summary>Dilations of the residual units.</summary>
    public static readonly int[] Dilations = [1, 3, 9];

    /// <summary>The geometry that makes one row of stride.</summary>
    public static Conv1dShape DownsamplingShape(int stride) => new(2 * stride, stride, 1, (stride + 1) / 2, (stride + 1) / 2);

    private readonly ResidualUnit[] _units = [.. Dilations.Select((dilation, i) => new ResidualUnit(reader.Scope($"res_unit{i + 1}"), inputs, dilation))];
    private readonly Weight _snake = reader.Vector("snake1.alpha", inputs);
    private readonly Weight _down = reader.Conv1d("conv1", 2 * inputs, inputs, 2 * stride);
    private readonly Weight _downBias = reader.Vector("conv1.bias", 2 * inputs);

    public int Outputs => 2 * inputs;

    /// <param name="ops">The lane.</param>
    /// <param name="x">[rows, inputs]; left undefined.</param>
    /// <param name="result">Where to put the result; before that, room for the residual units.</param>
    /// <param name="room">More room.</param>
    /// <returns>[rows / stride, outputs]</returns>
    public Matrix Forward(Backend ops, Matrix x, Room result, Room room)
    {
        foreach (ResidualUnit unit in _units)
            unit.Forward(ops, x, result, room);
        ops.Snake(x, _snake, into: x);
        Conv1dShape shape = DownsamplingShape(stride);
        return ops.Conv1d(x, _down, _downBias, shape, into: result.As(shape.OutputRows(x.Rows), Outputs));
    }
}
