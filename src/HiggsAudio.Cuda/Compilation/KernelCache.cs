using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace HiggsAudio.Cuda.Compilation;

/// <summary>
/// Compiled modules in a folder, so that only the first start compiles. A file's name is the hash of all that its image depends on; its head holds a
/// mark, the image's length and hash, by which a broken one is known. Files are written under another name and renamed, so that several programs may share the folder. A
/// folder that cannot be read or written is as good as none.
/// </summary>
/// <param name="folder">The folder; null for none.</param>
internal sealed class KernelCache(string? folder)
{
    private const int HeadBytes = 8 + sizeof(long) + SHA256.HashSizeInBytes;

    private static ReadOnlySpan<byte> Mark => "HIGGSKC1"u8;

    /// <summary>Images that were found.</summary>
    public int Hits { get; private set; }

    /// <summary>Images that had to be made.</summary>
    public int Misses { get; private set; }

    /// <summary>The user's folder for what can be made again; null where there is none.</summary>
    public static string? DefaultFolder
    {
        get
        {
            string? cache = OperatingSystem.IsWindows()
                ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given
                    ? given
                    : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) is { Length: > 0 } home ? Path.Combine(home, ".cache") : null;
            return string.IsNullOrEmpty(cache) ? null : Path.Combine(cache, "higgs-audio-dotnet", "cuda");
        }
    }

    /// <summary>The hash of texts, one after the other with their lengths.</summary>
    public static string KeyOf(params IEnumerable<string> texts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (string text in texts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The image of a key; made and kept if it is not there or broken.</summary>
    public byte[] GetOrAdd(string key, Func<byte[]> make)
    {
        string? path = folder is null ? null : Path.Combine(folder, key + ".cubin");
        if (path is not null && Read(path) is { } image)
        {
            Hits++;
            return image;
        }
        Misses++;
        image = make();
        if (path is not null)
            Write(path, image);
        return image;
    }

    private static byte[]? Read(string path)
    {
        byte[] file;
        try
        {
            file = File.ReadAllBytes(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        if (file.Length < HeadBytes || !file.AsSpan().StartsWith(Mark) || BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(Mark.Length)) != file.Length - HeadBytes)
            return null;
        Span<byte> image = file.AsSpan(HeadBytes), hash = file.AsSpan(Mark.Length + sizeof(long), SHA256.HashSizeInBytes);
        return SHA256.HashData(image).AsSpan().SequenceEqual(hash) ? image.ToArray() : null;
    }

    private static void Write(string path, byte[] image)
    {
        string part = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using (FileStream stream = File.Create(part))
            {
                Span<byte> length = stackalloc byte[sizeof(long)];
                BinaryPrimitives.WriteInt64LittleEndian(length, image.Length);
                stream.Write(Mark);
                stream.Write(length);
                stream.Write(SHA256.HashData(image));
                stream.Write(image);
            }
            File.Move(part, path, overwrite: true);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            try
            {
                File.Delete(part);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException or NotSupportedException)
            {
                // Nothing can be done about it, and nothing depends on it.
            }
        }
    }
}
