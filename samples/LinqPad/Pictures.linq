<Query Kind="Statements">
  <NuGetReference>HiggsAudio.Nano</NuGetReference>
  <Namespace>HiggsAudio</Namespace>
  <Namespace>HiggsAudio.Pictures</Namespace>
</Query>

// Says a sentence with the nano voice and shows its waveform, mel spectrogram and codes.
using HiggsAudioServeEngine engine = NanoVoice.Load();
HiggsAudioResponse output = engine.Generate(NanoVoice.Say("The weather is cold today."), new GenerationOptions { ForceAudioGeneration = true });
using var png = new MemoryStream();
SoundPictures.DrawAll(output.Audio!, output.AudioCodes, new PictureOptions { CodebookSize = engine.Codec.CodebookSize }).WritePng(png);
Util.Image(png.ToArray()).Dump("sound");
