using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>What text rows, or audio rows, have to themselves in a layer.</summary>
internal sealed class Expert(WeightReader weights, HiggsAudioConfig config, string prefix)
{
    private readonly Weight _inputNorm = weights.Vector($"{prefix}input_layernorm.weight", config.HiddenSize);
    private readonly Weight _postAttentionNorm = weights.Vector($"{prefix}post_attention_layernorm.weight", config.HiddenSize);
    private readonly FeedForward _feedForward = new(weights.Scope($"{prefix}mlp"), config);
    private readonly float _epsilon = config.RmsNormEps;

    public void InputNorm(Backend ops, Matrix x, Matrix into) => ops.RmsNorm(x, _inputNorm, _epsilon, into);

    /// <summary>The second half of the layer: adds the feed-forward of the normalised rows to them.</summary>
    public void FeedForward(Backend ops, Matrix x)
    {
        if (x.Rows > 0)
            ops.Add(x, _feedForward.Forward(ops, ops.RmsNorm(x, _postAttentionNorm, _epsilon)));
    }
}

/// <summary>
/// A Llama layer in which text and audio rows share the attention, but have norms and a feed-forward each: DualFFN (reference:
/// <c>HiggsAudioDualFFNDecoderLayer</c>). Optionally audio rows attend to audio rows before, in a cache layer of their own.
/// </summary>
internal sealed class DualFfnLayer : DecoderLayer
{
    private readonly Expert _text, _audio;
    private readonly CausalAttention _selfAttention;
    private readonly CausalAttention? _audioAttention;
    private readonly Weight? _postAudioAttentionNorm;
    private readonly float _epsilon;

    /// <param name="weights">The layer's tensors.</param>
    /// <param name="config">The sizes.</param>
    /// <param name="rotary">The rotation.</param>
    /// <param name="cacheLayer">Its layer of the cache; audio's own attention, if there is one, has the next.</param>
    public DualFfnLayer(WeightReader weights, HiggsAudioConfig config, RotaryTable rotary, int cacheLayer)
    {
        _text = new Expert(weights, config, "");
        _audio = new Expert(weights, config, "audio_");
        _selfAttention = new CausalAttention(weights.Scope("self_attn"), config, rotary, cacheLayer);
        _epsilon = config.RmsNormEps;
        if (!config.UseAudioOutSelfAttention)
            return;
        _audioAttention = new CausalAttention(weights.Scope("audio_attn"), config, rotary, cacheLayer + 1);
        _postAudioAttentionNorm = weights.Vector("audio_post_audio_attn_layer_norm.weight", config.HiddenSize);
    }

    public override void Forward(Backend ops, Matrix x, TokenBatch batch)
    {
        using var scratch = ops.Scratch();
        Matrix text = x[batch.Text], audio = x[batch.Audio];
        Matrix h = ops.Empty(x.Rows, x.Columns);
        _text.InputNorm(ops, text, into: h[batch.Text]);
        _audio.InputNorm(ops, audio, into: h[batch.Audio]);

        if (_audioAttention is not null && audio.Rows > 0)
        {
            ops.Add(audio, _audioAttention.Forward(ops, h[batch.Audio], batch.AudioAttention));
            ops.RmsNorm(audio, _postAudioAttentionNorm!, _epsilon, into: h[batch.Audio]);
        }
        ops.Add(x, _selfAttention.Forward(ops, h, batch.SharedAttention));

        _text.FeedForward(ops, text);
        _audio.FeedForward(ops, audio);
    }
}
