using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Compute.Cpu;
using HiggsAudio.Model;

namespace HiggsAudio;

/// <summary>What became of one tensor.</summary>
/// <param name="Name">Its name in the legacy layout, without prefix.</param>
/// <param name="Format">The format that it is kept in.</param>
/// <param name="Rows">Outputs, or entries of a table.</param>
/// <param name="Columns">Inputs, or width of a table.</param>
/// <param name="Error">How far it is from the original; null for what is not quantized.</param>
public sealed record QuantizedTensor(string Name, WeightFormat Format, int Rows, int Columns, QuantizationError? Error);

/// <summary>Quantizes the language model from folder to folder, without an engine and without the codec.</summary>
public static class ModelQuantizer
{
    /// <summary>Quantizes a model, reports the error of every tensor, and writes what <see cref="HiggsAudioServeEngine.SaveQuantized"/> does, without the codec.</summary>
    /// <param name="modelFolder">The language model, either layout, with its tokenizer.json.</param>
    /// <param name="folder">The folder to make; it may exist if it is empty. Null to report only.</param>
    /// <param name="options">The formats (<see cref="EngineOptions.WeightFormat"/>, <see cref="EngineOptions.WeightFormatOverrides"/>), threads and tokenizer.</param>
    /// <param name="report">Told every tensor, in order of their names.</param>
    /// <param name="progress">Told what is being done: <c>model</c>, <c>report</c> (if anybody is told), <c>saving</c>.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left of it.</param>
    /// <exception cref="CheckpointException">A file is missing, broken or not what was expected.</exception>
    /// <exception cref="InvalidOperationException">By these options nothing is quantized.</exception>
    /// <exception cref="IOException">The folder has something in it, or cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public static void Quantize(string modelFolder, string? folder, EngineOptions options, Action<QuantizedTensor>? report = null,
        IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        using var device = new CpuDevice(options.Threads);
        using Checkpoint checkpoint = Checkpoint.Open(modelFolder);
        HiggsAudioModel model = HiggsAudioModel.Load(checkpoint, HiggsAudioConfig.Load(modelFolder), device,
            new QuantizationPlan(options.WeightFormat, options.WeightFormatOverrides), progress: part => Report("model", part));
        if (report is not null)
            ReportAll(checkpoint, model, report, part => Report("report", part));
        if (folder is not null)
            PackedModel.Save(folder, model, checkpoint, modelFolder, options.TokenizerFolder ?? modelFolder, null, new Part(part => Report("saving", part)), cancellationToken);

        void Report(string stage, double part)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(new LoadProgress(stage, part));
        }
    }

    private static void ReportAll(Checkpoint checkpoint, HiggsAudioModel model, Action<QuantizedTensor> report, Action<double> progress)
    {
        var tensors = new Dictionary<string, CheckpointTensor>();
        foreach ((string stored, CheckpointTensor tensor) in checkpoint.Tensors)
            if (TensorNames.Canonical(stored) is { } name)
                tensors.TryAdd(name, tensor);
        int done = 0;
        foreach ((string name, Weight weight) in model.Weights.OrderBy(w => w.Key, StringComparer.Ordinal))
        {
            bool measurable = weight.Format is WeightFormat.Int8 or WeightFormat.Int4 && checkpoint is not PackedCheckpoint && tensors.ContainsKey(name);
            report(new QuantizedTensor(name, weight.Format, weight.Rows, weight.Columns, measurable ? QuantizationError.Measure(tensors[name], weight) : null));
            progress((double)++done / model.Weights.Count);
        }
    }

    private sealed class Part(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
