using Microsoft.Extensions.AI;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Speech;

/// <summary>ITextToSpeechClient on the nano voice.</summary>
internal sealed class TextToSpeechClientTests
{
    private const string Text = "Good morning. The weather is cold.";

    private static readonly HiggsAudioOptions Options = MakeOptions();

    private static HiggsAudioTextToSpeechClient Client { get; } = new(NanoEngine.Shared, Options);

    [Test]
    public async Task A_whole_answer_is_a_wav_file_of_what_the_engine_says()
    {
        TextToSpeechResponse response = await Client.GetAudioAsync(Text);
        var content = (DataContent)response.Contents.Single();
        SpeakResponse expected = Spoken("feminine");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(content.MediaType, Is.EqualTo("audio/wav"));
            Assert.That(Bytes(Read(content)), Is.EqualTo(Bytes(expected.Audio!)));
            Assert.That(response.Usage!.InputTokenCount, Is.EqualTo(expected.Usage.PromptTokens));
            Assert.That(response.Usage.OutputTokenCount, Is.EqualTo(expected.Usage.CompletionTokens));
            Assert.That(response.Usage.TotalTokenCount, Is.EqualTo(expected.Usage.TotalTokens));
            Assert.That(response.Usage.OutputAudioTokenCount, Is.EqualTo(expected.AudioCodes!.Frames));
            Assert.That(response.ModelId, Is.EqualTo("nano"));
            Assert.That(response.ResponseId, Is.Not.Empty);
            Assert.That(((SpeakResponse)response.RawRepresentation!).Chunks, Has.Count.EqualTo(expected.Chunks.Count));
            Assert.That(response.AdditionalProperties!["higgs_audio.finish_reason"], Is.EqualTo(expected.FinishReason.ToString()));
        }
    }

    [TestCase(null, "audio/l16;rate=24000;channels=1"), TestCase("pcm", "audio/l16;rate=24000;channels=1"), TestCase("wav", "audio/wav")]
    public async Task Pieces_join_to_the_whole(string? format, string mediaType)
    {
        List<TextToSpeechResponseUpdate> updates = await ListAsync(Client.GetStreamingAudioAsync(Text, new TextToSpeechOptions { AudioFormat = format }));
        DataContent[] pieces = [.. updates.SelectMany(update => update.Contents).OfType<DataContent>()];
        Assert.That(pieces, Has.Length.GreaterThan(2));
        Assert.That(pieces.Select(piece => piece.MediaType).Distinct(), Is.EqualTo(new[] { mediaType }));
        byte[] joined = [.. pieces.SelectMany(piece => piece.Data.ToArray())];
        byte[] expected = Bytes(Spoken("feminine").Audio!);
        if (format == "wav")
            joined = Bytes(Waveform.Load(new MemoryStream(joined)));
        Assert.That(joined, Is.EqualTo(expected));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(updates[..^1].Select(update => update.Kind).Distinct().Single(), Is.EqualTo(TextToSpeechResponseUpdateKind.AudioUpdating));
            Assert.That(updates[^1].Kind, Is.EqualTo(TextToSpeechResponseUpdateKind.SessionClose));
            Assert.That(updates[^1].Contents.OfType<UsageContent>().Single().Details.OutputAudioTokenCount, Is.EqualTo(Spoken("feminine").AudioCodes!.Frames));
            Assert.That(updates.Select(update => update.ResponseId).Distinct().Count(), Is.EqualTo(1));
        }
    }

    [Test]
    public async Task A_described_voice_a_saved_voice_and_an_unknown_one()
    {
        TextToSpeechResponse masculine = await Client.GetAudioAsync(Text, new TextToSpeechOptions { VoiceId = "masculine" });
        Assert.That(Bytes(Read((DataContent)masculine.Contents[0])), Is.EqualTo(Bytes(Spoken("masculine").Audio!)).And.Not.EqualTo(Bytes(Spoken("feminine").Audio!)));

        string folder = Directory.CreateTempSubdirectory("voices").FullName;
        try
        {
            Voice voice = await NanoEngine.Shared.CreateVoiceAsync(Spoken("scottish").Audio!, NanoVoice.Normalize(Text), "ann");
            voice.Save(Path.Combine(folder, "ann.voice"));
            HiggsAudioOptions options = MakeOptions();
            options.VoicesFolder = folder;
            using var client = new HiggsAudioTextToSpeechClient(NanoEngine.Shared, options);
            var spoken = (SpeakResponse)(await client.GetAudioAsync("yes.", new TextToSpeechOptions { VoiceId = "ann" })).RawRepresentation!;
            SpeakResponse expected = NanoEngine.Shared.SpeakLong("yes.", options.ToSpeakOptions() with { Speakers = [voice.ToSpeakerPrompt()] });
            Assert.That(spoken.AudioCodes, Is.EqualTo(expected.AudioCodes));
            VoiceNotFoundException? problem = Assert.ThrowsAsync<VoiceNotFoundException>(() => client.GetAudioAsync("no.", new TextToSpeechOptions { VoiceId = "../ann" }));
            Assert.That(problem!.Voices, Is.EqualTo(new[] { "ann", "feminine", "masculine", "scottish" }));
            Assert.That(problem.Message, Does.Contain("'../ann'").And.Contain("scottish"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestCase(1.5f, 1f), TestCase(0.75f, 1f), TestCase(1f, 1.25f)]
    public async Task Speed_and_pitch_of_speech(float speed, float pitch)
    {
        Waveform plain = Spoken("masculine").Audio!;
        var options = new TextToSpeechOptions { VoiceId = "masculine", Speed = speed, Pitch = pitch };
        Waveform shaped = Read((DataContent)(await Client.GetAudioAsync(Text, options)).Contents[0]);
        Assert.That(shaped.Length, Is.EqualTo(plain.Length / speed).Within(2));
        Assert.That(Pitch.Median(shaped.Span), Is.EqualTo(pitch * Pitch.Median(plain.Span)).Within(5).Percent);
        options.AudioFormat = "pcm";
        List<TextToSpeechResponseUpdate> updates = await ListAsync(Client.GetStreamingAudioAsync(Text, options));
        Assert.That(updates.SelectMany(u => u.Contents).OfType<DataContent>().SelectMany(piece => piece.Data.ToArray()), Is.EqualTo(Bytes(shaped)));
    }

    [Test]
    public async Task Volume_and_rate()
    {
        Waveform plain = Spoken("feminine").Audio!;
        Waveform quiet = Read((DataContent)(await Client.GetAudioAsync(Text, new TextToSpeechOptions { Volume = 0.1f, AudioFormat = "audio/wav;rate=16000" })).Contents[0]);
        Assert.That(quiet.SamplingRate, Is.EqualTo(16000));
        Assert.That(quiet.Duration.TotalSeconds, Is.EqualTo(plain.Duration.TotalSeconds).Within(0.001));
        Assert.That(quiet.Rms, Is.EqualTo(0.1f * plain.Rms).Within(10).Percent);
        Waveform loud = Read((DataContent)(await Client.GetAudioAsync(Text, new TextToSpeechOptions { Volume = 10 })).Contents[0]);
        Assert.That(loud.Peak, Is.LessThanOrEqualTo(0.991f));
        Assert.That(loud.Rms, Is.GreaterThan(1.5f * plain.Rms));
    }

    [Test]
    public void What_is_out_of_range_is_named()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(() => Client.GetStreamingAudioAsync(Text, new TextToSpeechOptions { Speed = 3 }), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("Speed"));
            Assert.That(() => Client.GetAudioAsync(Text, new TextToSpeechOptions { Pitch = float.NaN }), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("Pitch"));
            Assert.That(() => Client.GetAudioAsync(Text, new TextToSpeechOptions { Volume = -1 }), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("Volume"));
            Assert.That(() => Client.GetStreamingAudioAsync(" "), Throws.ArgumentException);
            Assert.That(() => Client.GetAudioAsync(Text, new TextToSpeechOptions { AudioFormat = "opus" }), Throws.TypeOf<NotSupportedException>().With.Message.Contains("opus"));
            Assert.That(() => Client.GetAudioAsync(Text, new TextToSpeechOptions { AdditionalProperties = new() { ["top_k"] = "many" } }), Throws.ArgumentException.With.Message.Contains("top_k"));
        }
    }

    [Test]
    public async Task Own_options_and_additional_properties_reach_the_engine_and_nothing_of_the_caller_s_is_changed()
    {
        var raw = Options.ToSpeakOptions() with { Guards = SpeechGuards.None };
        var options = new TextToSpeechOptions
        {
            RawRepresentationFactory = _ => raw,
            AdditionalProperties = new() { ["max_tokens"] = 12, ["seed"] = 3L, ["temperature"] = 1.0 },
        };
        TextToSpeechResponse response = await Client.GetAudioAsync("yes.", options);
        var spoken = (SpeakResponse)response.RawRepresentation!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(spoken.FinishReason, Is.EqualTo(FinishReason.Length));
            Assert.That(spoken.Usage.CompletionTokens, Is.EqualTo(12));
            Assert.That(spoken.Chunks[0].Seed, Is.EqualTo(3));
            Assert.That((options.VoiceId, options.AudioFormat, options.Speed, options.Pitch, options.Volume), Is.EqualTo(((string?)null, (string?)null, (float?)null, (float?)null, (float?)null)));
            Assert.That(options.AdditionalProperties, Has.Count.EqualTo(3));
            Assert.That(raw.Speakers, Is.Empty);
        }
    }

    [Test]
    public async Task Calls_at_once_answer_as_each_would_alone()
    {
        string[] voices = ["feminine", "masculine", "scottish", "feminine", "masculine", "scottish"];
        TextToSpeechResponse[] together = await Task.WhenAll(voices.Select(voice => Client.GetAudioAsync(Text, new TextToSpeechOptions { VoiceId = voice })));
        Assert.That(together.Select(response => ((SpeakResponse)response.RawRepresentation!).AudioCodes), Is.EqualTo(voices.Select(voice => Spoken(voice).AudioCodes)));
    }

    [Test]
    public async Task Leaving_the_loop_and_cancelling_end_the_call()
    {
        var provider = (HiggsAudioEngineProvider)Client.GetService(typeof(HiggsAudioEngineProvider))!;
        await foreach (TextToSpeechResponseUpdate _ in Client.GetStreamingAudioAsync(Text))
            break;
        Assert.That(provider.Admission.Calls, Is.Zero);
        using var cancellation = new CancellationTokenSource();
        Assert.That(async () =>
        {
            await foreach (TextToSpeechResponseUpdate _ in Client.GetStreamingAudioAsync(Text, null, cancellation.Token))
                await cancellation.CancelAsync();
        }, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(async () => await Client.GetAudioAsync(Text, null, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(provider.Admission.Calls, Is.Zero);
        Assert.That((await Client.GetAudioAsync(Text)).Contents, Has.Count.EqualTo(1));
        Assert.That(NanoEngine.Shared.ActiveRequests, Is.Zero);
    }

    [Test]
    public async Task A_full_queue_refuses_at_once_and_lets_in_again()
    {
        HiggsAudioOptions options = MakeOptions();
        (options.MaxConcurrentRequests, options.MaxQueuedRequests) = (1, 0);
        using var client = new HiggsAudioTextToSpeechClient(NanoEngine.Shared, options);
        await using (IAsyncEnumerator<TextToSpeechResponseUpdate> first = client.GetStreamingAudioAsync(Text).GetAsyncEnumerator())
        {
            Assert.That(await first.MoveNextAsync(), Is.True);
            Assert.That(() => client.GetAudioAsync(Text), Throws.TypeOf<EngineBusyException>().With.Property("IsTransient").True);
        }
        Assert.That((await client.GetAudioAsync("yes.")).Contents, Is.Not.Empty);
    }

    [Test]
    public void Services_and_ownership()
    {
        HiggsAudioServeEngine engine = NanoVoice.Load(new EngineOptions { Threads = 1 });
        var owner = new HiggsAudioTextToSpeechClient(engine, ownsEngine: true);
        var guest = new HiggsAudioTextToSpeechClient(engine);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(owner.GetService<HiggsAudioServeEngine>(), Is.SameAs(engine));
            Assert.That(owner.GetService<ITextToSpeechClient>(), Is.SameAs(owner));
            Assert.That(owner.GetService<TextToSpeechClientMetadata>()!.ProviderName, Is.EqualTo("higgs_audio"));
            Assert.That(owner.GetService<TextToSpeechClientMetadata>()!.DefaultModelId, Is.EqualTo("higgs-audio-v2"));
            Assert.That(owner.GetService<HiggsAudioServeEngine>("key"), Is.Null);
            Assert.That(owner.GetService<IChatClient>(), Is.Null);
        }
        var options = new GenerationOptions { ForceAudioGeneration = true, MaxNewTokens = 2 };
        guest.Dispose();
        engine.Generate(NanoVoice.Say("yes."), options);
        owner.Dispose();
        Assert.That(() => engine.Generate(NanoVoice.Say("yes."), options), Throws.InstanceOf<ObjectDisposedException>());
    }

    private static HiggsAudioOptions MakeOptions()
    {
        var options = new HiggsAudioOptions { ModelId = "nano" };
        NanoEngine.Configure(options);
        return options;
    }

    private static SpeakResponse Spoken(string voice) =>
        NanoEngine.Shared.SpeakLong(Text, Options.ToSpeakOptions() with { Speakers = [SpeakerPrompt.FromProfile(voice)] });

    private static Waveform Read(DataContent content) => Waveform.Load(new MemoryStream(content.Data.ToArray()));

    private static byte[] Bytes(Waveform audio) => Extensions.AI.Speech.SpeechFormat.Encode(audio.Span);

    private static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> items)
    {
        var list = new List<T>();
        await foreach (T item in items)
            list.Add(item);
        return list;
    }
}
