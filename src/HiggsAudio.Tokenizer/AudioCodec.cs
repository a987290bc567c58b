using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;

namespace HiggsAudio;

/// <summary>
/// The Higgs Audio v2 codec: waveforms to codes and back. It equals the reference's HiggsAudioTokenizer (boson_multimodal,
/// higgs_audio_tokenizer.py), but accepts clips shorter than a frame. Thread-safe: callers work side by side, each with its own
/// scratch memory; a single call uses several threads, too. What only encoding needs, most of the weights, is checked while loading but read by
/// the first <see cref="Encode"/>.
/// </summary>
/// <remarks>
/// Memory beside the weights, for the published codec: encoding holds about 10 MB per second of the clip, as the semantic model hears all
/// of it at once; decoding about 20 MB, whatever the length. Per concurrent caller; of it at most 0.27 GB are kept for later calls.
/// </remarks>
public sealed partial class AudioCodec : IDisposable
{
    // Large enough that the context at both ends costs little, small enough for the caches: larger ones are no faster.
    private const int WindowFrames = 48;

    private readonly AudioCodecConfig _config;
    private readonly CodecNetwork _network;
    private readonly WeightReader _weights;
    private readonly Checkpoint _checkpoint;
    private readonly Device? _ownDevice;
    private readonly LanePool _lanes;

    private AudioCodec(string folder, AudioCodecConfig config, CodecNetwork network, WeightReader weights, Checkpoint checkpoint, bool ownsDevice)
    {
        Device device = weights.Device;
        (_folder, _config, _network, _weights, _checkpoint, _ownDevice) = (folder, config, network, weights, checkpoint, ownsDevice ? device : null);
        _lanes = new LanePool(device);
    }

    /// <summary>Samples a second of the waveforms that the codec makes; 24,000 for the published codec. <see cref="Encode"/> takes any rate.</summary>
    public int SamplingRate => _config.SampleRate;

    /// <summary>Samples of one frame; 960 for the published codec.</summary>
    public int HopLength => _config.HopLength;

    /// <summary>Frames a second; 25 for the published codec.</summary>
    public double FrameRate => (double)SamplingRate / HopLength;

    /// <summary>Codes of one frame; 8 for the published codec.</summary>
    public int Codebooks => _network.Quantizer.Codebooks;

    /// <summary>Codes are from 0 to this less one; 1,024 for the published codec.</summary>
    public int CodebookSize => _network.Quantizer.CodebookSize;

    /// <summary>Whether the codec can encode: false if it was loaded with <see cref="AudioCodecOptions.DecodeOnly"/>.</summary>
    public bool CanEncode => _network.CanEncode;

    /// <summary>
    /// Frames before and after a frame that its samples depend on; 10 for the published codec. Frames decoded with so many around them
    /// are exactly what they are in the whole clip.
    /// </summary>
    public int DecoderReachFrames => _network.DecoderReachFrames;

    /// <summary>Loads a codec on the CPU.</summary>
    /// <param name="folder">
    /// A folder with config.json and model.safetensors or model.pth: bosonai/higgs-audio-v2-tokenizer, in its first layout or in the
    /// later one of the transformers library; or what <see cref="SavePacked"/> wrote, which is mapped as it is. The file stays open as long as the codec
    /// lives, and must not be changed.
    /// </param>
    /// <param name="options">How to load it.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="CheckpointException">The folder does not hold a codec that can be used; the message says why.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public static AudioCodec Load(string folder, AudioCodecOptions? options = null, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= new AudioCodecOptions();
        var device = new CpuDevice(options.Threads);
        try
        {
            return Load(folder, device, options, ownsDevice: true, progress, cancellationToken);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="Load(string, AudioCodecOptions?, IProgress{double}?, CancellationToken)"/>, on another thread.</summary>
    public static Task<AudioCodec> LoadAsync(string folder, AudioCodecOptions? options = null, IProgress<double>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Load(folder, options, progress, cancellationToken), cancellationToken);

    /// <summary>Loads a codec on a device, which lives longer than the codec.</summary>
    internal static AudioCodec Load(string folder, Device device, AudioCodecOptions options, IProgress<double>? progress = null, CancellationToken cancellationToken = default) =>
        Load(folder, device, options, ownsDevice: false, progress, cancellationToken);

    private static AudioCodec Load(string folder, Device device, AudioCodecOptions options, bool ownsDevice, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (options.WeightFormat is not (WeightFormat.AsStored or WeightFormat.Float32 or WeightFormat.BFloat16))
            throw new ArgumentException($"The codec's weights can be 32-bit floats or bfloat16, not {options.WeightFormat}.", nameof(options));
        AudioCodecConfig config = AudioCodecConfig.Load(folder);
        Checkpoint checkpoint = Checkpoint.Open(folder);
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(0);
            var tensors = new CodecTensors(checkpoint, config, options.DecodeOnly);
            Func<string, string?> names = options.DecodeOnly ? CodecTensorNames.CanonicalForDecoding : CodecTensorNames.Canonical;
            var stage = new Stage(options.DecodeOnly ? 1 : ShareOfDecoding(checkpoint), progress, cancellationToken);
            WeightFormat format = Packed(options.WeightFormat, checkpoint);
            var reader = new WeightReader(checkpoint, device, names, _ => format, stage.Report);
            var network = new CodecNetwork(reader, config, tensors);
            reader.Complete();
            stage.End();
            return new AudioCodec(folder, config, network, reader, checkpoint, ownsDevice);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    // Files of 32-bit floats are laid out for speed, with the same numbers, rather than multiplied where they are mapped.
    private static WeightFormat Packed(WeightFormat format, Checkpoint checkpoint) =>
        format == WeightFormat.AsStored && checkpoint is not PackedCheckpoint && checkpoint.Tensors.Values.Any(tensor => tensor.Type == TensorType.Float32) ? WeightFormat.Float32 : format;

    /// <summary>
    /// Encodes sound: the rate is changed to the codec's with <see cref="Resampler.HighQuality"/>, and what is too short for a frame is
    /// padded with silence. The whole clip is heard at once, so parts of a clip do not give parts of its codes. The first call reads the encoder's
    /// weights, see <see cref="PrepareToEncode"/>.
    /// </summary>
    /// <param name="waveform">At least one sample.</param>
    /// <param name="cancellationToken">Ends the work between steps.</param>
    /// <returns>One code per codebook and frame; the last frame may hold less than a frame's samples, or be left out if it does.</returns>
    /// <exception cref="ArgumentException">The sound is empty, or too long (about 20 minutes).</exception>
    /// <exception cref="InvalidOperationException">The codec was loaded to decode only.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public AudioCodes Encode(Waveform waveform, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(waveform);
        return EncodeMono(waveform.ResampleTo(SamplingRate).Span, cancellationToken);
    }

    /// <summary>As <see cref="Encode"/>, on another thread.</summary>
    public Task<AudioCodes> EncodeAsync(Waveform waveform, CancellationToken cancellationToken = default) =>
        Task.Run(() => Encode(waveform, cancellationToken), cancellationToken);

    /// <summary>Encodes samples at the codec's rate.</summary>
    internal AudioCodes EncodeMono(ReadOnlySpan<float> samples, CancellationToken cancellationToken = default)
    {
        using LanePool.Rental rental = _lanes.Rent();
        return EncodeMono(rental.Lane, samples, cancellationToken);
    }

    /// <summary>Encodes samples at the codec's rate on a given lane.</summary>
    internal AudioCodes EncodeMono(Backend ops, ReadOnlySpan<float> samples, CancellationToken cancellationToken = default)
    {
        CheckThatItEncodes();
        CheckSamples(samples);
        int length = _network.PaddedLength(samples.Length);
        if (length != samples.Length)
        {
            var padded = new float[length];
            samples.CopyTo(padded);
            samples = padded;
        }
        return new AudioCodes(Codebooks, _network.Encode(ops, samples, cancellationToken), FrameRate);
    }

    /// <summary>What encoding a number of samples at the codec's rate will do.</summary>
    internal EncodingPlan PlanEncoding(int samples) => _network.Plan(samples);

    /// <summary>Decodes codes. The samples are as the network makes them: usually from −1 to 1, but not clipped.</summary>
    /// <param name="codes">Codes of this codec.</param>
    /// <param name="cancellationToken">Ends the work between windows of about 2 seconds.</param>
    /// <returns>Frames × <see cref="HopLength"/> samples at <see cref="SamplingRate"/>, one channel.</returns>
    /// <exception cref="ArgumentException">There are no frames, the number of codebooks is not this codec's, or a code is out of range.</exception>
    /// <exception cref="InvalidOperationException">A sample is not a finite number: the weights are broken.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public Waveform Decode(AudioCodes codes, CancellationToken cancellationToken = default)
    {
        CheckCodes(codes);
        if (codes.Frames == 0)
            throw new ArgumentException("There are no frames to decode.", nameof(codes));
        var samples = new float[checked(codes.Frames * HopLength)];
        DecodeFrames(codes, 0, codes.Frames, samples, WindowFrames, cancellationToken);
        int broken = Waveform.IndexOfNonFinite(samples);
        if (broken >= 0)
            throw new InvalidOperationException($"The codec made {samples[broken]} for sample {broken}: its weights are broken.");
        return Waveform.Own(samples, SamplingRate);
    }

    /// <summary>As <see cref="Decode"/>, on another thread.</summary>
    public Task<Waveform> DecodeAsync(AudioCodes codes, CancellationToken cancellationToken = default) =>
        Task.Run(() => Decode(codes, cancellationToken), cancellationToken);

    /// <summary>Decodes some frames of a clip, exactly as they are in the whole.</summary>
    /// <param name="codes">The clip's codes, or as many around the frames as <see cref="DecoderReachFrames"/>.</param>
    /// <param name="start">First frame.</param>
    /// <param name="frames">Number of frames.</param>
    /// <param name="samples">Room for frames × <see cref="HopLength"/> samples.</param>
    /// <param name="windowFrames">Frames to decode at a time; their number bounds the memory, not the result.</param>
    /// <param name="cancellationToken">Ends the work between windows.</param>
    internal void DecodeFrames(AudioCodes codes, int start, int frames, Span<float> samples, int windowFrames = WindowFrames, CancellationToken cancellationToken = default)
    {
        CheckCodes(codes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)start, (uint)codes.Frames);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)frames, (uint)(codes.Frames - start));
        using LanePool.Rental rental = _lanes.Rent();
        for (int done = 0; done < frames; done += windowFrames)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(windowFrames, frames - done);
            _network.Decode(rental.Lane, codes, start + done, count, samples.Slice(done * HopLength, count * HopLength));
        }
    }

    /// <summary>Decodes all frames at once on a given lane.</summary>
    internal float[] DecodeWhole(Backend ops, AudioCodes codes)
    {
        CheckCodes(codes);
        var samples = new float[codes.Frames * HopLength];
        _network.Decode(ops, codes, 0, codes.Frames, samples);
        return samples;
    }

    private void CheckSamples(ReadOnlySpan<float> samples)
    {
        if (samples.IsEmpty)
            throw new ArgumentException("There are no samples to encode.", nameof(samples));
        if (samples.Length > _network.MostSamples)
            throw new ArgumentException($"{samples.Length} samples are too many to encode at once; at most {_network.MostSamples} are possible.", nameof(samples));
        Waveform.CheckFinite(samples, nameof(samples));
    }

    internal void CheckCodes(AudioCodes codes)
    {
        ArgumentNullException.ThrowIfNull(codes);
        if (codes.Codebooks != Codebooks)
            throw new ArgumentException($"The codes have {codes.Codebooks} codebooks, this codec has {Codebooks}.", nameof(codes));
        for (int q = 0; q < Codebooks; q++)
        {
            ReadOnlySpan<int> row = codes.Codebook(q);
            int bad = row.IndexOfAnyExceptInRange(0, CodebookSize - 1);
            if (bad >= 0)
                throw new ArgumentException($"Code {row[bad]} of codebook {q}, frame {bad}: this codec's codes are 0 to {CodebookSize - 1}.", nameof(codes));
        }
        if ((long)codes.Frames * HopLength > Array.MaxLength)
            throw new ArgumentException($"{codes.Frames} frames are too many to decode at once.", nameof(codes));
    }

    /// <summary>Frees the codec, once the calls in progress have ended; later ones fail with <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        _lanes.Dispose();
        _ownDevice?.Dispose();
        _checkpoint.Dispose();
    }
}
