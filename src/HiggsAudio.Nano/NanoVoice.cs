using HiggsAudio.Nano;

namespace HiggsAudio;

/// <summary>
/// The nano voice: a checkpoint of exactly the published architecture, only small (6.5 M + 3.4 M values), trained from scratch, that ships
/// inside this assembly. It speaks English with three voices; it is for trying the library and for testing, not for products.
/// </summary>
public static class NanoVoice
{
    /// <summary>The voices it knows, as a scene describes them: <c>SPEAKER0: feminine</c>.</summary>
    public static IReadOnlyList<string> Voices { get; } = ["feminine", "masculine", "scottish"];

    /// <summary>The longest sentences that it was taught, in characters of <see cref="Normalize"/>; longer ones it says badly: <see cref="Split"/> them.</summary>
    public const int LongestSentence = 70;

    private static readonly EnglishTextOptions Spelling = new() { LowerCase = true, Alphabet = "abcdefghijklmnopqrstuvwxyz',.?! " };

    /// <summary>Loads an engine with the nano voice, unpacking the checkpoint first where that was not done before.</summary>
    /// <param name="options">Options of the engine.</param>
    /// <param name="progress">Told what is being done: <c>unpacking</c>, then what <see cref="HiggsAudioServeEngine"/> loads.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <exception cref="IOException">The checkpoint can be written neither to the per-user cache nor to the folder of temporary files.</exception>
    /// <exception cref="OperationCanceledException">The loading was ended.</exception>
    public static HiggsAudioServeEngine Load(EngineOptions? options = null, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        (string modelFolder, string codecFolder) = NanoCheckpoint.UnpackSomewhere(progress, cancellationToken);
        return HiggsAudioServeEngine.Load(modelFolder, codecFolder, options, progress, cancellationToken);
    }

    /// <summary>As <see cref="Load"/>, on another thread.</summary>
    public static Task<HiggsAudioServeEngine> LoadAsync(EngineOptions? options = null, IProgress<LoadProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Load(options, progress, cancellationToken), cancellationToken);

    /// <summary>
    /// The conversation that makes the nano voice say a text. Its text may be any English sentence: numbers, dates, money and symbols are
    /// spelled out first. Longer texts are for <see cref="Split"/> first, and one conversation for each part.
    /// </summary>
    /// <param name="text">What to say, best no longer than <see cref="LongestSentence"/>.</param>
    /// <param name="voice">One of <see cref="Voices"/>.</param>
    /// <exception cref="ArgumentException">There is nothing in the text that can be said, or there is no such voice.</exception>
    public static ChatMLSample Say(string text, string voice = "feminine")
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!Voices.Contains(voice))
            throw new ArgumentException($"The nano voice has the voices {string.Join(", ", Voices)}, not '{voice}'.", nameof(voice));
        return new ChatMLSample(
            new Message("system", $"Generate audio following instruction.\n\n<|scene_desc_start|>\nSPEAKER0: {voice}\n<|scene_desc_end|>"),
            new Message("user", Normalize(text)));
    }

    /// <summary>
    /// The text as the nano voice was taught to read it: spoken words (<see cref="EnglishTextNormalizer"/>) of the letters a to z, apostrophe,
    /// comma, full stop, question and exclamation mark, with one of these at the end. Accents are folded; what has no like is left out.
    /// </summary>
    /// <param name="text">English text.</param>
    /// <exception cref="ArgumentException">There is nothing in the text that can be said.</exception>
    public static string Normalize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string spoken = EnglishTextNormalizer.Normalize(text, Spelling);
        if (!spoken.AsSpan().ContainsAnyInRange('a', 'z'))
            throw new ArgumentException("There is nothing in the text that the nano voice could say: it reads English, in the letters a to z.", nameof(text));
        return spoken[^1] is '.' or '?' or '!' ? spoken : spoken + ".";
    }

    /// <summary>
    /// Cuts a text into parts that the nano voice can say, none longer than <see cref="LongestSentence"/>, each as <see cref="Normalize"/> gives
    /// it: by sentences, long sentences by clauses, long clauses between words.
    /// </summary>
    /// <param name="text">English text of any length.</param>
    /// <exception cref="ArgumentException">There is nothing in the text that can be said.</exception>
    public static IReadOnlyList<string> Split(string text) => SentenceSplitter.Split(Normalize(text), LongestSentence);

    /// <summary>
    /// Writes the checkpoint's files to a cache folder of the user (or finds them there, byte for byte as embedded) and returns the model's
    /// and the codec's folder. Safe against other processes that do the same at the same time: a file appears whole or not at all.
    /// </summary>
    /// <param name="cacheFolder">Where to put them; by default <c>HiggsAudio</c> in the user's local application data.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static (string ModelFolder, string CodecFolder) Unpack(string? cacheFolder = null) =>
        NanoCheckpoint.Unpack(cacheFolder ?? NanoCheckpoint.UserCache(), null, CancellationToken.None);
}
