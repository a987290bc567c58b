// Writes sound to a WAV file as it comes and reports the time to first audio.
//   dotnet run -c Release --project samples/Stream -- "Good evening." stream.wav [model folder] [codec folder]
using System.Diagnostics;
using HiggsAudio;

string text = args.Length > 0 ? args[0] : "The weather is cold and rainy today.";
string path = args.Length > 1 ? args[1] : "stream.wav";
bool nano = args.Length < 4;
try
{
    using HiggsAudioServeEngine engine = nano ? NanoVoice.Load() : HiggsAudioServeEngine.Load(args[2], args[3]);
    using var file = new WavWriter(path, engine.SamplingRate);
    ChatMLSample sample = nano ? NanoVoice.Say(text) : new ChatMLSample(new Message("user", text));
    var streaming = new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = 4, ChunkFrames = 15, LowLatencyStart = true } };
    var clock = Stopwatch.StartNew();
    bool started = false;
    await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(sample, new GenerationOptions { ForceAudioGeneration = true }, streaming))
    {
        if (!delta.Audio.IsEmpty)
        {
            if (!started)
                Console.WriteLine($"first audio after {clock.ElapsedMilliseconds} ms");
            started = true;
            file.Write(delta.Audio.Span);
            Console.WriteLine($"{clock.Elapsed.TotalSeconds,6:0.00} s: sound from {delta.StartTime.TotalSeconds:0.00} s on, {delta.Audio.Length} samples");
        }
        if (delta.FinishReason is { } reason)
            Console.WriteLine($"{path}: finish reason {reason}");
    }
    return 0;
}
catch (Exception expected) when (expected is IOException or ArgumentException or InvalidOperationException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(expected.Message);
    return 1;
}
