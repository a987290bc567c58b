using HiggsAudio.Model;

namespace HiggsAudio;

public sealed partial class HiggsAudioServeEngine
{
    /// <summary>
    /// Writes the language model as it is kept in memory, quantized, with its configuration and tokenizer, and below it, in the folder <c>codec</c>, the
    /// codec (<see cref="AudioCodec.SavePacked"/>): folders that <see cref="Load(string, string, EngineOptions?, IProgress{LoadProgress}?, CancellationToken)"/>
    /// maps without converting or copying anything. The formats are those that this engine was loaded with (<see cref="EngineOptions.WeightFormat"/> and its exceptions); load the folder with
    /// <see cref="Compute.WeightFormat.AsStored"/>. The folder appears when it is complete. Only this version's layout is read later; keep the original.
    /// </summary>
    /// <param name="folder">The folder to make; it may exist if it is empty.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left of it.</param>
    /// <exception cref="InvalidOperationException">No weight of this engine is quantized.</exception>
    /// <exception cref="IOException">The folder has something in it, or cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public void SaveQuantized(string folder, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        PackedModel.Save(folder, _model, _checkpoint, _modelFolder, _options.TokenizerFolder ?? _modelFolder, Codec, progress, cancellationToken);
    }

    /// <summary>As <see cref="SaveQuantized"/>, on another thread.</summary>
    public Task SaveQuantizedAsync(string folder, IProgress<double>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => SaveQuantized(folder, progress, cancellationToken), cancellationToken);
}
