using HiggsAudio.Compute;
using HiggsAudio.Compute.Checkpoints;

namespace HiggsAudio.Model;

/// <summary>Writes a model's folder with the weights as they are kept in memory (<see cref="PackedCheckpoint"/>), beside what else loading it needs.</summary>
internal static class PackedModel
{
    private static readonly string[] ConfigurationFiles = ["config.json", "generation_config.json"];

    /// <summary>Writes a folder under a temporary name beside it, and gives it its name when all is there.</summary>
    /// <param name="folder">The folder to make; it may exist if it is empty.</param>
    /// <param name="model">The model.</param>
    /// <param name="source">The checkpoint that it was loaded from.</param>
    /// <param name="modelFolder">The folder of the configuration.</param>
    /// <param name="tokenizerFolder">The folder of tokenizer.json.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static void Save(string folder, HiggsAudioModel model, Checkpoint source, string modelFolder, string tokenizerFolder, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!model.Weights.Values.Any(weight => weight.Format is WeightFormat.Int8 or WeightFormat.Int4))
            throw new InvalidOperationException($"No weight of this model is quantized: load it with {nameof(EngineOptions)}.{nameof(EngineOptions.WeightFormat)} {WeightFormat.Int8} or {WeightFormat.Int4}.");
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        RefuseUsed(folder);
        string temporary = $"{folder}.{Guid.NewGuid():N}.tmp";
        Directory.CreateDirectory(temporary);
        try
        {
            foreach (string name in ConfigurationFiles)
                if (Path.Combine(modelFolder, name) is var file && File.Exists(file))
                    File.Copy(file, Path.Combine(temporary, name));
            File.Copy(Directory.Exists(tokenizerFolder) ? Path.Combine(tokenizerFolder, "tokenizer.json") : tokenizerFolder, Path.Combine(temporary, "tokenizer.json"));
            PackedCheckpoint.Save(Path.Combine(temporary, "model.safetensors"), model.Weights, source, progress, cancellationToken);
            RefuseUsed(folder);
            if (Directory.Exists(folder))
                Directory.Delete(folder);
            Directory.Move(temporary, folder);
        }
        catch
        {
            Directory.Delete(temporary, recursive: true);
            throw;
        }
    }

    private static void RefuseUsed(string folder)
    {
        if (File.Exists(folder) || Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new IOException($"'{folder}' exists already: a quantized model is written to a folder of its own.");
    }
}
