// Writes sound to a WAV file as it comes and reports the time to first audio.
//   dotnet run -c Release --project samples/Stream -- "Good evening." stream.wav
using System.Diagnostics;
using HiggsAudio;

string text = args.Length > 0 ? args[0] : "The weather is cold and rainy today.";
string path = args.Length > 1 ? args[1] : "stream.wav";

using HiggsAudioServeEngine engine = NanoVoice.Load();
using var file = new WavWriter(path, engine.SamplingRate);
var streaming = new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = 4, ChunkFrames = 15, LowLatencyStart = true } };
var clock = Stopwatch.StartNew();
bool started = false;
await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(NanoVoice.Say(text), new GenerationOptions { ForceAudioGeneration = true }, streaming))
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
