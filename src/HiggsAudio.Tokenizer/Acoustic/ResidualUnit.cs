using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Acoustic;

/// <summary>x + conv1(snake(conv7(snake(x)))): the unit of the Descript audio codec (arXiv:2306.06546; dac.py, ResidualUnit).</summary>
internal sealed class ResidualUnit(WeightReader reader, int channels, int dilation)
{
    /// <summary>The geometry of the wide convolution.</summary>
    public static Conv1dShape WideShape(int dilation) => Conv1dShape.Same(7, dilation);

    private readonly Weight _snake1 = reader.Vector("snake1.alpha", channels);
    private readonly Weight _snake2 = reader.Vector("snake2.alpha", channels);
    private readonly Weight _conv1 = reader.Conv1d("conv1", channels, channels, 7);
    private readonly Weight _conv1Bias = reader.Vector("conv1.bias", channels);
    private readonly Weight _conv2 = reader.Conv1d("conv2", channels, channels, 1);
    private readonly Weight _conv2Bias = reader.Vector("conv2.bias", channels);

    /// <param name="ops">The lane.</param>
    /// <param name="x">[rows, channels]; becomes the result.</param>
    /// <param name="room1">Room for rows × channels values.</param>
    /// <param name="room2">Likewise.</param>
    public void Forward(Backend ops, Matrix x, Room room1, Room room2)
    {
        Matrix y = ops.Snake(x, _snake1, into: room1.As(x.Rows, channels));
        Matrix z = ops.Conv1d(y, _conv1, _conv1Bias, WideShape(dilation), into: room2.As(x.Rows, channels));
        ops.Snake(z, _snake2, into: z);
        ops.Conv1d(z, _conv2, _conv2Bias, new Conv1dShape(1), into: y);
        ops.Add(x, y);
    }
}
