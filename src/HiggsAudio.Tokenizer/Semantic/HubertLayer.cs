using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Semantic;

/// <summary>A transformer layer with the norms after the sums (modeling_hubert.py, HubertEncoderLayer).</summary>
internal sealed class HubertLayer(WeightReader reader, int width, int feedForwardWidth, int heads, float epsilon)
{
    private readonly Weight _query = reader.Linear("attention.q_proj", width, width);
    private readonly Weight _queryBias = reader.Vector("attention.q_proj.bias", width);
    private readonly Weight _key = reader.Linear("attention.k_proj", width, width);
    private readonly Weight _keyBias = reader.Vector("attention.k_proj.bias", width);
    private readonly Weight _value = reader.Linear("attention.v_proj", width, width);
    private readonly Weight _valueBias = reader.Vector("attention.v_proj.bias", width);
    private readonly Weight _output = reader.Linear("attention.out_proj", width, width);
    private readonly Weight _outputBias = reader.Vector("attention.out_proj.bias", width);
    private readonly Weight _norm = reader.Vector("layer_norm.weight", width);
    private readonly Weight _normBias = reader.Vector("layer_norm.bias", width);
    private readonly Weight _up = reader.Linear("feed_forward.intermediate_dense", feedForwardWidth, width);
    private readonly Weight _upBias = reader.Vector("feed_forward.intermediate_dense.bias", feedForwardWidth);
    private readonly Weight _down = reader.Linear("feed_forward.output_dense", width, feedForwardWidth);
    private readonly Weight _downBias = reader.Vector("feed_forward.output_dense.bias", width);
    private readonly Weight _finalNorm = reader.Vector("final_layer_norm.weight", width);
    private readonly Weight _finalNormBias = reader.Vector("final_layer_norm.bias", width);

    /// <param name="ops">The lane.</param>
    /// <param name="x">[frames, width]; becomes the result.</param>
    public void Forward(Backend ops, Matrix x)
    {
        Attend(ops, x);
        ops.LayerNorm(x, _norm, _normBias, epsilon, into: x);
        FeedForward(ops, x);
        ops.LayerNorm(x, _finalNorm, _finalNormBias, epsilon, into: x);
    }

    private void Attend(Backend ops, Matrix x)
    {
        using var scope = ops.Scratch();
        Matrix q = ops.Linear(x, _query, _queryBias);
        Matrix k = ops.Linear(x, _key, _keyBias);
        Matrix v = ops.Linear(x, _value, _valueBias);
        Matrix attended = ops.SelfAttention(q, k, v, heads);      // [frames, heads * headDim]
        ops.Add(x, ops.Linear(attended, _output, _outputBias, into: q));
    }

    private void FeedForward(Backend ops, Matrix x)
    {
        using var scope = ops.Scratch();
        Matrix y = ops.Linear(x, _up, _upBias);                   // [frames, feedForwardWidth]
        ops.Gelu(y, into: y);
        ops.Add(x, ops.Linear(y, _down, _downBias));
    }
}
