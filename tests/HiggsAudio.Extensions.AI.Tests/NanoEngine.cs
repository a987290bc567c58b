namespace HiggsAudio.Extensions.AI.Tests;

/// <summary>The nano voice's engine, shared by all tests, and how it is asked to speak.</summary>
internal static class NanoEngine
{
    private static readonly Lazy<HiggsAudioServeEngine> Loaded = new(() => NanoVoice.Load(new EngineOptions { Threads = 2 }));

    public static HiggsAudioServeEngine Shared => Loaded.Value;

    /// <summary>Another one, as <see cref="HiggsAudioOptions.EngineFactory"/>.</summary>
    public static Task<HiggsAudioServeEngine> LoadAsync(IServiceProvider _, EngineOptions engine, CancellationToken cancellationToken) =>
        NanoVoice.LoadAsync(engine with { Threads = 1 }, null, cancellationToken);

    /// <summary>Its three voices, texts as it was taught to read them, the likeliest codes always.</summary>
    public static void Configure(HiggsAudioOptions options)
    {
        foreach (string voice in NanoVoice.Voices)
            options.VoiceDescriptions[voice] = voice;
        options.DefaultVoice = "feminine";
        options.Generation.Temperature = 0;
        options.Generation.RasWinLen = 0;
        options.ConfigureSpeech = speech => speech with
        {
            Normalize = false,
            ChunkRewriter = NanoVoice.Normalize,
            Chunking = new ChunkOptions { MaxCharacters = NanoVoice.LongestSentence },
            ChunkBufferSize = 0,
        };
    }
}
