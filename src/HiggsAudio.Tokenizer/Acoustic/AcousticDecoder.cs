using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Acoustic;

/// <summary>
/// Latent frames to samples: the Descript audio codec's decoder (arXiv:2306.06546; dac.py, Decoder) with the ratios in the encoder's
/// order, odd strides padded to exact multiples, and no tanh at the end.
/// </summary>
internal sealed class AcousticDecoder
{
    private static readonly Conv1dShape OuterShape = Conv1dShape.Same(7);

    private readonly int _width;
    private readonly Weight _conv1;
    private readonly Weight _conv1Bias;
    private readonly DecoderBlock[] _blocks;
    private readonly Weight _snake;
    private readonly Weight _conv2;
    private readonly Weight _conv2Bias;

    public AcousticDecoder(WeightReader reader, AcousticSizes sizes, int[] ratios)
    {
        _width = sizes.Width;
        _conv1 = reader.Conv1d("conv1", _width, sizes.Latent, OuterShape.Kernel);
        _conv1Bias = reader.Vector("conv1.bias", _width);
        _blocks = [.. ratios.Select((stride, i) => new DecoderBlock(reader.Scope($"block.{i}"), _width >> i, _width >> (i + 1), stride))];
        int last = _width >> ratios.Length;
        _snake = reader.Vector("snake1.alpha", last);
        _conv2 = reader.Conv1d("conv2", 1, last, OuterShape.Kernel);
        _conv2Bias = reader.Vector("conv2.bias", 1);
        HopLength = ratios.Aggregate(1, (product, ratio) => product * ratio);
        ReachFrames = Reach(ratios, HopLength);
    }

    /// <summary>Samples of a frame.</summary>
    public int HopLength { get; }

    /// <summary>Frames before and after a frame that its samples depend on, from the kernels, strides and dilations.</summary>
    public int ReachFrames { get; }

    /// <param name="ops">The lane.</param>
    /// <param name="x">[frames, latent]</param>
    /// <returns>[frames * HopLength, 1]</returns>
    public Matrix Forward(Backend ops, Matrix x)
    {
        Matrix samples = ops.Empty(x.Rows * HopLength, 1);
        using var scope = ops.Scratch();
        long largest = _blocks.Aggregate((Rows: (long)x.Rows, Most: (long)x.Rows * _width),
            (size, block) => (size.Rows * block.Stride, Math.Max(size.Most, size.Rows * block.Stride * block.Outputs)), size => size.Most);
        Room current = new(ops, largest), next = new(ops, largest), spare = new(ops, largest);

        Matrix y = ops.Conv1d(x, _conv1, _conv1Bias, OuterShape, into: current.As(x.Rows, _width));
        foreach (DecoderBlock block in _blocks)
        {
            y = block.Forward(ops, y, next, current, spare);
            (current, next) = (next, current);
        }
        ops.Snake(y, _snake, into: y);
        return ops.Conv1d(y, _conv2, _conv2Bias, OuterShape, into: samples);
    }

    // The rows that the samples of frame 0 depend on, followed backwards from the last layer to the first.
    private static int Reach(int[] ratios, int hop)
    {
        (long first, long last) = Widen(0, hop - 1, OuterShape);
        foreach (int stride in ratios.Reverse())
        {
            foreach (int dilation in DecoderBlock.Dilations)
                (first, last) = Widen(first, last, ResidualUnit.WideShape(dilation));
            ConvTranspose1dShape shape = DecoderBlock.UpsamplingShape(stride);
            (long oldest, last) = (DivideDown(first + shape.Padding, stride) - shape.Taps + 1, DivideDown(last + shape.Padding, stride));
            first = oldest;
        }
        (first, last) = Widen(first, last, OuterShape);
        return (int)Math.Max(-first, last);
    }

    private static (long First, long Last) Widen(long first, long last, Conv1dShape shape) => (first - shape.PaddingLeft, last + shape.PaddingRight);

    private static long DivideDown(long value, int divisor) => (long)Math.Floor((double)value / divisor);
}

/// <summary>Snake, upsampling, three residual units (dac.py, DecoderBlock).</summary>
internal sealed class DecoderBlock(WeightReader reader, int inputs, int outputs, int stride)
{
    /// <summary>Dilations of the residual units.</summary>
    public static readonly int[] Dilations = [1, 3, 9];

    /// <summary>The geometry that makes exactly stride rows of one.</summary>
    public static ConvTranspose1dShape UpsamplingShape(int stride) => new(2 * stride, stride, (stride + 1) / 2, stride % 2);

    private readonly Weight _snake = reader.Vector("snake1.alpha", inputs);
    private readonly Weight _up = reader.ConvTranspose1d("conv_t1", inputs, outputs, 2 * stride, stride);
    private readonly Weight _upBias = reader.Vector("conv_t1.bias", outputs);
    private readonly ResidualUnit[] _units = [.. Dilations.Select((dilation, i) => new ResidualUnit(reader.Scope($"res_unit{i + 1}"), outputs, dilation))];

    public int Stride => stride;

    public int Outputs => outputs;

    /// <param name="ops">The lane.</param>
    /// <param name="x">[rows, inputs], in <paramref name="room1"/>; left undefined.</param>
    /// <param name="result">Where to put the result.</param>
    /// <param name="room1">Room for the residual units.</param>
    /// <param name="room2">Likewise.</param>
    /// <returns>[rows * stride, outputs]</returns>
    public Matrix Forward(Backend ops, Matrix x, Room result, Room room1, Room room2)
    {
        ops.Snake(x, _snake, into: x);
        Matrix y = ops.ConvTranspose1d(x, _up, _upBias, UpsamplingShape(stride), into: result.As(x.Rows * stride, outputs));
        foreach (ResidualUnit unit in _units)
            unit.Forward(ops, y, room1, room2);
        return y;
    }
}
