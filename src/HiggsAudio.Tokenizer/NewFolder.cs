namespace HiggsAudio;

/// <summary>Folders that appear whole or not at all.</summary>
internal static class NewFolder
{
    /// <summary>Fills a folder under a temporary name beside it, and gives it its name when all is there.</summary>
    /// <param name="folder">The folder to make; it may exist if it is empty.</param>
    /// <param name="fill">Given the temporary folder, puts everything in it.</param>
    /// <exception cref="IOException">The folder has something in it, or cannot be written.</exception>
    public static void Write(string folder, Action<string> fill)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        RefuseUsed(folder);
        string temporary = $"{folder}.{Guid.NewGuid():N}.tmp";
        Directory.CreateDirectory(temporary);
        try
        {
            fill(temporary);
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
            throw new IOException($"'{folder}' exists already: what is saved is written to a folder of its own.");
    }
}
