using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio;

public sealed partial class AudioCodec
{
    private static readonly string[] ConfigurationFiles = ["config.json", "hubert_config.json"];

    private readonly string _folder;

    /// <summary>Whether the weights that only encoding needs were read.</summary>
    internal bool HasReadEncoder => _network.HasReadEncoders;

    /// <summary>
    /// Reads the weights that only encoding needs, if that was not done yet: otherwise the first <see cref="Encode"/> does it, which takes most of the
    /// time and memory of the codec's loading. Whoever comes while they are read waits; they are read once. Their names and shapes were checked when the
    /// codec was loaded, so that only a lack of memory can go wrong; that is then thrown again by every call.
    /// </summary>
    /// <exception cref="InvalidOperationException">The codec was loaded to decode only.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    /// <exception cref="ObjectDisposedException">The codec was disposed.</exception>
    public void PrepareToEncode()
    {
        CheckThatItEncodes();
        using LanePool.Rental rental = _lanes.Rent();   // until it ends, nobody frees anything
        _network.ReadEncoders();
    }

    /// <summary>
    /// Writes the codec's weights as they are kept in memory (weight norm folded, convolutions in the order in which they are computed, in
    /// <see cref="AudioCodecOptions.WeightFormat"/>), with its configuration: a folder that <see cref="Load(string, AudioCodecOptions?, IProgress{double}?, CancellationToken)"/>
    /// maps without converting or copying anything. Codes and sound are the same to the bit. The folder appears when it is complete. Only this version's
    /// layout is read later; keep the original.
    /// </summary>
    /// <param name="folder">The folder to make; it may exist if it is empty.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left of it.</param>
    /// <exception cref="IOException">The folder has something in it, or cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    /// <exception cref="ObjectDisposedException">The codec was disposed.</exception>
    public void SavePacked(string folder, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        using LanePool.Rental rental = _lanes.Rent();
        NewFolder.Write(folder, temporary => WriteTo(temporary, progress, cancellationToken));
    }

    /// <summary>As <see cref="SavePacked"/>, on another thread.</summary>
    public Task SavePackedAsync(string folder, IProgress<double>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => SavePacked(folder, progress, cancellationToken), cancellationToken);

    /// <summary>Decodes a frame, so that on the CPU what computes is compiled before anybody waits for sound.</summary>
    internal void WarmUp() => DecodeFrames(new AudioCodes(Codebooks, new int[Codebooks]), 0, 1, new float[HopLength]);

    private void WriteTo(string folder, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (CanEncode)
            _network.ReadEncoders();
        foreach (string name in ConfigurationFiles)
            if (Path.Combine(_folder, name) is var file && File.Exists(file))
                File.Copy(file, Path.Combine(folder, name));
        PackedCheckpoint.Save(Path.Combine(folder, "model.safetensors"), _weights.Made, _checkpoint, _weights.OriginalShapes, progress, cancellationToken);
    }

    private void CheckThatItEncodes()
    {
        if (!CanEncode)
            throw new InvalidOperationException("This codec was loaded to decode only (AudioCodecOptions.DecodeOnly): it cannot encode.");
    }

    // What decoding needs of all that the codec needs.
    private static double ShareOfDecoding(Checkpoint checkpoint)
    {
        double decoding = 0, all = 0;
        foreach ((string stored, CheckpointTensor tensor) in checkpoint.Tensors)
        {
            all += CodecTensorNames.Canonical(stored) is null ? 0 : tensor.ByteLength;
            decoding += CodecTensorNames.CanonicalForDecoding(stored) is null ? 0 : tensor.ByteLength;
        }
        return all > 0 ? decoding / all : 1;
    }

    // Of the reader's bytes only a share is read while loading. Afterwards nobody is told anything.
    private sealed class Stage(double share, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        private bool _ended;

        public void Report(double part)
        {
            if (_ended)
                return;
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(Math.Min(1, part / share));
        }

        public void End()
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(1);
            _ended = true;
        }
    }
}
