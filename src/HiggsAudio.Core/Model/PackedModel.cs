using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>Writes a model's folder with the weights as they are kept in memory (<see cref="PackedCheckpoint"/>), beside what else loading it needs.</summary>
internal static class PackedModel
{
    /// <summary>Where in the folder the codec is.</summary>
    public const string CodecFolder = "codec";

    // About what the published model has of both, in 4 bits.
    private const double ModelPart = 0.8;

    private static readonly string[] ConfigurationFiles = ["config.json", "generation_config.json"];

    /// <summary>Writes a folder.</summary>
    /// <param name="folder">The folder to make; it may exist if it is empty.</param>
    /// <param name="model">The model.</param>
    /// <param name="source">The checkpoint that it was loaded from.</param>
    /// <param name="modelFolder">The folder of the configuration.</param>
    /// <param name="tokenizerFolder">The folder of tokenizer.json.</param>
    /// <param name="codec">The codec, to be written below it as <see cref="CodecFolder"/>; null to write none.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static void Save(string folder, HiggsAudioModel model, Checkpoint source, string modelFolder, string tokenizerFolder, AudioCodec? codec,
        IProgress<double>? progress, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!model.Weights.Values.Any(weight => weight.Format is WeightFormat.Int8 or WeightFormat.Int4))
            throw new InvalidOperationException($"No weight of this model is quantized: load it with {nameof(EngineOptions)}.{nameof(EngineOptions.WeightFormat)} {WeightFormat.Int8} or {WeightFormat.Int4}.");
        NewFolder.Write(folder, temporary =>
        {
            foreach (string name in ConfigurationFiles)
                if (Path.Combine(modelFolder, name) is var file && File.Exists(file))
                    File.Copy(file, Path.Combine(temporary, name));
            File.Copy(Directory.Exists(tokenizerFolder) ? Path.Combine(tokenizerFolder, "tokenizer.json") : tokenizerFolder, Path.Combine(temporary, "tokenizer.json"));
            double modelPart = codec is null ? 1 : ModelPart;
            PackedCheckpoint.Save(Path.Combine(temporary, "model.safetensors"), model.Weights, source, null, new Share(progress, 0, modelPart), cancellationToken);
            codec?.SavePacked(Path.Combine(temporary, CodecFolder), new Share(progress, modelPart, 1), cancellationToken);
        });
    }

    // A part of a progress.
    private sealed class Share(IProgress<double>? progress, double from, double to) : IProgress<double>
    {
        public void Report(double value) => progress?.Report(from + value * (to - from));
    }
}
