<Query Kind="Statements">
  <NuGetReference>HiggsAudio.Nano</NuGetReference>
  <Namespace>HiggsAudio</Namespace>
</Query>

// Says a sentence with the nano voice, which is part of the package, and shows what came out.
using HiggsAudioServeEngine engine = NanoVoice.Load();
HiggsAudioResponse output = engine.Generate(NanoVoice.Say("Good morning."), new GenerationOptions { ForceAudioGeneration = true });
string path = Path.Combine(Path.GetTempPath(), "higgs.wav");
output.SaveWav(path);
new { path, output.Audio!.Duration, output.FinishReason, output.Usage, output.Seed }.Dump();
