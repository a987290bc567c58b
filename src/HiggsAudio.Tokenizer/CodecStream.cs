namespace HiggsAudio;

/// <summary>How a <see cref="CodecStream"/> cuts sound into chunks. Immutable.</summary>
public sealed record CodecStreamOptions
{
    /// <summary>Frames of the first chunk, 1 or more: small, so that sound begins soon.</summary>
    public int FirstChunkFrames { get; init; } = 5;

    /// <summary>Frames of the other chunks, 1 or more. Every chunk is decoded with context on both sides, so that small chunks cost more.</summary>
    public int ChunkFrames { get; init; } = 25;

    /// <summary>
    /// Makes the first chunk without waiting for all the frames that its last samples depend on: it comes
    /// <see cref="AudioCodec.DecoderReachFrames"/> − <see cref="LowLatencyLookAhead"/> frames earlier, and its end differs slightly from the whole
    /// decode. The seam is crossfaded over 10 ms; after it the stream is exact again.
    /// </summary>
    public bool LowLatencyStart { get; init; }

    /// <summary>Frames of look-ahead of the first chunk with <see cref="LowLatencyStart"/>, 0 or more.</summary>
    public int LowLatencyLookAhead { get; init; } = 2;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(FirstChunkFrames >= 1, nameof(FirstChunkFrames), "1 or more", FirstChunkFrames);
        Require(ChunkFrames >= 1, nameof(ChunkFrames), "1 or more", ChunkFrames);
        Require(LowLatencyLookAhead >= 0, nameof(LowLatencyLookAhead), "0 or more", LowLatencyLookAhead);
    }

    private static void Require(bool satisfied, string name, string expected, int found)
    {
        if (!satisfied)
            throw new ArgumentException($"{nameof(CodecStreamOptions)}.{name} must be {expected}, found {found}", name);
    }
}

/// <summary>
/// Decodes a clip while its codes arrive: frames in, samples out. Joined, the chunks are the whole decode of all frames (bit for bit on the
/// CPU; but see <see cref="CodecStreamOptions.LowLatencyStart"/>). It needs no state of the network, only the last frames: a sample
/// depends on <see cref="AudioCodec.DecoderReachFrames"/> frames before and after its own. Memory is constant. Not thread-safe.
/// </summary>
public sealed class CodecStream
{
    private const double CrossfadeSeconds = 0.01;

    private readonly AudioCodec _codec;
    private readonly CodecStreamOptions _options;
    private readonly List<int> _frames = [];       // [kept frames, codebooks]
    private float[] _held = [];                    // the low-latency chunk's end, to be crossfaded
    private int _dropped;                          // frames that were forgotten
    private int _decoded;                          // frames whose samples were made
    private bool _completed;

    /// <param name="codec">The codec; must live as long as the stream.</param>
    /// <param name="options">How to cut.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public CodecStream(AudioCodec codec, CodecStreamOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(codec);
        (_codec, _options) = (codec, options ?? new CodecStreamOptions());
        _options.Validate();
    }

    /// <summary>Frames that were written.</summary>
    public int WrittenFrames => _dropped + _frames.Count / _codec.Codebooks;

    /// <summary>Samples that were returned.</summary>
    public long ReturnedSamples { get; private set; }

    // Whether the frames suffice for a chunk.
    private bool HasChunk => WrittenFrames >= _decoded + ChunkLength + LookAhead;

    private bool IsLowLatencyChunk => _decoded == 0 && _options.LowLatencyStart;

    private int ChunkLength => _decoded == 0 ? _options.FirstChunkFrames : _options.ChunkFrames;

    private int LookAhead => IsLowLatencyChunk ? Math.Min(_options.LowLatencyLookAhead, _codec.DecoderReachFrames) : _codec.DecoderReachFrames;

    /// <summary>Writes frames and returns the samples that are ready: none, or one or more chunks.</summary>
    /// <param name="codes">The next frames; may be none.</param>
    /// <param name="cancellationToken">Ends the work between chunks; the frames are kept.</param>
    /// <exception cref="ArgumentException">The number of codebooks is not the codec's, or a code is out of range.</exception>
    /// <exception cref="InvalidOperationException">The stream was completed.</exception>
    public float[] Write(AudioCodes codes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(codes);
        if (_completed)
            throw new InvalidOperationException("The stream was completed: it takes no more frames.");
        _codec.CheckCodes(codes);
        Span<int> frame = stackalloc int[64];
        frame = codes.Codebooks <= frame.Length ? frame[..codes.Codebooks] : new int[codes.Codebooks];
        for (int t = 0; t < codes.Frames; t++)
        {
            codes.CopyFrame(t, frame);
            _frames.AddRange(frame);
        }
        float[] samples = [];
        while (HasChunk)
            samples = [.. samples, .. DecodeChunk(ChunkLength, cancellationToken)];
        return samples;
    }

    /// <summary>Says that there are no more frames and returns the samples that are left.</summary>
    public float[] Complete(CancellationToken cancellationToken = default)
    {
        if (_completed)
            return [];
        int left = WrittenFrames - _decoded;
        float[] samples = left > 0 ? DecodeChunk(left, cancellationToken) : [];
        _completed = true;
        samples = _held.Length > 0 ? [.. samples, .. _held] : samples;
        ReturnedSamples += _held.Length;
        _held = [];
        return samples;
    }

    private float[] DecodeChunk(int frames, CancellationToken cancellationToken)
    {
        bool approximate = IsLowLatencyChunk && WrittenFrames < frames + _codec.DecoderReachFrames;
        // With a held end, the exact samples from its start on are made once more, to fade into.
        int again = _held.Length > 0 ? 1 : 0;
        var window = AudioCodes.FromFrames(_codec.Codebooks, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_frames), _codec.FrameRate);
        var samples = new float[(frames + again) * _codec.HopLength];
        _codec.DecodeFrames(window, _decoded - again - _dropped, frames + again, samples, cancellationToken: cancellationToken);
        _decoded += frames;
        Forget();
        if (again > 0)
            samples = Crossfade(samples);
        if (approximate)
            samples = HoldEnd(samples);
        ReturnedSamples += samples.Length;
        return samples;
    }

    // samples begin one frame before the chunk; the held end covers the last of that frame.
    private float[] Crossfade(float[] samples)
    {
        float[] joined = samples[(_codec.HopLength - _held.Length)..];
        for (int i = 0; i < _held.Length; i++)
        {
            float weight = (i + 1f) / (_held.Length + 1);
            joined[i] = _held[i] + weight * (joined[i] - _held[i]);
        }
        _held = [];
        return joined;
    }

    private float[] HoldEnd(float[] samples)
    {
        int held = Math.Min((int)(CrossfadeSeconds * _codec.SamplingRate), _codec.HopLength);
        _held = samples[^held..];
        return samples[..^held];
    }

    // Frames that no later sample depends on; one more than the reach, for the crossfade.
    private void Forget()
    {
        int keepFrom = Math.Max(0, _decoded - _codec.DecoderReachFrames - 1);
        if (keepFrom <= _dropped)
            return;
        _frames.RemoveRange(0, (keepFrom - _dropped) * _codec.Codebooks);
        _dropped = keepFrom;
    }
}
