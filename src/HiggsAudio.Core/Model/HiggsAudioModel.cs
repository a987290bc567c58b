using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>
/// The language model of Higgs Audio v2: Llama 3.2 with a second feed-forward for audio rows, frames of codes beside text tokens as input
/// and output. Immutable: any number of lanes may use it at once.
/// </summary>
internal sealed class HiggsAudioModel
{
    private readonly Device _device;
    private readonly Weight _textEmbedding, _audioEmbedding;                      // [vocabulary, hidden], [codebooks * codebook size, hidden]
    private readonly Weight? _audioProjector;
    private readonly DecoderLayer[] _layers;
    private readonly Weight _norm;
    private readonly Weight _textHead, _audioHead;                                // like the embeddings; never tied to them

    /// <param name="weights">The tensors under their canonical names.</param>
    /// <param name="config">What they are expected to be.</param>
    /// <param name="keyValueFormat">The format of the sequences' caches.</param>
    /// <exception cref="CheckpointException">Tensors are missing, misshaped or left over.</exception>
    public HiggsAudioModel(WeightReader weights, HiggsAudioConfig config, KeyValueFormat keyValueFormat)
    {
        _device = weights.Device;
        Config = config = WithStoredCodebookSize(config, weights);
        int entries = config.AudioNumCodebooks * config.CodebookSize, hidden = config.HiddenSize;
        _textEmbedding = TensorNames.Splittable(weights, "embed_tokens", "embedding", config.VocabSize, hidden, WeightUse.Table);
        _audioEmbedding = weights.Table("audio_codebook_embeddings.weight", entries, hidden);
        _audioProjector = config.UseAudioOutEmbedProjector ? weights.Linear("audio_out_embed_projector", hidden, hidden) : null;
        (_layers, int cacheLayers) = Layers(weights, config);
        CacheShape = new KvCacheShape(cacheLayers, config.NumKeyValueHeads, config.HeadDim, keyValueFormat);
        _norm = weights.Vector("norm.weight", hidden);
        _textHead = TensorNames.Splittable(weights, "text_lm_head", "linear", config.VocabSize, hidden, WeightUse.Linear);
        _audioHead = TensorNames.Splittable(weights, "audio_lm_head", "linear", entries, hidden, WeightUse.Linear);
        weights.Complete();
        Weights = weights.Made;
    }

    /// <summary>What the model is; the codebook size is that of the stored audio head.</summary>
    public HiggsAudioConfig Config { get; }

    /// <summary>All weights by their canonical names.</summary>
    public IReadOnlyDictionary<string, Weight> Weights { get; }

    /// <summary>The sizes of a sequence's cache.</summary>
    public KvCacheShape CacheShape { get; }

    /// <summary>Loads the model from an open checkpoint of either layout; the checkpoint must stay open as long as the device.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="device">Where the weights go.</param>
    /// <param name="plan">The formats of the weights.</param>
    /// <param name="keyValueFormat">The format of the sequences' caches.</param>
    /// <param name="progress">Told after every tensor the part that is done; it may throw, to end the work.</param>
    public static HiggsAudioModel Load(Checkpoint checkpoint, HiggsAudioConfig config, Device device, QuantizationPlan plan,
        KeyValueFormat keyValueFormat = KeyValueFormat.Float32, Action<double>? progress = null)
    {
        TensorNames.RefuseOtherModels(checkpoint);
        plan.Check(checkpoint);
        var weights = new WeightReader(checkpoint, device, TensorNames.Canonical, plan.FormatOf, progress);
        return new HiggsAudioModel(weights, config, keyValueFormat);
    }

    /// <summary>Loads the model with the default plan of a format.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="device">Where the weights go.</param>
    /// <param name="format">The format of the layers' weights and the text head.</param>
    public static HiggsAudioModel Load(Checkpoint checkpoint, HiggsAudioConfig config, Device device, WeightFormat format = WeightFormat.AsStored) =>
        Load(checkpoint, config, device, new QuantizationPlan(format));

    /// <summary>An empty sequence.</summary>
    public SequenceState CreateSequence() => new(_device.CreateKvCache(CacheShape));

    /// <summary>An empty batch, to be kept and cleared.</summary>
    public TokenBatch CreateBatch() => new(Config);

    /// <summary>
    /// Runs some rows through the first layer and the audio head. On the CPU, what computes is compiled when it is first needed: this does it before
    /// anybody waits for sound.
    /// </summary>
    public void WarmUp()
    {
        const int TextRows = 9;                                                   // rows are multiplied in eights, fours, and by themselves
        using Backend ops = _device.CreateLane();
        using SequenceState sequence = CreateSequence();
        TokenBatch batch = CreateBatch();
        for (int row = 0; row < TextRows; row++)
            batch.AddText(sequence, 0);
        Forward(ops, batch, layers: 1);
        batch.Clear();
        batch.AddAudio(sequence, new int[Config.AudioNumCodebooks]);
        batch.RequestAudioLogits();
        Forward(ops, batch, layers: 1);
    }

    /// <summary>Runs the rows of a batch through the model: extends their sequences' caches and computes the logits that were asked for.</summary>
    public void Forward(Backend ops, TokenBatch batch) => Forward(ops, batch, _layers.Length);

    private void Forward(Backend ops, TokenBatch batch, int layers)
    {
        if (batch.Count == 0)
            throw new ArgumentException("The batch is empty.", nameof(batch));
        batch.Seal();
        using var scratch = ops.Scratch();
        Matrix x = Embed(ops, batch);                                             // [rows, hidden]
        ops.Observe("hidden_states", 0, x);
        for (int i = 0; i < layers; i++)
        {
            _layers[i].Forward(ops, x, batch);
            ops.Observe("hidden_states", i + 1, x);
        }
        if (batch.TextLogitRows.Length > 0)
            ops.Read(Logits(ops, x, batch.TextLogitRows, _textHead), batch.TextLogitResults());
        if (batch.AudioLogitRows.Length > 0)
            ops.Read(Logits(ops, x, batch.AudioLogitRows, _audioHead), batch.AudioLogitResults());
    }

    private Matrix Embed(Backend ops, TokenBatch batch)
    {
        Matrix x = ops.Empty(batch.Count, Config.HiddenSize);
        if (batch.TextIds.Length > 0)
            ops.Embed(_textEmbedding, batch.TextIds, into: x[batch.Text]);
        if (batch.AudioIds.Length == 0)
            return x;
        if (_audioProjector is null)
            ops.EmbedSum(_audioEmbedding, batch.AudioIds, Config.AudioNumCodebooks, Config.AudioEmbedAvg, into: x[batch.Audio]);
        else
            ops.Linear(ops.EmbedSum(_audioEmbedding, batch.AudioIds, Config.AudioNumCodebooks, Config.AudioEmbedAvg), _audioProjector, into: x[batch.Audio]);
        return x;
    }

    private Matrix Logits(Backend ops, Matrix x, ReadOnlySpan<int> rows, Weight head)
    {
        Matrix h = ops.RmsNorm(ops.TakeRows(x, rows), _norm, Config.RmsNormEps);
        ops.Observe("final_norm", 0, h);
        return ops.Linear(h, head);                                               // [requests, entries]
    }

    private static (DecoderLayer[] Layers, int CacheLayers) Layers(WeightReader weights, HiggsAudioConfig config)
    {
        var rotary = new RotaryTable(config.Rope.InverseFrequencies(config.HeadDim));
        var layers = new DecoderLayer[config.NumHiddenLayers];
        int cacheLayers = 0;
        for (int i = 0; i < layers.Length; i++)
        {
            bool dual = config.IsDualFfn(i);
            WeightReader layer = weights.Scope($"layers.{i}");
            layers[i] = dual
                ? new DualFfnLayer(layer, config, rotary, cacheLayers)
                : new LlamaLayer(layer, config, rotary, cacheLayers, fastForward: config.AudioAdapterType == AudioAdapterType.DualFfnFastForward);
            cacheLayers += dual && config.UseAudioOutSelfAttention ? 2 : 1;
        }
        return (layers, cacheLayers);
    }

    // Configurations disagree on whether the codebook size counts the begin and end of stream; the rows of the audio head decide.
    private static HiggsAudioConfig WithStoredCodebookSize(HiggsAudioConfig config, WeightReader weights)
    {
        (long size, long rest) = Math.DivRem(TensorNames.RowsOfSplittable(weights, "audio_lm_head", "linear"), config.AudioNumCodebooks);
        bool plausible = rest == 0 && size > Math.Max(config.AudioStreamBosId, config.AudioStreamEosId) && size <= 1 << 20;
        return plausible ? config with { CodebookSize = (int)size } : config;
    }
}
