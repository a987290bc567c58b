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
        ReachFrames = Reach();
    }

    /// <summary>Samples of a frame.</summary>
    public int HopLength { get; }

    /// <summary>Frames before and after a frame that its samples depend on, from the kernels, strides and dilations.</summary>
    public int ReachFrames { get; }

    /// <summary>Decodes some frames. At each layer only the rows that their samples depend on are computed.</summary>
    /// <param name="ops">The lane.</param>
    /// <param name="x">[frames, latent]: the frames and <see cref="ReachFrames"/> before and after, or as many as there are.</param>
    /// <param name="first">The first frame to decode.</param>
    /// <param name="count">How many.</param>
    /// <returns>[count * HopLength, 1]</returns>
    public Matrix Forward(Backend ops, Matrix x, int first, int count)
    {
        var wanted = new RowRange(first * HopLength, (first + count) * HopLength);
        RowRange[][] ranges = Ranges(wanted, x.Rows);
        Matrix samples = ops.Empty(wanted.Rows, 1);
        using var scope = ops.Scratch();
        long largest = (long)x.Rows * _width;
        for (int i = 0; i < _blocks.Length; i++)
            largest = Math.Max(largest, (long)ranges[i][0].Rows * _blocks[i].Stride * _blocks[i].Outputs);
        Room current = new(ops, largest), next = new(ops, largest), spare = new(ops, largest);

        Matrix y = ops.Conv1d(x, _conv1, _conv1Bias, OuterShape, into: current.As(x.Rows, _width));
        y = ranges[0][0].Of(y, new RowRange(0, x.Rows));
        for (int i = 0; i < _blocks.Length; i++)
        {
            y = _blocks[i].Forward(ops, y, ranges[i], next, current, spare);
            (current, next) = (next, current);
        }
        ops.Snake(y, _snake, into: y);
        // At the ends of the clip the convolution has nothing to look at; elsewhere it has, and only what is inside is wanted.
        RowRange had = ranges[^1][^1];
        return ops.Conv1d(y, _conv2, _conv2Bias, OuterShape with
        {
            PaddingLeft = OuterShape.PaddingLeft - (wanted.First - had.First),
            PaddingRight = OuterShape.PaddingRight - (had.End - wanted.End),
        }, into: samples);
    }

    // For each block the rows that are needed of its input, after upsampling, and after each residual unit; counted from the first frame's.
    private RowRange[][] Ranges(RowRange samples, int frames)
    {
        var ranges = new RowRange[_blocks.Length][];
        int rows = frames * HopLength;
        RowRange needed = samples.Before(OuterShape, rows);
        for (int i = _blocks.Length - 1; i >= 0; i--)
        {
            ranges[i] = _blocks[i].Ranges(needed, rows);
            rows /= _blocks[i].Stride;
            needed = ranges[i][0];
        }
        return ranges;
    }

    // What a frame far from both ends depends on, followed backwards from the last layer to the first.
    private int Reach()
    {
        const int Far = 1 << 10;
        RowRange needed = Ranges(new RowRange(Far * HopLength, (Far + 1) * HopLength), 2 * Far)[0][0].Before(OuterShape, 2 * Far);
        return Math.Max(Far - needed.First, needed.End - 1 - Far);
    }
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

    /// <summary>The rows of the input, after upsampling, and after each residual unit, that rows of the result depend on.</summary>
    /// <param name="result">The rows of the result.</param>
    /// <param name="rows">How many the result has.</param>
    public RowRange[] Ranges(RowRange result, int rows)
    {
        var ranges = new RowRange[Dilations.Length + 2];
        ranges[^1] = result;
        for (int i = Dilations.Length; i > 0; i--)
            ranges[i] = ranges[i + 1].Before(ResidualUnit.WideShape(Dilations[i - 1]), rows);
        ranges[0] = ranges[1].Before(UpsamplingShape(stride), rows / stride);
        return ranges;
    }

    /// <param name="ops">The lane.</param>
    /// <param name="x">[rows, inputs], in <paramref name="room1"/>; left undefined.</param>
    /// <param name="ranges">Which rows <paramref name="x"/> has, and which are needed: see <see cref="Ranges"/>.</param>
    /// <param name="result">Where to put the result.</param>
    /// <param name="room1">Room for the residual units.</param>
    /// <param name="room2">Likewise.</param>
    /// <returns>[rows that are needed, outputs]</returns>
    public Matrix Forward(Backend ops, Matrix x, RowRange[] ranges, Room result, Room room1, Room room2)
    {
        ops.Snake(x, _snake, into: x);
        Matrix y = ops.ConvTranspose1d(x, _up, _upBias, UpsamplingShape(stride), into: result.As(x.Rows * stride, outputs));
        y = ranges[1].Of(y, new RowRange(ranges[0].First * stride, ranges[0].End * stride));
        for (int i = 0; i < _units.Length; i++)
        {
            _units[i].Forward(ops, y, room1, room2);
            y = ranges[i + 2].Of(y, ranges[i + 1]);
        }
        return y;
    }
}
