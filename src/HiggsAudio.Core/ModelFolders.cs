using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Hub;
using HiggsAudio.Model;

namespace HiggsAudio;

/// <summary>Where the files of an engine are on this machine.</summary>
/// <param name="Model">The language model's folder.</param>
/// <param name="Codec">The codec's folder.</param>
/// <param name="Adapters">The adapters' folders and weights.</param>
internal sealed record ModelFolders(string Model, string Codec, IReadOnlyList<AdapterOptions> Adapters)
{
    /// <summary>Finds the folders, downloading what is named by a repository.</summary>
    /// <exception cref="CheckpointException">A text is neither a folder nor a repository's name.</exception>
    /// <exception cref="HubException">A repository cannot be had.</exception>
    public static async Task<ModelFolders> FindAsync(string model, string codec, EngineOptions options, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        ArgumentException.ThrowIfNullOrEmpty(codec);
        CheckAll([model, codec, .. options.Adapters.Select(adapter => adapter.Folder)]);
        string modelFolder = await FolderAsync(model, "downloading model", options.Hub, progress, cancellationToken).ConfigureAwait(false);
        string codecFolder = await FolderAsync(codec, "downloading codec", options.Hub, progress, cancellationToken).ConfigureAwait(false);
        var adapters = new List<AdapterOptions>();
        foreach (AdapterOptions adapter in options.Adapters)
            adapters.Add(adapter with { Folder = await FolderAsync(adapter.Folder, "downloading adapter", options.Hub, progress, cancellationToken).ConfigureAwait(false) });
        return new ModelFolders(modelFolder, codecFolder, adapters);
    }

    /// <summary>Opens the language model's tensors, with the adapters merged into them.</summary>
    /// <exception cref="CheckpointException">A file is broken, or an adapter is for another model.</exception>
    public Checkpoint OpenModel()
    {
        Checkpoint checkpoint = Checkpoint.Open(Model);
        var opened = new List<LoraAdapter>();
        try
        {
            foreach (AdapterOptions adapter in Adapters)
                opened.Add(LoraAdapter.Open(adapter.Folder, adapter.Weight));
            return opened.Count == 0 ? checkpoint : new AdaptedCheckpoint(checkpoint, opened, TensorNames.Canonical);
        }
        catch
        {
            opened.ForEach(adapter => adapter.Dispose());
            checkpoint.Dispose();
            throw;
        }
    }

    // Before gigabytes are downloaded for one of them.
    private static void CheckAll(IEnumerable<string> places)
    {
        foreach (string place in places)
            if (!Exists(place) && HubReference.TryParse(place) is null)
                throw new CheckpointException(place, null, "is neither a folder on this machine nor the name of a repository of the Hub (organisation/name, or organisation/name@revision)");
    }

    private static async Task<string> FolderAsync(string place, string stage, HubOptions? hub, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        if (Exists(place))
            return place;
        HubReference reference = HubReference.TryParse(place)!;
        try
        {
            var relay = new Relay(stage, progress);
            return await HuggingFaceHub.DownloadAsync(reference.Repository, hub ?? HubOptions.FromEnvironment(), reference.Revision, null, relay, cancellationToken).ConfigureAwait(false);
        }
        catch (HubException problem)
        {
            throw new HubException(problem.Problem, $"'{place}' is not a folder on this machine, and cannot be had from the Hub: {problem.Message}", problem);
        }
    }

    private static bool Exists(string place) => Directory.Exists(place) || File.Exists(place);

    private sealed class Relay(string stage, IProgress<LoadProgress>? progress) : IProgress<HubProgress>
    {
        public void Report(HubProgress value) => progress?.Report(new LoadProgress(stage, value.Part));
    }
}
