namespace HiggsAudio;

/// <summary>How audio rows pass the layers of the language model (the reference's <c>audio_adapter_type</c>).</summary>
public enum AudioAdapterType
{
    /// <summary>Every layer is a plain one: audio rows use the text weights.</summary>
    Stack,

    /// <summary>Layers in <see cref="HiggsAudioConfig.AudioDualFfnLayers"/> have a second feed-forward for audio rows, the others are plain.</summary>
    DualFfn,

    /// <summary>
    /// Layers in <see cref="HiggsAudioConfig.AudioDualFfnLayers"/> have a second feed-forward for audio rows; audio rows pass the others
    /// unchanged, and neither attend nor are attended to there. The published checkpoint is of this kind, with every layer in the list.
    /// </summary>
    DualFfnFastForward,
}

/// <summary>
/// What the language model of Higgs Audio v2 is made of: sizes, variants and special ids, read from <c>config.json</c> and
/// <c>generation_config.json</c> of either published layout (model types <c>higgs_audio</c> and <c>higgs_audio_v2</c>). Immutable and checked.
/// </summary>
/// <remarks>Names are those of the reference (configuration_higgs_audio.py) and of Llama's configuration.</remarks>
public sealed record HiggsAudioConfig
{
    internal HiggsAudioConfig()
    {
    }

    /// <summary>Text tokens, special ones included: rows of the text embedding and of the text head.</summary>
    public int VocabSize { get; internal init; }

    /// <summary>Features of a row between the layers.</summary>
    public int HiddenSize { get; internal init; }

    /// <summary>Features inside a feed-forward; the same for text and audio.</summary>
    public int IntermediateSize { get; internal init; }

    /// <summary>Number of layers.</summary>
    public int NumHiddenLayers { get; internal init; }

    /// <summary>Query heads.</summary>
    public int NumAttentionHeads { get; internal init; }

    /// <summary>Key and value heads; a divisor of <see cref="NumAttentionHeads"/>.</summary>
    public int NumKeyValueHeads { get; internal init; }

    /// <summary>Features of a head; even.</summary>
    public int HeadDim { get; internal init; }

    /// <summary>What RMSNorm adds to the mean square.</summary>
    public float RmsNormEps { get; internal init; }

    /// <summary>The rotary position embedding.</summary>
    public RopeParameters Rope { get; internal init; } = new(10000f);

    /// <summary>How audio rows pass the layers.</summary>
    public AudioAdapterType AudioAdapterType { get; internal init; }

    /// <summary>Layers with a second feed-forward for audio rows, rising; empty for <see cref="AudioAdapterType.Stack"/>.</summary>
    public IReadOnlyList<int> AudioDualFfnLayers { get; internal init; } = [];

    /// <summary>Whether the embeddings of a frame's codes are averaged, not summed.</summary>
    public bool AudioEmbedAvg { get; internal init; }

    /// <summary>Whether a linear layer follows the embedding of a frame.</summary>
    public bool UseAudioOutEmbedProjector { get; internal init; }

    /// <summary>Whether audio rows attend to audio rows before the shared attention, in the layers of <see cref="AudioDualFfnLayers"/>.</summary>
    public bool UseAudioOutSelfAttention { get; internal init; }

    /// <summary>Whether audio in the prompt's user and system messages is given to the model as codes.</summary>
    public bool EncodeAudioInTokens { get; internal init; }

    /// <summary>Whether codebook c of a frame is fed and predicted c steps late.</summary>
    public bool UseDelayPattern { get; internal init; }

    /// <summary>Codebooks: codes of a frame.</summary>
    public int AudioNumCodebooks { get; internal init; }

    /// <summary>
    /// Entries of one codebook as the language model sees it, the begin and end of stream included (1026 in the published checkpoint;
    /// the reference's <c>audio_codebook_size</c> does not count those two).
    /// </summary>
    public int CodebookSize { get; internal init; }

    /// <summary>The code that fills a codebook before its stream begins.</summary>
    public int AudioStreamBosId { get; internal init; }

    /// <summary>The code that ends a codebook's stream.</summary>
    public int AudioStreamEosId { get; internal init; }

    /// <summary>The id of <c>&lt;|AUDIO|&gt;</c>, the placeholder of audio in user and system messages.</summary>
    public int AudioInTokenId { get; internal init; }

    /// <summary>The id of <c>&lt;|AUDIO_OUT|&gt;</c>, the placeholder of audio in assistant messages.</summary>
    public int AudioOutTokenId { get; internal init; }

    /// <summary>The id of <c>&lt;|audio_out_bos|&gt;</c>, after which frames follow.</summary>
    public int AudioOutBosTokenId { get; internal init; }

    /// <summary>The id of <c>&lt;|audio_eos|&gt;</c>, fed after the last frame.</summary>
    public int AudioEosTokenId { get; internal init; }

    /// <summary>The id of padding.</summary>
    public int PadTokenId { get; internal init; }

    /// <summary>
    /// Text tokens that end generation: <c>eos_token_id</c> of generation_config.json if there is one, else of config.json; may be empty.
    /// The reference stops at <c>&lt;|end_of_text|&gt;</c> and <c>&lt;|eot_id|&gt;</c> besides.
    /// </summary>
    public IReadOnlyList<int> EosTokenIds { get; internal init; } = [];

    internal bool HasFastForwardLayers => AudioAdapterType == AudioAdapterType.DualFfnFastForward && AudioDualFfnLayers.Count < NumHiddenLayers;

    internal bool IsDualFfn(int layer) => AudioDualFfnLayers.Contains(layer);

    /// <summary>Reads <c>config.json</c> and, where present, <c>generation_config.json</c>.</summary>
    /// <param name="path">A checkpoint folder, or a file in one.</param>
    /// <exception cref="Compute.Checkpoints.CheckpointException">A file is missing or broken, or describes another model.</exception>
    public static HiggsAudioConfig Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Model.ConfigReader.Load(path);
    }
}
