using System.Security.Cryptography;

namespace HiggsAudio;

/// <summary>
/// The nano voice: a checkpoint of exactly the published architecture, only small (6.5 M + 3.4 M values), trained from scratch, that ships
/// inside this assembly. It speaks English with three voices; it is for trying the library and for testing, not for products.
/// </summary>
public static class NanoVoice
{
    /// <summary>The voices it knows, as a scene describes them: <c>SPEAKER0: feminine</c>.</summary>
    public static IReadOnlyList<string> Voices { get; } = ["feminine", "masculine", "scottish"];

    /// <summary>Loads an engine with the nano voice, unpacking the checkpoint first where that was not done before.</summary>
    /// <param name="options">Options of the engine.</param>
    /// <exception cref="IOException">The checkpoint cannot be written to the per-user cache.</exception>
    public static HiggsAudioServeEngine Load(EngineOptions? options = null)
    {
        (string modelFolder, string codecFolder) = Unpack();
        return HiggsAudioServeEngine.Load(modelFolder, codecFolder, options);
    }

    /// <summary>
    /// The conversation that makes the nano voice say a text. Its text may be any English sentence: numbers, dates, money and symbols are
    /// spelled out first.
    /// </summary>
    /// <param name="text">What to say.</param>
    /// <param name="voice">One of <see cref="Voices"/>.</param>
    public static ChatMLSample Say(string text, string voice = "feminine")
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        if (!Voices.Contains(voice))
            throw new ArgumentException($"The nano voice has the voices {string.Join(", ", Voices)}, not '{voice}'.", nameof(voice));
        return new ChatMLSample(
            new Message("system", $"Generate audio following instruction.\n\n<|scene_desc_start|>\nSPEAKER0: {voice}\n<|scene_desc_end|>"),
            new Message("user", Normalize(text)));
    }

    /// <summary>
    /// Writes the checkpoint's files to a cache folder of the user (or finds them there, byte for byte as embedded) and returns the model's
    /// and the codec's folder. Safe against other processes that do the same at the same time.
    /// </summary>
    /// <param name="cacheFolder">Where to put them; by default <c>HiggsAudio</c> in the user's local application data.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static (string ModelFolder, string CodecFolder) Unpack(string? cacheFolder = null)
    {
        cacheFolder ??= DefaultCacheFolder();
        string root = Path.Combine(cacheFolder, $"nano-{Fingerprint()}");
        foreach (string name in Files())
            UnpackFile(name, Path.Combine(root, name.Replace('/', Path.DirectorySeparatorChar)));
        return (Path.Combine(root, "generation"), Path.Combine(root, "tokenizer"));
    }

    /// <summary>The text as the nano voice was taught to read it: lower case, numbers and symbols in words.</summary>
    public static string Normalize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.ToLowerInvariant();
    }

    private static string DefaultCacheFolder()
    {
        string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return Path.Combine(local.Length > 0 ? local : Path.GetTempPath(), "HiggsAudio");
    }

    private static IEnumerable<string> Files() =>
        typeof(NanoVoice).Assembly.GetManifestResourceNames().Select(name => name.Replace('\\', '/')).Order(StringComparer.Ordinal);

    private static Stream Open(string name) =>
        typeof(NanoVoice).Assembly.GetManifestResourceStream(name)
        ?? typeof(NanoVoice).Assembly.GetManifestResourceStream(name.Replace('/', '\\'))!;

    // Another build of this assembly may carry another checkpoint: its folder has another name.
    private static string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string name in Files())
        {
            using Stream embedded = Open(name);
            hash.AppendData(SHA256.HashData(embedded));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 8));
    }

    private static void UnpackFile(string name, string path)
    {
        using Stream embedded = Open(name);
        if (IsSame(path, embedded))
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string temporary = $"{path}.{Environment.ProcessId}-{Environment.CurrentManagedThreadId}.tmp";
        try
        {
            embedded.Position = 0;
            using (FileStream file = File.Create(temporary))
                embedded.CopyTo(file);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            File.Delete(temporary);
            if (!IsSame(path, embedded))   // unless another process was faster and has it open
                throw new IOException($"The nano voice could not be unpacked to '{path}'.", problem);
        }
    }

    private static bool IsSame(string path, Stream embedded)
    {
        if (!File.Exists(path) || new FileInfo(path).Length != embedded.Length)
            return false;
        embedded.Position = 0;
        using FileStream file = File.OpenRead(path);
        return SHA256.HashData(file).AsSpan().SequenceEqual(SHA256.HashData(embedded));
    }
}
