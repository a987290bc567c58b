using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Acoustic;

/// <summary>Samples to latent frames: the Descript audio codec's encoder (arXiv:2306.06546; dac.py, Encoder).</summary>
internal sealed class AcousticEncoder
{
    private static readonly Conv1dShape FirstShape = Conv1dShape.Same(7), LastShape = Conv1dShape.Same(3);

    private readonly AcousticSizes _sizes;
    private readonly int[] _ratios;
    private readonly int _hop;
    private readonly Weight _conv1;
    private readonly Weight _conv1Bias;
    private readonly EncoderBlock[] _blocks;
    private readonly Weight _snake;
    private readonly Weight _conv2;
    private readonly Weight _conv2Bias;

    public AcousticEncoder(WeightReader reader, AcousticSizes sizes, int[] ratios)
    {
        (_sizes, _ratios) = (sizes, ratios);
        _hop = ratios.Aggregate(1, (product, ratio) => product * ratio);
        _conv1 = reader.Conv1d("conv1", sizes.Width, 1, FirstShape.Kernel);
        _conv1Bias = reader.Vector("conv1.bias", sizes.Width);
        _blocks = [.. ratios.Select((stride, i) => new EncoderBlock(reader.Scope($"block.{i}"), sizes.Width << i, stride))];
        int last = sizes.Width << ratios.Length;
        _snake = reader.Vector("snake1.alpha", last);
        _conv2 = reader.Conv1d("conv2", sizes.Latent, last, LastShape.Kernel);
        _conv2Bias = reader.Vector("conv2.bias", sizes.Latent);
    }

    /// <summary>Frames that a number of samples gives; 0 if they are too few.</summary>
    public int Frames(int samples) => Frames(samples, _ratios);

    /// <summary>Frames that a number of samples gives with some ratios.</summary>
    public static int Frames(int samples, int[] ratios)
    {
        int rows = samples;
        foreach (int stride in ratios)
            rows = rows < 1 ? 0 : EncoderBlock.DownsamplingShape(stride).OutputRows(rows);
        return rows;
    }

    /// <summary>Encodes samples in windows, so that memory does not grow with their number; exactly as if it were one.</summary>
    /// <param name="ops">The lane.</param>
    /// <param name="x">[samples, 1]</param>
    /// <param name="padding">Zero samples to imagine before and after.</param>
    /// <param name="into">[Frames(samples + 2 * padding), latent]</param>
    /// <param name="windowFrames">Frames of one window.</param>
    /// <param name="cancellationToken">Ends the work between windows.</param>
    public void Forward(Backend ops, Matrix x, int padding, Matrix into, int windowFrames, CancellationToken cancellationToken)
    {
        for (int start = 0; start < into.Rows; start += windowFrames)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(windowFrames, into.Rows - start);
            ForwardWindow(ops, x, padding, start, into[start..(start + count)]);
        }
    }

    // Window and reach begin at a whole frame of the padded samples, so that strides fall where they fall in the whole.
    private void ForwardWindow(Backend ops, Matrix x, int padding, int startFrame, Matrix into)
    {
        using var scope = ops.Scratch();
        int total = x.Rows + 2 * padding;
        (long first, long last) = Reach(startFrame, startFrame + into.Rows - 1);
        int skipped = (int)Math.Max(0, Math.Floor((double)first / _hop));
        int from = skipped * _hop, to = (int)Math.Min(total, last + 1);   // of the padded samples
        int firstSample = Math.Clamp(from - padding, 0, x.Rows), endSample = Math.Clamp(to - padding, firstSample, x.Rows);
        int zerosBefore = Math.Clamp(padding - from, 0, to - from), zerosAfter = to - from - zerosBefore - (endSample - firstSample);
        Matrix latent = ForwardWhole(ops, x[firstSample..endSample], zerosBefore, zerosAfter);
        ops.Copy(latent[(startFrame - skipped)..(startFrame - skipped + into.Rows)], into: into);
    }

    private Matrix ForwardWhole(Backend ops, Matrix x, int zerosBefore, int zerosAfter)
    {
        var firstShape = FirstShape with { PaddingLeft = FirstShape.PaddingLeft + zerosBefore, PaddingRight = FirstShape.PaddingRight + zerosAfter };
        int rows = firstShape.OutputRows(x.Rows);
        long largest = (long)rows * _sizes.Width;
        for (int i = 0, r = rows; i < _blocks.Length; i++)
        {
            r = EncoderBlock.DownsamplingShape(_ratios[i]).OutputRows(r);
            largest = Math.Max(largest, (long)r * Math.Max(_blocks[i].Outputs, _sizes.Latent));
        }
        Room current = new(ops, largest), next = new(ops, largest), spare = new(ops, largest);
        Matrix y = ops.Conv1d(x, _conv1, _conv1Bias, firstShape, into: current.As(rows, _sizes.Width));
        foreach (EncoderBlock block in _blocks)
        {
            y = block.Forward(ops, y, next, spare);
            (current, next) = (next, current);
        }
        ops.Snake(y, _snake, into: y);
        return ops.Conv1d(y, _conv2, _conv2Bias, LastShape, into: next.As(y.Rows, _sizes.Latent));
    }

    // The samples that frames depend on, followed backwards from the last layer to the first.
    private (long First, long Last) Reach(long first, long last)
    {
        (first, last) = (first - LastShape.PaddingLeft, last + LastShape.PaddingRight);
        foreach (int stride in _ratios.Reverse())
        {
            Conv1dShape down = EncoderBlock.DownsamplingShape(stride);
            (first, last) = (first * stride - down.PaddingLeft, last * stride - down.PaddingLeft + down.Kernel - 1);
            foreach (int dilation in EncoderBlock.Dilations)
            {
                Conv1dShape wide = ResidualUnit.WideShape(dilation);
                (first, last) = (first - wide.PaddingLeft, last + wide.PaddingRight);
            }
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
