namespace HiggsAudio.Hub;

/// <summary>
/// A lock between processes: a file that one of them has open for itself. On Unix it is <c>flock</c>, as the locks of Hugging Face's own tools
/// are, so that both exclude each other.
/// </summary>
internal static class HubLock
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>Waits for the lock.</summary>
    /// <returns>What holds it until it is disposed.</returns>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public static async Task<IDisposable> AcquireAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        for (TimeSpan wait = TimeSpan.FromMilliseconds(20); ; wait = wait * 2 < LongestWait ? wait * 2 : LongestWait)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (IOException problem) when ((problem.HResult & 0xFFFF) is 11 or 35 or 32 or 33)   // EWOULDBLOCK (Linux, macOS), sharing and lock violation
            {
                await Task.Delay(wait, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
