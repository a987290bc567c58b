using System.Globalization;
using HiggsAudio;

const string Help = """
    Dialogue: speaks a transcript of two speakers with Higgs Audio v2 and writes a WAV file.

      dotnet run -c Release --project samples/Dialogue -- [transcript.txt] [dialogue.wav] [model folder] [codec folder]

    A turn begins with [SPEAKER0] or [SPEAKER1]; [pause 0.5] is half a second of silence. Without a transcript a short one is spoken,
    without folders the nano voice speaks, which is part of the repository.
    """;

const string Short = """
    [SPEAKER0] Good morning. How are you today?
    [SPEAKER1] Thank you, I am very well. [pause 0.3] The weather is cold.
    [SPEAKER0] Please close the window, and come in.
    """;

if (args.Contains("--help") || args.Length is 3 or > 4)
{
    Console.Error.WriteLine(Help);
    return 2;
}
try
{
    string transcript = args.Length > 0 ? File.ReadAllText(args[0]) : Short, output = args.Length > 1 ? args[1] : "dialogue.wav";
    bool nano = args.Length < 4;
    using HiggsAudioServeEngine engine = nano ? NanoVoice.Load() : HiggsAudioServeEngine.Load(args[2], args[3]);

    // The nano voice knows one speaker at a time, short sentences, and lower case.
    SpeakOptions options = nano
        ? new SpeakOptions
        {
            Speakers = [SpeakerPrompt.FromProfile("feminine"), SpeakerPrompt.FromProfile("masculine")],
            SeparateSpeakers = true,
            Chunking = new ChunkOptions { MaxWords = 15 },
            ChunkBufferSize = 0,
            ChunkRewriter = NanoVoice.Normalize,
        }
        : new SpeakOptions { Scene = "Audio is recorded from a quiet room." };   // SPEAKER0 is feminine, SPEAKER1 masculine

    SpeakResponse spoken = await engine.SpeakLongAsync(transcript, options);
    foreach (SpokenChunk chunk in spoken.Chunks)
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{chunk.StartTime.TotalSeconds,6:0.00} s  {chunk.FinishReason}  {chunk.Text}"));
    spoken.SaveWav(output);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{output}: {spoken.Audio!.Duration.TotalSeconds:0.00} s"));
    return 0;
}
catch (Exception expected) when (expected is IOException or ArgumentException or InvalidOperationException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(expected.Message);
    return 1;
}
