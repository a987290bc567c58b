using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>SwiGLU feed-forward (arXiv:2002.05202).</summary>
internal sealed class FeedForward(WeightReader weights, HiggsAudioConfig config)
{
    private readonly Weight _gate = weights.Linear("gate_proj", config.IntermediateSize, config.HiddenSize);
    private readonly Weight _up = weights.Linear("up_proj", config.IntermediateSize, config.HiddenSize);
    private readonly Weight _down = weights.Linear("down_proj", config.HiddenSize, config.IntermediateSize);

    public Matrix Forward(Backend ops, Matrix x)
    {
        Matrix gate = ops.Linear(x, _gate);                                       // [rows, intermediate]
        return ops.Linear(ops.SwiGlu(gate, ops.Linear(x, _up), into: gate), _down);
    }
}

/// <summary>Causal grouped-query attention with rotary positions and a cache.</summary>
internal sealed class CausalAttention(WeightReader weights, HiggsAudioConfig config, RotaryTable rotary, int cacheLayer)
{
    private readonly Weight _q = weights.Linear("q_proj", config.NumAttentionHeads * config.HeadDim, config.HiddenSize);
    private readonly Weight _k = weights.Linear("k_proj", config.NumKeyValueHeads * config.HeadDim, config.HiddenSize);
    private readonly Weight _v = weights.Linear("v_proj", config.NumKeyValueHeads * config.HeadDim, config.HiddenSize);
    private readonly Weight _o = weights.Linear("o_proj", config.HiddenSize, config.NumAttentionHeads * config.HeadDim);

    public Matrix Forward(Backend ops, Matrix x, RowMap rows)
    {
        Matrix q = ops.Linear(x, _q);                                             // [rows, heads * headDim]
        Matrix k = ops.Linear(x, _k);                                             // [rows, keyValueHeads * headDim]
        Matrix v = ops.Linear(x, _v);
        return ops.Linear(ops.RotateAppendAttend(q, k, v, rotary, rows, cacheLayer, into: q), _o);
    }
}

/// <summary>A layer of the language model: changes the rows of x in place.</summary>
internal abstract class DecoderLayer
{
    /// <param name="ops">The lane.</param>
    /// <param name="x">[rows, hidden], text rows first.</param>
    /// <param name="batch">What the rows are.</param>
    public abstract void Forward(Backend ops, Matrix x, TokenBatch batch);
}

/// <summary>
/// A plain Llama layer. Either all rows use it alike, or, fast-forward, audio rows pass it unchanged and text rows attend to text rows only.
/// </summary>
internal sealed class LlamaLayer(WeightReader weights, HiggsAudioConfig config, RotaryTable rotary, int cacheLayer, bool fastForward) : DecoderLayer
{
    private readonly Weight _inputNorm = weights.Vector("input_layernorm.weight", config.HiddenSize);
    private readonly Weight _postAttentionNorm = weights.Vector("post_attention_layernorm.weight", config.HiddenSize);
    private readonly CausalAttention _selfAttention = new(weights.Scope("self_attn"), config, rotary, cacheLayer);
    private readonly FeedForward _feedForward = new(weights.Scope("mlp"), config);
    private readonly float _epsilon = config.RmsNormEps;

    public override void Forward(Backend ops, Matrix x, TokenBatch batch)
    {
        using var scratch = ops.Scratch();
        if (fastForward)
            x = x[batch.Text];
        if (x.Rows == 0)
            return;
        RowMap rows = fastForward ? batch.TextAttention : batch.SharedAttention;
        ops.Add(x, _selfAttention.Forward(ops, ops.RmsNorm(x, _inputNorm, _epsilon), rows));
        ops.Add(x, _feedForward.Forward(ops, ops.RmsNorm(x, _postAttentionNorm, _epsilon)));
    }
}
