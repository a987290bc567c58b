using HiggsAudio.Hub;

namespace HiggsAudio;

/// <summary>
/// Gets models from the Hugging Face Hub, into the cache that Hugging Face's own tools use (or from it: what they downloaded is found). Files are
/// verified against the hashes that the Hub lists; downloads that were cut off go on where they ended.
/// </summary>
public static class HuggingFaceHub
{
    /// <summary>The repository of the published language model. Its weights are Boson AI's, under the "Boson Higgs Audio 2 Community License".</summary>
    public const string ModelRepository = "bosonai/higgs-audio-v2-generation-3B-base";

    /// <summary>The repository of the published codec. Its weights are Boson AI's, under the "Boson Higgs Audio 2 Community License".</summary>
    public const string CodecRepository = "bosonai/higgs-audio-v2-tokenizer";

    /// <summary>The revision of <see cref="ModelRepository"/> that is taken unless another is named: one safetensors file, in transformers' layout.</summary>
    public const string ModelRevision = "d80c511612b3040ff2877ce3d408747df1739f11";

    /// <summary>The revision of <see cref="CodecRepository"/> that is taken unless another is named: safetensors, in transformers' layout.</summary>
    public const string CodecRevision = "403fbacf2f60caaa102f893fdfabb694619b2417";

    /// <summary>The last revision of <see cref="ModelRepository"/> in the layout of the reference implementation: three shards.</summary>
    public const string LegacyModelRevision = "10840182ca4ad5d9d9113b60b9bb3c1ef1ba3f84";

    /// <summary>The last revision of <see cref="CodecRepository"/> in the layout of the reference implementation: model.pth.</summary>
    public const string LegacyCodecRevision = "9d4988fbd4ad07b4cac3a5fa462741a41810dbec";

    // The same model under its later name.
    private const string RenamedModelRepository = "bosonai/higgs-tts-2-3b-base";

    /// <summary>
    /// Downloads what is needed of a repository: configurations, tokenizer and weights at its top. A commit that is in the cache needs no network;
    /// for a branch or tag, the cache is used if the Hub cannot be reached.
    /// </summary>
    /// <param name="repository">Such as <see cref="ModelRepository"/>.</param>
    /// <param name="revision">A branch, a tag or a commit; by default a known good commit of the published repositories, and main of others.</param>
    /// <param name="folder">A folder to put plain files in; by default the shared cache (<see cref="HubOptions.CacheFolder"/>).</param>
    /// <param name="progress">Told how many bytes are here.</param>
    /// <param name="cancellationToken">Ends the download; what is here is kept and used the next time.</param>
    /// <returns>The folder with the files, to load from.</returns>
    /// <exception cref="HubException">It cannot be had; <see cref="HubException.Problem"/> says why.</exception>
    /// <exception cref="ArgumentException">The repository or the revision cannot be a name of the Hub, or an environment variable cannot be used.</exception>
    /// <exception cref="OperationCanceledException">The download was ended.</exception>
    public static Task<string> DownloadAsync(string repository, string? revision = null, string? folder = null, IProgress<HubProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        DownloadAsync(repository, HubOptions.FromEnvironment(), revision, folder, progress, cancellationToken);

    /// <summary>As the other, with options in place of those of the environment.</summary>
    /// <param name="repository">Such as <see cref="ModelRepository"/>.</param>
    /// <param name="options">Where the Hub is, who asks, and where the cache is.</param>
    /// <param name="revision">A branch, a tag or a commit; by default a known good commit of the published repositories, and main of others.</param>
    /// <param name="folder">A folder to put plain files in; by default the shared cache (<see cref="HubOptions.CacheFolder"/>).</param>
    /// <param name="progress">Told how many bytes are here.</param>
    /// <param name="cancellationToken">Ends the download; what is here is kept and used the next time.</param>
    /// <returns>The folder with the files, to load from.</returns>
    /// <exception cref="HubException">It cannot be had; <see cref="HubException.Problem"/> says why.</exception>
    /// <exception cref="ArgumentException">The repository or the revision cannot be a name of the Hub.</exception>
    /// <exception cref="OperationCanceledException">The download was ended.</exception>
    public static async Task<string> DownloadAsync(string repository, HubOptions options, string? revision = null, string? folder = null,
        IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        HubReference reference = HubReference.Of(repository, revision);
        options = Completed(options);
        try
        {
            return folder is null
                ? await ToCacheAsync(reference, progress, options, cancellationToken).ConfigureAwait(false)
                : await ToFolderAsync(reference, Path.GetFullPath(folder), progress, options, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception problem) when (problem is IOException and not HubException or UnauthorizedAccessException)
        {
            throw HubTransfer.DiskProblem(folder ?? options.CacheFolder, problem);
        }
    }

    /// <summary>The folder of a repository's revision in the cache, or null if it is not there, or not all of it.</summary>
    /// <param name="repository">Such as <see cref="ModelRepository"/>.</param>
    /// <param name="revision">As for <see cref="DownloadAsync(string, string?, string?, IProgress{HubProgress}?, CancellationToken)"/>.</param>
    /// <param name="options">Where the cache is; by default <see cref="HubOptions.FromEnvironment"/>.</param>
    /// <exception cref="ArgumentException">The repository or the revision cannot be a name of the Hub.</exception>
    public static string? FindInCache(string repository, string? revision = null, HubOptions? options = null)
    {
        HubReference reference = HubReference.Of(repository, revision);
        options = Completed(options ?? HubOptions.FromEnvironment());
        return new HubCache(options.CacheFolder, repository, options.CanLink).Find(reference.Revision);
    }

    /// <summary>The pinned revision of a published repository.</summary>
    internal static string? KnownRevision(string repository) => repository switch
    {
        ModelRepository or RenamedModelRepository => ModelRevision,
        CodecRepository => CodecRevision,
        _ => null,
    };

    /// <summary>The SHA-256 that a large file of a pinned revision is known to have.</summary>
    internal static string? KnownHash(string repository, string commit, string name) => (repository, commit, name) switch
    {
        (ModelRepository or RenamedModelRepository, ModelRevision, "model.safetensors") => "9c896b019ec1a4fc950218e32797c30870d36ce1cd76f45b35de46495764a204",
        (CodecRepository, CodecRevision, "model.safetensors") => "fe7c5e8785e0a05833e1bfc3e002ec7f55af21e306b2e7154a448c1f54ccfb0d",
        _ => null,
    };

    private static HubOptions Completed(HubOptions options) =>
        options.CacheFolder.Length > 0 ? options : options with { CacheFolder = HubOptions.FromEnvironment().CacheFolder };

    private static async Task<string> ToCacheAsync(HubReference reference, IProgress<HubProgress>? progress, HubOptions options, CancellationToken cancellationToken)
    {
        var cache = new HubCache(options.CacheFolder, reference.Repository, options.CanLink);
        string? found = cache.Find(reference.Revision);
        if (found is not null && (options.Offline || reference.IsCommit))
            return found;
        RefuseOffline(reference, options, $"is not in the cache '{options.CacheFolder}', or not all of it");
        using var client = new HubClient(options);
        HubRepository repository;
        try
        {
            repository = await HubRepository.ListAsync(client, reference, cancellationToken).ConfigureAwait(false);
        }
        catch (HubException problem) when (problem.Problem == HubProblem.Unavailable && found is not null)
        {
            return found;
        }
        return await new HubDownload(client, options, repository, progress).ToCacheAsync(cache, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<string> ToFolderAsync(HubReference reference, string folder, IProgress<HubProgress>? progress, HubOptions options, CancellationToken cancellationToken)
    {
        RefuseOffline(reference, options, "was to be put in a folder");
        using var client = new HubClient(options);
        HubRepository repository = await HubRepository.ListAsync(client, reference, cancellationToken).ConfigureAwait(false);
        return await new HubDownload(client, options, repository, progress).ToFolderAsync(folder, cancellationToken).ConfigureAwait(false);
    }

    private static void RefuseOffline(HubReference reference, HubOptions options, string what)
    {
        if (options.Offline)
            throw new HubException(HubProblem.Offline, $"{reference.Repository} at {reference.Revision} {what}, and the network is not to be used (HF_HUB_OFFLINE).");
    }
}
