<Query Kind="Statements">
  <NuGetReference>HiggsAudio.Nano</NuGetReference>
  <Namespace>HiggsAudio</Namespace>
  <Namespace>System.Threading.Tasks</Namespace>
</Query>

// Two speakers. The nano voice knows one speaker at a time, short sentences and lower case; the published model needs no such options but voices.
using HiggsAudioServeEngine engine = NanoVoice.Load();
var options = new SpeakOptions
{
    Speakers = [SpeakerPrompt.FromProfile("feminine"), SpeakerPrompt.FromProfile("masculine")],
    SeparateSpeakers = true,
    Chunking = new ChunkOptions { MaxWords = 15 },
    ChunkBufferSize = 0,
    ChunkRewriter = NanoVoice.Normalize,
};
SpeakResponse spoken = await engine.SpeakLongAsync("""
    [SPEAKER0] Good morning. How are you today?
    [SPEAKER1] Thank you, I am very well. [pause 0.3] The weather is cold.
    """, options);
string path = Path.Combine(Path.GetTempPath(), "dialogue.wav");
spoken.SaveWav(path);
spoken.Chunks.Select(chunk => new { chunk.StartTime, chunk.Text, chunk.FinishReason }).Dump(path);
