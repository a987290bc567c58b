<Query Kind="Statements">
  <NuGetReference>HiggsAudio.Core</NuGetReference>
  <Namespace>HiggsAudio</Namespace>
  <Namespace>System.Threading.Tasks</Namespace>
</Query>

// A voice from a recording, saved, loaded, spoken with; then a folder of voices. Set the paths.
using HiggsAudioServeEngine engine = HiggsAudioServeEngine.Load(@"C:\models\higgs-audio-v2-generation-3B-base", @"C:\models\higgs-audio-v2-tokenizer");
Voice made = await engine.CreateVoiceAsync(@"C:\recordings\belinda.wav", "What is said in the recording, word for word.", scene: "Audio is recorded from a quiet room.");
string path = Path.Combine(Path.GetTempPath(), "belinda.voice");
made.Save(path);

Voice voice = engine.LoadVoice(path);
await engine.PrepareVoiceAsync(voice);   // the first answer starts sooner
HiggsAudioResponse answer = await engine.GenerateAsync(voice.Say("Hello! This is me."), new GenerationOptions { ForceAudioGeneration = true });
answer.SaveWav(Path.Combine(Path.GetTempPath(), "belinda.wav"));
new { voice.Name, voice.Codes.Duration, answer.FinishReason, answer.Usage }.Dump("voice");

var library = new VoiceLibrary(engine, @"C:\voices");   // name.wav + name.txt, name.voice, or a config.json of presets
library.Names.Dump("voices of the folder");
