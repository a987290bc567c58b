namespace HiggsAudio.Hub;

/// <summary>Brings what is needed of a repository to the cache, or to a folder.</summary>
internal sealed class HubDownload(HubClient client, HubOptions options, HubRepository repository, IProgress<HubProgress>? progress)
{
    private readonly long _total = repository.Files.Sum(file => file.Length);
    private long _done;

    /// <summary>To the cache.</summary>
    /// <returns>The folder of the commit.</returns>
    public async Task<string> ToCacheAsync(HubCache cache, CancellationToken cancellationToken)
    {
        string commit = repository.Commit;
        Directory.CreateDirectory(Path.GetDirectoryName(cache.Blob("x"))!);
        HubFile[] missing = [.. repository.Files.Where(file => !cache.Has(commit, file) && !HubCache.HasLength(cache.Blob(file.Hash!), file.Length))];
        CheckSpace(cache.Blob("x"), missing.Sum(file => file.Length - LengthOf(cache.Partial(file.Hash!))));
        foreach (HubFile file in repository.Files)
        {
            if (!cache.Has(commit, file))
            {
                using IDisposable held = await HubLock.AcquireAsync(cache.LockOf(file.Hash!), cancellationToken).ConfigureAwait(false);
                if (!cache.Has(commit, file))   // unless another process brought it meanwhile
                {
                    if (!HubCache.HasLength(cache.Blob(file.Hash!), file.Length))
                        await TransferAsync(file, cache.Partial(file.Hash!), cache.Blob(file.Hash!), cancellationToken).ConfigureAwait(false);
                    cache.Place(commit, file);
                }
            }
            Done(file);
        }
        cache.Remember(repository.Reference.Revision, commit);
        return cache.Snapshot(commit);
    }

    /// <summary>To a folder of the caller's, as plain files. What is there and has the right hash is kept.</summary>
    public async Task<string> ToFolderAsync(string folder, CancellationToken cancellationToken)
    {
        string work = Path.Combine(folder, ".cache", "huggingface", "download");
        Directory.CreateDirectory(work);
        CheckSpace(work, repository.Files.Sum(file => Math.Max(0, file.Length - LengthOf(Path.Combine(folder, file.Name)) - LengthOf(Path.Combine(work, file.Hash + ".incomplete")))));
        foreach (HubFile file in repository.Files)
        {
            string path = Path.Combine(folder, file.Name);
            using IDisposable held = await HubLock.AcquireAsync(Path.Combine(work, file.Name + ".lock"), cancellationToken).ConfigureAwait(false);
            if (!await HubTransfer.IsAsync(path, file, cancellationToken).ConfigureAwait(false))
                await TransferAsync(file, Path.Combine(work, file.Hash + ".incomplete"), path, cancellationToken).ConfigureAwait(false);
            Done(file);
        }
        return folder;
    }

    private async Task TransferAsync(HubFile file, string partial, string path, CancellationToken cancellationToken)
    {
        Uri address = HubRepository.AddressOf(client, repository.Reference, repository.Commit, file.Name);
        using (var transfer = new HubTransfer(client, address, file, partial, length => Report(file, length)))
            await transfer.RunAsync(cancellationToken).ConfigureAwait(false);
        File.Move(partial, path, overwrite: true);
    }

    private void Done(HubFile file)
    {
        Report(file, file.Length);
        _done += file.Length;
    }

    private void Report(HubFile file, long length) => progress?.Report(new HubProgress(repository.Reference.Repository, file.Name, _done + length, _total));

    private void CheckSpace(string path, long needed)
    {
        long free;
        try
        {
            free = options.FreeSpace(Path.GetDirectoryName(path)!);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return;   // not every file system says
        }
        if (free < needed)
            throw new HubException(HubProblem.DiskFull, $"{repository.Reference.Repository} needs {needed} more bytes, the disk of '{path}' has {free} free.");
    }

    private static long LengthOf(string path) => new FileInfo(path) is { Exists: true } info ? info.Length : 0;
}
