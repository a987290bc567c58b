<Query Kind="Statements">
  <NuGetReference>HiggsAudio.Core</NuGetReference>
  <Namespace>HiggsAudio</Namespace>
  <Namespace>System.Threading.Tasks</Namespace>
</Query>

// Speech in, speech out, several turns; every turn computes only what is new. Set the paths.
using HiggsAudioServeEngine engine = HiggsAudioServeEngine.Load(@"C:\models\higgs-audio-v2-generation-3B-base", @"C:\models\higgs-audio-v2-tokenizer");
using ChatSession chat = engine.CreateChatSession(new Message("system", "You are a helpful assistant. Answer in speech."));
MessageContent[] turns = ["What is the capital of France?", AudioContent.FromFile(@"C:\recordings\question.wav")];
for (int i = 0; i < turns.Length; i++)
{
    HiggsAudioResponse answer = await chat.SendAsync(turns[i], new GenerationOptions { ForceAudioGeneration = true });
    string path = Path.Combine(Path.GetTempPath(), $"answer-{i + 1}.wav");
    if (answer.Audio is not null)
        answer.SaveWav(path);
    new { path, answer.GeneratedText, answer.Audio?.Duration, answer.Usage.PromptTokens, answer.Usage.CachedTokens }.Dump($"turn {i + 1}");
}
