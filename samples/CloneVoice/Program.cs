using System.Globalization;
using HiggsAudio;

const string Help = """
    CloneVoice: makes a voice of a recording, saves it, and says a text with it.

      dotnet run -c Release --project samples/CloneVoice -- [text] [reference.wav] [transcript] [model folder] [codec folder]

    Writes cloned.voice and cloned.wav. Without a recording the nano voice makes one, without folders it speaks, too: a small model that is
    part of the repository and shows how it works, not how well.
    """;

if (args.Contains("--help") || args.Length is 2 or 4 or > 5)
{
    Console.Error.WriteLine(Help);
    return 2;
}
try
{
    bool nano = args.Length < 5;
    string text = args.Length > 0 ? args[0] : "Thank you very much for your help.";
    using HiggsAudioServeEngine engine = nano ? NanoVoice.Load() : HiggsAudioServeEngine.Load(args[3], args[4]);
    var options = new GenerationOptions { ForceAudioGeneration = true, TopK = 50, Seed = 1, MaxNewTokens = 1024 };

    const string Said = "please open the window.";
    Voice made = args.Length > 1
        ? await engine.CreateVoiceAsync(args[1], nano ? NanoVoice.Normalize(args[2]) : args[2], scene: "Audio is recorded from a quiet room.")
        : await engine.CreateVoiceAsync((await engine.GenerateAsync(NanoVoice.Say(Said, "masculine"), options)).Audio!, Said, "recorded", "Audio is recorded from a quiet room.");
    made.Save("cloned.voice");

    Voice voice = engine.LoadVoice("cloned.voice");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"cloned.voice: {voice.Codes.Duration!.Value.TotalSeconds:0.00} s of {voice.Name}, {new FileInfo("cloned.voice").Length} bytes"));
    await engine.PrepareVoiceAsync(voice);
    HiggsAudioResponse answer = await engine.GenerateAsync(voice.Say(nano ? NanoVoice.Normalize(text) : text), options);
    answer.SaveWav("cloned.wav");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"cloned.wav: {answer.Audio!.Duration.TotalSeconds:0.00} s; {answer.Usage.CachedTokens} of {answer.Usage.PromptTokens} prompt rows were known already"));
    return 0;
}
catch (Exception expected) when (expected is IOException or ArgumentException or InvalidOperationException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(expected.Message);
    return 1;
}
