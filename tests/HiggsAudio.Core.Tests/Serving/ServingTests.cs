using HiggsAudio.Compute;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Streaming, many requests at once, cancellation and limits, on the nano voice.</summary>
internal sealed class ServingTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, MaxNewTokens = 40 };

    private static HiggsAudioServeEngine Engine => NanoVoiceTests.Engine;

    private static readonly string[] Texts =
        ["good morning.", "how are you today?", "the weather is cold.", "thank you very much.", "please open the window.", "it is ten.", "yes.", "i like tea and coffee."];

    [TestCase(1, 1, false)]
    [TestCase(3, 7, false)]
    [TestCase(5, 25, true)]
    public async Task Streamed_sound_joins_to_the_whole(int firstChunk, int chunk, bool seeded)
    {
        GenerationOptions options = seeded ? Greedy with { Temperature = 0.8f, RasWinLen = 7, Seed = 5 } : Greedy;
        HiggsAudioResponse whole = Engine.Generate(NanoVoice.Say(Texts[1]), options);
        var streaming = new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = firstChunk, ChunkFrames = chunk } };
        var sound = new List<float>();
        var frames = new List<AudioCodes>();
        TimeSpan start = TimeSpan.Zero;
        await foreach (HiggsAudioStreamerDelta delta in Engine.GenerateDeltaStreamAsync(NanoVoice.Say(Texts[1]), options, streaming))
        {
            if (!delta.Audio.IsEmpty)
                Assert.That(delta.StartTime.TotalSeconds, Is.EqualTo((double)sound.Count / delta.SamplingRate).Within(1e-6));
            sound.AddRange(delta.Audio.Span);
            if (delta.AudioCodes is not null)
                frames.Add(delta.AudioCodes);
            start = delta.StartTime;
        }
        Assert.That(start, Is.GreaterThan(TimeSpan.Zero));
        Assert.That(AudioCodes.Concat([.. frames]), Is.EqualTo(whole.AudioCodes));
        Assert.That(sound, Is.EqualTo(whole.Audio!.Samples.ToArray()));
    }

    [Test]
    public async Task Many_requests_at_once_answer_as_each_would_alone()
    {
        AudioCodes?[] alone = [.. Texts.Select(text => Engine.Generate(NanoVoice.Say(text), Greedy).AudioCodes)];
        HiggsAudioResponse[] together = await Task.WhenAll(Texts.Select(text => Engine.GenerateAsync(NanoVoice.Say(text), Greedy)));
        Assert.That(together.Select(r => r.AudioCodes), Is.EqualTo(alone));
    }

    [Test]
    public void A_seed_gives_the_same_codes_and_another_seed_others()
    {
        GenerationOptions options = Greedy with { Temperature = 1, Seed = 11 };
        AudioCodes first = Engine.Generate(NanoVoice.Say(Texts[0]), options).AudioCodes!;
        Assert.That(Engine.Generate(NanoVoice.Say(Texts[0]), options).AudioCodes, Is.EqualTo(first));
        Assert.That(Engine.Generate(NanoVoice.Say(Texts[0]), options with { Seed = 12 }).AudioCodes, Is.Not.EqualTo(first));
    }

    [Test]
    public async Task Cancelling_at_any_step_leaves_the_engine_usable_and_its_memory_free()
    {
        AudioCodes? before = Engine.Generate(NanoVoice.Say(Texts[0]), Greedy).AudioCodes;
        for (int step = 0; step < 30; step++)
        {
            using var cancellation = new CancellationTokenSource();
            int seen = 0;
            Assert.That(async () =>
            {
                await foreach (HiggsAudioStreamerDelta _ in Engine.GenerateDeltaStreamAsync(NanoVoice.Say(Texts[2]), Greedy, cancellationToken: cancellation.Token))
                    if (seen++ == step)
                        await cancellation.CancelAsync();
            }, Throws.InstanceOf<OperationCanceledException>());
        }
        Assert.That((await Engine.GenerateAsync(NanoVoice.Say(Texts[0]), Greedy)).AudioCodes, Is.EqualTo(before));
        Assert.That(Engine.ActiveRequests, Is.Zero);
        Assert.That(Engine.KvCacheBytesInUse, Is.Zero);
    }

    [Test]
    public async Task Leaving_the_loop_early_ends_the_request()
    {
        await foreach (HiggsAudioStreamerDelta _ in Engine.GenerateDeltaStreamAsync(NanoVoice.Say(Texts[2]), Greedy))
            break;
        Engine.Generate(NanoVoice.Say(Texts[0]), Greedy);   // passes after the one that drops it
        Assert.That(Engine.ActiveRequests, Is.Zero);
    }

    [Test]
    public void A_partial_answer_is_kept_when_asked_for()
    {
        using var cancellation = new CancellationTokenSource();
        var progress = new CancelAt(5, cancellation);
        HiggsAudioResponse answer = Engine.Generate(NanoVoice.Say(Texts[2]), Greedy with { KeepPartialAnswer = true }, progress, cancellation.Token);
        Assert.That(answer.FinishReason, Is.EqualTo(FinishReason.Cancelled));
        Assert.That(answer.AudioCodes!.Frames, Is.InRange(5, 32));
        Assert.That(answer.Audio!.Length, Is.EqualTo(answer.AudioCodes.Frames * Engine.Codec.HopLength));
    }

    [Test]
    public async Task A_reader_that_stops_reading_makes_the_model_wait()
    {
        var streaming = new StreamOptions { MaxUnreadSteps = 4 };
        await using IAsyncEnumerator<HiggsAudioStreamerDelta> slow = Engine.GenerateDeltaStreamAsync(NanoVoice.Say(Texts[2]), Greedy, streaming).GetAsyncEnumerator();
        Assert.That(await slow.MoveNextAsync(), Is.True);
        AudioCodes? other = (await Engine.GenerateAsync(NanoVoice.Say(Texts[0]), Greedy)).AudioCodes;   // 40 steps of another request
        Assert.That(other, Is.Not.Null);
        Assert.That(Engine.ActiveRequests, Is.EqualTo(1));
        int deltas = 1;
        while (await slow.MoveNextAsync())
            deltas++;
        Assert.That(deltas, Is.EqualTo(Greedy.MaxNewTokens + 2));   // the segment's start is two deltas; the end is one
    }

    [Test]
    public void A_request_larger_than_the_budget_fails_and_says_by_how_much()
    {
        using HiggsAudioServeEngine small = NanoVoice.Load(new EngineOptions { KvCacheBytes = 100_000, Threads = 1 });
        EngineBusyException? problem = Assert.Throws<EngineBusyException>(() => small.Generate(NanoVoice.Say(Texts[0]), Greedy));
        Assert.That(problem!.IsTransient, Is.False);
        Assert.That(problem.Message, Does.Contain("100,000"));
    }

    [Test]
    public async Task Requests_wait_for_room_in_order_of_arrival()
    {
        // Room for one request of this size at a time.
        using HiggsAudioServeEngine narrow = NanoVoice.Load(new EngineOptions { MaxConcurrentRequests = 1, Threads = 1, KeyValueFormat = KeyValueFormat.Float32 });
        HiggsAudioResponse[] answers = await Task.WhenAll(Texts[..4].Select(text => narrow.GenerateAsync(NanoVoice.Say(text), Greedy)));
        Assert.That(answers.Select(a => a.AudioCodes), Is.EqualTo(Texts[..4].Select(text => Engine.Generate(NanoVoice.Say(text), Greedy).AudioCodes)));
    }

    [Test]
    public void A_prompt_beyond_the_context_is_refused_with_both_lengths()
    {
        using HiggsAudioServeEngine small = NanoVoice.Load(new EngineOptions { MaxContextLength = 50, Threads = 1 });
        Assert.That(() => small.Generate(NanoVoice.Say(new string('a', 100))), Throws.TypeOf<ContextLengthException>().With.Message.Contains("50"));
    }

    [Test]
    public void A_context_that_ends_ends_the_answer_by_length()
    {
        int prompt = Engine.Generate(NanoVoice.Say(Texts[0]), Greedy with { MaxNewTokens = 1 }).Usage.PromptTokens;
        using HiggsAudioServeEngine small = NanoVoice.Load(new EngineOptions { MaxContextLength = prompt + 20, Threads = 1 });
        HiggsAudioResponse answer = small.Generate(NanoVoice.Say(Texts[0]), Greedy);
        Assert.That(answer.FinishReason, Is.EqualTo(FinishReason.Length));
        Assert.That(answer.Usage.CompletionTokens, Is.EqualTo(20));
    }

    [Test]
    public void A_disposed_engine_refuses_work_and_ends_what_runs()
    {
        HiggsAudioServeEngine engine = NanoVoice.Load(new EngineOptions { Threads = 1 });
        Task<HiggsAudioResponse> running = engine.GenerateAsync(NanoVoice.Say(Texts[2]), Greedy with { MaxNewTokens = 4000, Temperature = 2, TopP = 1 });
        while (engine.ActiveRequests == 0)
            Thread.Yield();
        engine.Dispose();
        engine.Dispose();
        Assert.That(() => engine.Generate(NanoVoice.Say(Texts[0])), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(async () => await running, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Text_that_holds_a_placeholder_of_audio_is_refused() =>
        Assert.That(() => Engine.Generate(new ChatMLSample(new Message("user", "<|AUDIO|>"))), Throws.ArgumentException);

    [Test]
    public void A_placeholder_without_sound_is_refused_by_message() =>
        Assert.That(() => Engine.Generate(new ChatMLSample(new Message("user", "hi"), new Message("assistant", AudioContent.Placeholder))),
            Throws.ArgumentException.With.Message.Contains("message 1"));

    [Test]
    public void Codes_of_another_codec_are_refused() =>
        Assert.That(() => Engine.Generate(new ChatMLSample(new Message("assistant", AudioContent.FromCodes(new AudioCodes(8, new int[8 * 3].Select(_ => 999).ToArray()))))),
            Throws.ArgumentException.With.Message.Contains("999"));

    [Test]
    public void A_codec_and_a_model_that_do_not_belong_together_are_refused()
    {
        (string model, _) = NanoVoice.Unpack();
        Assert.That(() => HiggsAudioServeEngine.Load(model, Path.Combine(Golden.Repository, "tests", "golden", "codec_a")),
            Throws.InstanceOf<Compute.Checkpoints.CheckpointException>().With.Message.Contains("1024"));
    }

    private sealed class CancelAt(int frames, CancellationTokenSource cancellation) : IProgress<GenerationProgress>
    {
        public void Report(GenerationProgress value)
        {
            if (value.Frames == frames)
                cancellation.Cancel();
        }
    }
}
