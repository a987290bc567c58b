<Query Kind="Statements">
  <NuGetReference>HiggsAudio.Tokenizer</NuGetReference>
  <Namespace>HiggsAudio</Namespace>
</Query>

// Encodes a recording to codes and back. Set the two paths.
using AudioCodec codec = AudioCodec.Load(@"C:\models\higgs-audio-v2-tokenizer");
AudioCodes codes = codec.Encode(Waveform.Load(@"C:\recordings\speech.wav"));
new { codes.Codebooks, codes.Frames, codes.Duration }.Dump("codes");
codec.Decode(codes).SaveWav(Path.Combine(Path.GetTempPath(), "restored.wav"));
