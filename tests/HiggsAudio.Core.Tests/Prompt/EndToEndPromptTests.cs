using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

/// <summary>e2e/meta.json: prompts of the reference's serve engine and of its generation client.</summary>
public class EndToEndPromptTests
{
    public static IEnumerable<TestCaseData> ServeEngine() => Golden.TestCases("e2e", c => c.GetProperty("kind").GetString() == "serve_engine");

    public static IEnumerable<TestCaseData> GenerationClient() => Golden.TestCases("e2e", c => c.GetProperty("kind").GetString() == "generation_client");

    [TestCaseSource(nameof(ServeEngine))]
    public void The_serve_engine_s_prompts_are_built(string folder, string name)
    {
        (JsonElement item, TextTokenizer tokenizer, HiggsAudioConfig config) = Load(folder, name);
        using Checkpoint tensors = Checkpoint.Open(Path.Combine(folder, name + ".safetensors"));
        AssistantStart start = item.GetProperty("force_audio_gen").GetBoolean() ? AssistantStart.Audio : AssistantStart.Text;
        var sample = ChatMLSample.FromJson(item.GetProperty("sample"));
        PromptTokens tokens = new PromptBuilder(tokenizer, SpecialTokens.From(tokenizer, config)).Build(sample, start);
        Assert.That(tokens.InputIds, Is.EqualTo(Ints(tensors, "prompt_ids")));

        // The engine does not give the model the clips of system and user messages.
        AudioCodes?[] clips = [.. tokens.Audio.Select(audio => audio.Kind == PromptRowKind.AudioOut ? Codes(tensors, "ref_codes") : null)];
        Prompt prompt = new PromptCollator(config) { ReturnAudioInTokens = false }.Collate(tokens, clips);
        Assert.That(prompt.AudioIn.Codes, Is.Empty);
        Assert.That(prompt.Rows.Count(row => row is { Kind: PromptRowKind.Padding, Id: var id } && id == config.PadTokenId),
            Is.EqualTo(tokens.Audio.Count(audio => audio.Kind == PromptRowKind.AudioIn)));
        AssertColumns(prompt.AudioOut, tensors, "audio_out_ids");
    }

    [TestCaseSource(nameof(GenerationClient))]
    public void The_generation_client_s_first_prompt_is_built(string folder, string name)
    {
        (JsonElement item, TextTokenizer tokenizer, HiggsAudioConfig config) = Load(folder, name);
        using Checkpoint tensors = Checkpoint.Open(Path.Combine(folder, name + ".safetensors"));
        var sample = new ChatMLSample([.. ChatMLSample.FromJson(item).Messages, new Message("user", item.GetProperty("chunks")[0].GetString()!)]);
        PromptTokens tokens = new PromptBuilder(tokenizer, SpecialTokens.From(tokenizer, config)).Build(sample, AssistantStart.Text);
        Assert.That(tokens.InputIds, Is.EqualTo(Ints(tensors, "chunk0_input_ids")));

        Prompt prompt = new PromptCollator(config).Collate(tokens, [.. tokens.Audio.Select(_ => Codes(tensors, "ref_codes"))]);
        AssertColumns(prompt.AudioIn, tensors, "chunk0_audio_in_ids");
        AssertColumns(prompt.AudioOut, tensors, "chunk0_audio_out_ids");
    }

    private static (JsonElement Item, TextTokenizer Tokenizer, HiggsAudioConfig Config) Load(string folder, string name)
    {
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "meta.json")));
        string Folder(string member) => Path.GetFullPath(Path.Combine(folder, meta.RootElement.GetProperty(member).GetString()!));
        return (meta.RootElement.GetProperty("cases").GetProperty(name).Clone(), Tokenizers.Load(Folder("tokenizer")), HiggsAudioConfig.Load(Folder("lm")));
    }

    private static void AssertColumns(PromptClips clips, Checkpoint tensors, string name)
    {
        if (!tensors.Tensors.ContainsKey(name))
        {
            Assert.That(clips.Columns, Is.Zero);
            return;
        }
        AudioCodes expected = Codes(tensors, name);   // codes in everything but BOS and EOS
        Assert.That(AudioCodes.FromFrames(clips.Codebooks, clips.Codes), Is.EqualTo(expected));
    }

    private static AudioCodes Codes(Checkpoint tensors, string name) => new((int)tensors.Tensors[name].Shape[0], Ints(tensors, name));

    private static int[] Ints(Checkpoint tensors, string name) => [.. tensors.Tensors[name].ToFloats().Select(value => (int)value)];
}
