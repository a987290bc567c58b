#pragma warning disable CS1591 // The operations above document what each kernel computes: rows > 0, shapes checked, y never partly outside.
namespace HiggsAudio.Compute;

public abstract partial class Backend
{
    protected abstract void ZeroKernel(Matrix y);
    protected abstract void EmbedKernel(Weight table, ReadOnlySpan<int> ids, Matrix y);
    protected abstract void EmbedSumKernel(Weight table, ReadOnlySpan<int> ids, int perRow, bool average, Matrix y);
    protected abstract void LinearKernel(Matrix x, Weight weight, Weight? bias, Matrix y);
    protected abstract void RmsNormKernel(Matrix x, Weight gain, float epsilon, Matrix y);
    protected abstract void LayerNormKernel(Matrix x, Weight gain, Weight bias, float epsilon, Matrix y);
    protected abstract void GroupNormKernel(Matrix x, int groups, Weight gain, Weight bias, float epsilon, Matrix y);
    protected abstract void RotateAppendAttendKernel(Matrix q, Matrix k, Matrix v, RotaryTable rotary, RowMap rows, int layer, Matrix y);
    protected abstract void SelfAttentionKernel(Matrix q, Matrix k, Matrix v, int heads, Matrix y);
    protected abstract void SwiGluKernel(Matrix gate, Matrix up, Matrix y);
    protected abstract void GeluKernel(Matrix x, Matrix y);
    protected abstract void EluKernel(Matrix x, Matrix y);
    protected abstract void SnakeKernel(Matrix x, Weight alpha, Matrix y);
    protected abstract void AddKernel(Matrix x, Matrix y);
    protected abstract void ScaleKernel(Matrix x, float factor);
    protected abstract void CopyKernel(Matrix x, Matrix y);
    protected abstract void TakeRowsKernel(Matrix x, ReadOnlySpan<int> rows, Matrix y);
    protected abstract void Conv1dKernel(Matrix x, Weight weight, Weight? bias, Conv1dShape shape, Matrix y);
    protected abstract void ConvTranspose1dKernel(Matrix x, Weight weight, Weight? bias, ConvTranspose1dShape shape, Matrix y);
    protected abstract void NearestRowKernel(Matrix x, Weight table, Span<int> indices);
}
