<Query Kind="Statements">
  <NuGetReference>HiggsAudio.Nano</NuGetReference>
  <Namespace>HiggsAudio</Namespace>
  <Namespace>System.Diagnostics</Namespace>
  <Namespace>System.Threading.Tasks</Namespace>
</Query>

// Sound while it is made: when each piece came, and what of the answer it is. The nano voice; for the published one see Voices.linq.
using HiggsAudioServeEngine engine = NanoVoice.Load();
var options = new GenerationOptions { ForceAudioGeneration = true };
var streaming = new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = 4, ChunkFrames = 15, LowLatencyStart = true } };
string path = Path.Combine(Path.GetTempPath(), "stream.wav");
using var file = new WavWriter(path, engine.SamplingRate);
var clock = Stopwatch.StartNew();
await foreach (HiggsAudioStreamerDelta delta in engine.GenerateDeltaStreamAsync(NanoVoice.Say("The weather is cold and rainy today."), options, streaming))
{
    if (!delta.Audio.IsEmpty)
    {
        file.Write(delta.Audio.Span);
        new { clock.Elapsed, delta.StartTime, Samples = delta.Audio.Length }.Dump();
    }
    if (delta.FinishReason is not null)
        new { path, delta.FinishReason, delta.Usage }.Dump("end");
}

// Many at once: one copy of the weights, computed together, each answer as if it were alone.
string[] texts = ["Good morning.", "How are you?", "It is ten.", "Thank you very much."];
clock.Restart();
HiggsAudioResponse[] answers = await Task.WhenAll(texts.Select(text => engine.GenerateAsync(NanoVoice.Say(text), options)));
answers.Select((answer, i) => new { Text = texts[i], answer.Audio?.Duration, answer.FinishReason }).Dump($"{answers.Length} answers in {clock.Elapsed}");
