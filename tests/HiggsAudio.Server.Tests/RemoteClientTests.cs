#pragma warning disable MEAI001   // ITextToSpeechClient is experimental
using System.Net;
using HiggsAudio.Extensions.AI;
using Microsoft.Extensions.AI;
using NUnit.Framework;

namespace HiggsAudio.Server.Tests;

/// <summary>The library's own client against the server, as each kind of server whose protocol it speaks.</summary>
internal sealed class RemoteClientTests
{
    private const string Text = "Good morning. How are you today?";

    private static HiggsAudioRemoteClient Client(HiggsAudioServerDialect dialect) =>
        new(new HiggsAudioRemoteOptions { Endpoint = SharedServer.Server.Address, Dialect = dialect, Model = "higgs-audio-nano", DefaultVoice = "feminine" });

    private static TextToSpeechOptions Seeded => new() { AdditionalProperties = new() { ["seed"] = 4L } };

    [Test]
    public async Task Speech_as_a_whole_and_in_pieces([Values] HiggsAudioServerDialect dialect)
    {
        using HiggsAudioRemoteClient client = Client(dialect);
        TextToSpeechResponse whole = await client.GetAudioAsync(Text, Seeded);
        Waveform sound = Waveform.Load(new MemoryStream(((DataContent)whole.Contents[0]).Data.ToArray()));
        Assert.That(sound.Duration.TotalSeconds, Is.InRange(0.8, 8));
        Assert.That(sound.Rms, Is.GreaterThan(0.005f));
        int bytes = 0;
        UsageDetails? usage = null;
        await foreach (TextToSpeechResponseUpdate update in client.GetStreamingAudioAsync(Text, Seeded))
        {
            bytes += update.Contents.OfType<DataContent>().Sum(piece => piece.Data.Length);
            usage = update.Contents.OfType<UsageContent>().SingleOrDefault()?.Details ?? usage;
        }
        Assert.That(bytes, Is.EqualTo(2 * sound.Length));
        if (dialect == HiggsAudioServerDialect.SglangOmni)
            Assert.That(usage!.OutputTokenCount, Is.GreaterThan(25), "it is answered with events, which end with what it cost");
    }

    [Test]
    public async Task Voices_speed_and_errors()
    {
        using HiggsAudioRemoteClient client = Client(HiggsAudioServerDialect.OpenAI);
        Assert.That(await client.GetVoicesAsync(), Is.SupersetOf(NanoVoice.Voices));
        await client.CheckHealthAsync();
        TextToSpeechOptions options = Seeded;
        int plain = ((DataContent)(await client.GetAudioAsync(Text, options)).Contents[0]).Data.Length;
        options.Speed = 1.5f;
        int fast = ((DataContent)(await client.GetAudioAsync(Text, options)).Contents[0]).Data.Length;
        Assert.That((fast - 44) * 1.5, Is.EqualTo(plain - 44).Within(4));
        HiggsAudioRemoteException? problem = Assert.ThrowsAsync<HiggsAudioRemoteException>(() => client.GetAudioAsync(Text, new TextToSpeechOptions { VoiceId = "nobody" }));
        Assert.That(problem!.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest).Or.EqualTo(HttpStatusCode.NotFound));
        Assert.That(problem.Message, Does.Contain("no such voice"));
    }

    [Test]
    public async Task Chat_with_sound_in_both_directions([Values(HiggsAudioServerDialect.OpenAI, HiggsAudioServerDialect.BosonVllm)] HiggsAudioServerDialect dialect)
    {
        using HiggsAudioRemoteClient client = Client(dialect);
        var options = new ChatOptions { Seed = 1, MaxOutputTokens = 100 };
        List<ChatMessage> conversation = [new(ChatRole.User, "Good morning.")];
        ChatResponse whole = await client.GetResponseAsync(conversation, options);
        var sound = whole.Messages[0].Contents.OfType<DataContent>().Single();
        Assert.That(Waveform.Load(new MemoryStream(sound.Data.ToArray())).Length, Is.GreaterThan(4000));
        Assert.That(whole.Usage!.OutputTokenCount, Is.GreaterThan(10));
        ChatResponse streamed = await client.GetStreamingResponseAsync(conversation, options).ToChatResponseAsync();
        int bytes = streamed.Messages.SelectMany(message => message.Contents).OfType<DataContent>().Sum(piece => piece.Data.Length);
        Assert.That(bytes, Is.EqualTo(sound.Data.Length - 44));
        Assert.That(streamed.FinishReason, Is.EqualTo(whole.FinishReason));

        conversation.AddRange(whole.Messages);
        conversation.Add(new(ChatRole.User, "Thank you."));
        ChatResponse second = await client.GetResponseAsync(conversation, options);
        Assert.That(second.Usage!.InputTokenCount, Is.GreaterThan(whole.Usage.InputTokenCount!.Value));
    }
}
