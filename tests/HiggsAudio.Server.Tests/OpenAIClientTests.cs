using System.ClientModel;
using NUnit.Framework;
using OpenAI;
using OpenAI.Audio;
using OpenAI.Chat;

namespace HiggsAudio.Server.Tests;

/// <summary>The official client of OpenAI, as it comes, against the server.</summary>
internal sealed class OpenAIClientTests
{
    private static OpenAIClient Client => new(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(SharedServer.Server.Address, "v1") });

    private static ChatCompletionOptions WithAudio(ChatOutputAudioFormat format) => new()
    {
        ResponseModalities = ChatResponseModalities.Text | ChatResponseModalities.Audio,
        AudioOptions = new ChatAudioOptions(ChatOutputAudioVoice.Alloy, format),
        Seed = 1,
    };

    [Test]
    public async Task Models() =>
        Assert.That((await Client.GetOpenAIModelClient().GetModelsAsync()).Value.Select(model => model.Id), Is.EqualTo(new[] { "higgs-audio-nano" }));

    [Test]
    public async Task Speech()
    {
        AudioClient client = Client.GetAudioClient("tts-1");
        BinaryData wav = await client.GenerateSpeechAsync("Good morning.", GeneratedSpeechVoice.Alloy, new SpeechGenerationOptions { ResponseFormat = GeneratedSpeechFormat.Wav });
        BinaryData pcm = await client.GenerateSpeechAsync("Good morning.", "masculine", new SpeechGenerationOptions { ResponseFormat = GeneratedSpeechFormat.Pcm });
        Assert.That(Waveform.Load(wav.ToStream()).Duration.TotalSeconds, Is.InRange(0.4, 5));
        Assert.That(pcm.ToArray(), Has.Length.InRange(20_000, 240_000));
    }

    [Test]
    public void An_error_is_understood()
    {
        ClientResultException problem = Assert.ThrowsAsync<ClientResultException>(() => Client.GetAudioClient("tts-1").GenerateSpeechAsync("Good morning.", "nobody"))!;
        Assert.That(problem.Status, Is.EqualTo(400));
        Assert.That(problem.Message, Does.Contain("no such voice"));
    }

    [Test]
    public async Task Chat_with_sound()
    {
        ChatClient client = Client.GetChatClient("gpt-4o-audio-preview");
        ChatCompletion first = await client.CompleteChatAsync([new UserChatMessage("Good morning.")], WithAudio(ChatOutputAudioFormat.Wav));
        Assert.That(first.FinishReason, Is.EqualTo(ChatFinishReason.Stop));
        Assert.That(Waveform.Load(first.OutputAudio.AudioBytes.ToStream()).Duration.TotalSeconds, Is.InRange(0.4, 5));
        Assert.That(first.OutputAudio.ExpiresAt, Is.GreaterThan(DateTimeOffset.UtcNow));
        Assert.That(first.Usage.OutputTokenDetails.AudioTokenCount, Is.GreaterThan(10));

        // A conversation goes on with what was said, and with sound of the user.
        ChatCompletion second = await client.CompleteChatAsync(
            [new UserChatMessage("Good morning."), new AssistantChatMessage(first), new UserChatMessage("Thank you.")], WithAudio(ChatOutputAudioFormat.Wav));
        Assert.That(second.OutputAudio.AudioBytes.ToMemory().Length, Is.GreaterThan(1000));
        ChatCompletion third = await client.CompleteChatAsync(
            [new UserChatMessage(ChatMessageContentPart.CreateInputAudioPart(first.OutputAudio.AudioBytes, ChatInputAudioFormat.Wav))],
            new ChatCompletionOptions { MaxOutputTokenCount = 8 });
        Assert.That(third.Usage.InputTokenCount, Is.GreaterThan(20));
    }

    [Test]
    public async Task Chat_as_a_stream()
    {
        var sound = new List<byte>();
        ChatFinishReason? reason = null;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in Client.GetChatClient("gpt-4o-audio-preview")
            .CompleteChatStreamingAsync([new SystemChatMessage("Speak."), new UserChatMessage("Good morning.")], WithAudio(ChatOutputAudioFormat.Pcm16)))
        {
            if (update.OutputAudioUpdate?.AudioBytesUpdate is { } bytes)
                sound.AddRange(bytes.ToArray());
            (reason, usage) = (update.FinishReason ?? reason, update.Usage ?? usage);
        }
        Assert.That(sound, Has.Count.InRange(20_000, 240_000));
        Assert.That(reason, Is.EqualTo(ChatFinishReason.Stop));
        Assert.That(usage!.OutputTokenCount, Is.GreaterThan(10));
    }
}
