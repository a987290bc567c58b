using HiggsAudio.Acoustic;
using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Quantizer;
using HiggsAudio.Semantic;

namespace HiggsAudio;

/// <summary>
/// The codec's network (X-Codec, arXiv:2408.17175; higgs_audio_tokenizer.py): an acoustic and a semantic encoder side by side, one
/// quantizer for both, an acoustic decoder. Stateless and immutable; a lane and samples or codes are its arguments. The encoders' tensors are checked
/// at once, but read when something is encoded for the first time: most programs only decode.
/// </summary>
internal sealed class CodecNetwork
{
    // Zeros around the samples that the semantic model hears; the acoustic encoder's are this times the downsampling factor.
    private const int SemanticPadding = 160;

    private readonly AudioCodecConfig _config;
    private readonly Resampler _semanticResampler;
    private readonly Encoders? _sizes;
    private readonly Lazy<Encoders> _encoders;
    private readonly Weight _post;
    private readonly Weight _postBias;
    private readonly ResidualVectorQuantizer _quantizer;
    private readonly AcousticDecoder _decoder;

    public CodecNetwork(WeightReader reader, AudioCodecConfig config, CodecTensors tensors)
    {
        (_config, Quantizer) = (config, tensors.Quantizer);
        _semanticResampler = Resampler.SincHann(config.SampleRate, config.SemanticSampleRate);
        _quantizer = new ResidualVectorQuantizer(reader.Scope("quantizer"), tensors.Quantizer, decodeOnly: tensors.Encoder is null);
        _post = reader.Linear("fc2", tensors.Decoder.Latent, tensors.Quantizer.Width);
        _postBias = reader.Vector("fc2.bias", tensors.Decoder.Latent);
        _decoder = new AcousticDecoder(reader.Scope("acoustic_decoder"), tensors.Decoder, config.UpsamplingRatios);
        _sizes = tensors.Encoder is null ? null : new Encoders(reader.ShapesOnly(), config, tensors);
        _encoders = new Lazy<Encoders>(() => new Encoders(reader, config, tensors));
    }

    /// <summary>Whether it can encode.</summary>
    public bool CanEncode => _sizes is not null;

    /// <summary>Whether the encoders' weights were read.</summary>
    public bool HasReadEncoders => _encoders.IsValueCreated;

    /// <summary>Reads the encoders' weights if that was not done. A failure is kept: it would only be repeated.</summary>
    public void ReadEncoders() => _ = _encoders.Value;

    /// <summary>The codebooks.</summary>
    public QuantizerSizes Quantizer { get; }

    /// <summary>See <see cref="AudioCodec.DecoderReachFrames"/>.</summary>
    public int DecoderReachFrames => _decoder.ReachFrames;

    /// <summary>The longest clip that can be encoded, in samples: its largest activation is the semantic model's first.</summary>
    public long MostSamples => (long)_sizes!.Hubert.MostSamples * _config.SampleRate / _config.SemanticSampleRate;

    /// <summary>Samples that are padded to, if fewer are too few for a single frame; else the number itself.</summary>
    public int PaddedLength(int samples)
    {
        int padded = samples;
        while (Plan(padded).Frames == 0)
            padded = padded < _config.HopLength ? _config.HopLength : padded + _config.HopLength;
        return padded;
    }

    /// <summary>How many frames the encoders give for a number of samples. The lengths alone decide whether the acoustic side is padded.</summary>
    public EncodingPlan Plan(int samples)
    {
        int factor = _config.SemanticDownsampleFactor;
        int semanticSamples = _semanticResampler.OutputLength(samples);
        int hidden = _sizes!.Hubert.Frames(semanticSamples + 2 * SemanticPadding);
        int semantic = factor <= 1 ? hidden : _config.AveragesSemanticFrames ? hidden / factor : (hidden + factor - 1) / factor;
        int acoustic = _sizes.Acoustic.Frames(samples), padding = 0;
        if (acoustic > 0 && acoustic != semantic)
        {
            padding = SemanticPadding * factor;
            acoustic = _sizes.Acoustic.Frames(samples + 2 * padding);
        }
        return new EncodingPlan(semantic, acoustic, padding);
    }

    /// <param name="ops">The lane.</param>
    /// <param name="samples">At least as many as <see cref="PaddedLength"/> wants, at the codec's rate.</param>
    /// <param name="cancellationToken">Ends the work between steps.</param>
    /// <returns>[codebooks, frames]</returns>
    public int[] Encode(Backend ops, ReadOnlySpan<float> samples, CancellationToken cancellationToken)
    {
        using var scope = ops.Scratch();
        EncodingPlan plan = Plan(samples.Length);
        Encoders encoders = _encoders.Value;
        (int acousticWidth, int semanticWidth) = (encoders.AcousticWidth, encoders.SemanticWidth);
        Matrix merged = ops.Empty(Math.Max(plan.SemanticFrames, plan.AcousticFrames), acousticWidth + semanticWidth);
        Matrix acoustic = merged[..plan.AcousticFrames].Slice(0, acousticWidth);
        Matrix semantic = merged[..plan.SemanticFrames].Slice(acousticWidth, semanticWidth);

        EncodeSemantic(ops, encoders, samples, semantic, cancellationToken);
        ops.Observe("e_semantic", 0, semantic);
        EncodeAcoustic(ops, encoders.Acoustic, samples, plan.AcousticPadding, acoustic, cancellationToken);
        ops.Observe("e_acoustic", 0, acoustic);

        merged = merged[..plan.Frames];
        ops.Observe("concat", 0, merged);
        Matrix x = ops.Linear(merged, encoders.Merge, encoders.MergeBias);
        ops.Observe("pre_quant", 0, x);
        return _quantizer.Encode(ops, x);
    }

    /// <summary>Decodes frames; exact, because it looks at the frames around them that they depend on.</summary>
    /// <param name="ops">The lane.</param>
    /// <param name="codes">Codes of the whole clip.</param>
    /// <param name="start">First frame to decode.</param>
    /// <param name="frames">Number of frames to decode.</param>
    /// <param name="samples">Room for their samples.</param>
    public void Decode(Backend ops, AudioCodes codes, int start, int frames, Span<float> samples)
    {
        using var scope = ops.Scratch();
        int from = Math.Max(0, start - DecoderReachFrames), to = Math.Min(codes.Frames, start + frames + DecoderReachFrames);
        Matrix quantized = _quantizer.Decode(ops, codes, from, to - from);     // [frames, width]
        ops.Observe("quantized", 0, quantized);
        Matrix latent = ops.Linear(quantized, _post, _postBias);               // [frames, latent]
        ops.Observe("decoder_in", 0, latent);
        Matrix wave = _decoder.Forward(ops, latent, start - from, frames);     // [frames * hop, 1]
        ops.Read(wave, samples);
    }

    private void EncodeSemantic(Backend ops, Encoders encoders, ReadOnlySpan<float> samples, Matrix into, CancellationToken cancellationToken)
    {
        using var scope = ops.Scratch();
        float[] heard = _semanticResampler.Resample(samples);
        Matrix x = ops.Upload(heard, heard.Length, 1);
        ops.Observe("resampled", 0, x);
        Matrix hidden = encoders.Hubert.Forward(ops, x, SemanticPadding, cancellationToken);
        Matrix target = Downsample(ops, hidden, _config.SemanticDownsampleFactor);
        ops.Observe("semantic_target", 0, target);
        encoders.Semantic.Forward(ops, target, into);
    }

    private Matrix Downsample(Backend ops, Matrix hidden, int factor)
    {
        if (factor <= 1)
            return hidden;
        if (!_config.AveragesSemanticFrames)
            return ops.Copy(hidden.EveryRow(0, factor));
        int frames = hidden.Rows / factor;
        Matrix mean = ops.Copy(hidden.EveryRow(0, factor)[..frames]);
        for (int i = 1; i < factor; i++)
            ops.Add(mean, hidden.EveryRow(i, factor)[..frames]);
        ops.Scale(mean, 1f / factor);
        return mean;
    }

    private static void EncodeAcoustic(Backend ops, AcousticEncoder encoder, ReadOnlySpan<float> samples, int padding, Matrix into, CancellationToken cancellationToken)
    {
        using var scope = ops.Scratch();
        encoder.Forward(ops, ops.Upload(samples, samples.Length, 1), padding, into, cancellationToken);
    }

    private sealed class Encoders
    {
        public Encoders(WeightReader reader, AudioCodecConfig config, CodecTensors tensors)
        {
            (AcousticWidth, SemanticWidth) = (tensors.Encoder!.Latent, tensors.SemanticEncoder!.Outputs);
            Acoustic = new AcousticEncoder(reader.Scope("acoustic_encoder"), tensors.Encoder, config.DownsamplingRatios);
            Hubert = new Hubert(reader.Scope("semantic_model"), tensors.Hubert!, config.Hubert);
            Semantic = new SemanticEncoder(reader.Scope("encoder_semantic"), tensors.SemanticEncoder, config.SemanticEncoder);
            int merged = AcousticWidth + SemanticWidth;
            (Merge, MergeBias) = (reader.Linear("fc", tensors.Quantizer.Width, merged), reader.Vector("fc.bias", tensors.Quantizer.Width));
        }

        public int AcousticWidth { get; }

        public int SemanticWidth { get; }

        public AcousticEncoder Acoustic { get; }

        public Hubert Hubert { get; }

        public SemanticEncoder Semantic { get; }

        public Weight Merge { get; }

        public Weight MergeBias { get; }
    }
}

/// <summary>Frames of the two encoders for a clip, and the zeros to put around the samples of the acoustic one.</summary>
internal readonly record struct EncodingPlan(int SemanticFrames, int AcousticFrames, int AcousticPadding)
{
    /// <summary>Frames of codes: the longer side is cropped.</summary>
    public int Frames => Math.Min(SemanticFrames, AcousticFrames);
}
