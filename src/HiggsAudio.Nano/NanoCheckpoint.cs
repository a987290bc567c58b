using System.Security.Cryptography;

namespace HiggsAudio.Nano;

/// <summary>The embedded files, and their way to a folder from which they can be memory-mapped.</summary>
internal static class NanoCheckpoint
{
    private sealed record EmbeddedFile(string Name, long Length, byte[] Hash);

    private static readonly Lazy<EmbeddedFile[]> Files = new(() => [.. Names().Select(Describe)]);

    /// <summary>To the user's cache; where that cannot be written (a service, a read-only system), to the folder of temporary files.</summary>
    public static (string ModelFolder, string CodecFolder) UnpackSomewhere(IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        string temporary = Path.Combine(Path.GetTempPath(), $"HiggsAudio-{Environment.UserName}"), cache = UserCache();
        try
        {
            return Unpack(cache, progress, cancellationToken);
        }
        catch (IOException) when (cache != temporary)
        {
            return Unpack(temporary, progress, cancellationToken);
        }
    }

    public static string UserCache()
    {
        string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return local.Length > 0 ? Path.Combine(local, "HiggsAudio") : Path.Combine(Path.GetTempPath(), $"HiggsAudio-{Environment.UserName}");
    }

    public static (string ModelFolder, string CodecFolder) Unpack(string cacheFolder, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        string root = Path.Combine(cacheFolder, $"nano-{Fingerprint()}");
        long total = Files.Value.Sum(file => file.Length), done = 0;
        foreach (EmbeddedFile file in Files.Value)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Unpack(file, Path.Combine(root, file.Name.Replace('/', Path.DirectorySeparatorChar)));
            done += file.Length;
            progress?.Report(new LoadProgress("unpacking", (double)done / total));
        }
        return (Path.Combine(root, "generation"), Path.Combine(root, "tokenizer"));
    }

    private static IEnumerable<string> Names() =>
        typeof(NanoCheckpoint).Assembly.GetManifestResourceNames().Select(name => name.Replace('\\', '/')).Order(StringComparer.Ordinal);

    private static EmbeddedFile Describe(string name)
    {
        using Stream embedded = Open(name);
        return new EmbeddedFile(name, embedded.Length, SHA256.HashData(embedded));
    }

    private static Stream Open(string name) =>
        typeof(NanoCheckpoint).Assembly.GetManifestResourceStream(name)
        ?? typeof(NanoCheckpoint).Assembly.GetManifestResourceStream(name.Replace('/', '\\'))!;

    // Another build of this assembly may carry another checkpoint: its folder has another name.
    private static string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (EmbeddedFile file in Files.Value)
            hash.AppendData(file.Hash);
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 8));
    }

    private static void Unpack(EmbeddedFile file, string path)
    {
        if (IsThere(file, path))
            return;
        string temporary = $"{path}.{Environment.ProcessId}-{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using (Stream embedded = Open(file.Name))
            using (FileStream written = new(temporary, FileMode.CreateNew, FileAccess.Write))
                embedded.CopyTo(written);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            RemoveTemporary(temporary);
            if (!IsThere(file, path))   // unless another process was faster and has it open
                throw new IOException($"The nano voice could not be unpacked to '{path}': {problem.Message}", problem);
        }
    }

    private static void RemoveTemporary(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The folder cannot be written, or is not there: nor is the file.
        }
    }

    private static bool IsThere(EmbeddedFile file, string path)
    {
        try
        {
            var found = new FileInfo(path);
            if (!found.Exists || found.Length != file.Length)
                return false;
            using FileStream content = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return SHA256.HashData(content).AsSpan().SequenceEqual(file.Hash);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
