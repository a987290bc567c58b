using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Requests that come, go, fail and are given up at random: the others do not notice, and nothing is left behind.</summary>
internal sealed class RandomLoadTests
{
    private static readonly string[] Texts = ["good morning.", "how are you?", "it is cold.", "thank you very much.", "yes.", "it is ten."];

    private static GenerationOptions Options(Random random) => PrefixCacheTests.Greedy with
    {
        MaxNewTokens = random.Next(1, 30),
        Temperature = random.Next(2) * 0.9f,
        Seed = random.Next(3),
        ForceAudioGeneration = random.Next(4) > 0,
    };

    private static ChatMLSample Sample(HiggsAudioServeEngine engine, Random random)
    {
        string text = Texts[random.Next(Texts.Length)];
        return random.Next(2) == 0 ? NanoVoice.Say(text) : PrefixCacheTests.RandomVoice(engine.Codec, random.Next(3), frames: 20 + random.Next(2) * 30).Say(text);
    }

    [Test]
    public async Task Mixed_requests_together_answer_as_each_would_alone([Values(0L, 256L << 20)] long prefixBytes, [Values(2, 5, 16)] int requests)
    {
        var random = new Random(requests);
        using HiggsAudioServeEngine alone = PrefixCacheTests.NewEngine(prefixBytes: 0), together = PrefixCacheTests.NewEngine(prefixBytes, prefillChunk: 16);
        (ChatMLSample Sample, GenerationOptions Options, int Arrival, int Fate)[] all =
            [.. Enumerable.Range(0, requests).Select(_ => (Sample(alone, random), Options(random), random.Next(12), random.Next(5)))];
        await Task.WhenAll(all.Select(async request =>
        {
            for (int i = 0; i < request.Arrival; i++)
                await Task.Delay(2);
            switch (request.Fate)
            {
                case 0:
                    await GiveUpAsync(together, request.Sample, request.Options, after: request.Arrival, byToken: request.Arrival % 2 == 0);
                    break;
                case 1:
                    Assert.That(async () => await together.GenerateAsync(new ChatMLSample([.. request.Sample.Messages, new Message("user", AudioContent.Placeholder)]), request.Options), Throws.ArgumentException);
                    break;
                default:
                    HiggsAudioResponse expected = await alone.GenerateAsync(request.Sample, request.Options), actual = await together.GenerateAsync(request.Sample, request.Options);
                    Assert.That(actual.GeneratedTextTokens, Is.EqualTo(expected.GeneratedTextTokens));
                    Assert.That(actual.GeneratedAudioTokens, Is.EqualTo(expected.GeneratedAudioTokens));
                    break;
            }
        }));
    }

    // 520 of them: 2 x 16 rounds of 15, and 40 engines.
    [Test]
    public async Task Nothing_is_left_of_requests_and_conversations_that_are_given_up_anywhere([Values(0L, 100_000_000L)] long prefixBytes)
    {
        using HiggsAudioServeEngine engine = PrefixCacheTests.NewEngine(prefixBytes);
        var random = new Random(3);
        for (int round = 0; round < 16; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 15).Select(_ => (Random: new Random(random.Next()), Session: random.Next(3) == 0)).Select(async given =>
            {
                ChatMLSample sample = Sample(engine, given.Random);
                int after = given.Random.Next(40);
                bool byToken = given.Random.Next(2) == 0;
                if (given.Session)
                    await EndConversationAsync(engine, sample, Options(given.Random), after);
                else
                    await GiveUpAsync(engine, sample, Options(given.Random), after, byToken);
            }));
            if (prefixBytes == 0)
                await Idle.AssertAsync(engine);
        }
        // The scheduler's lane, and of the callers' one per core: 24 MB each at most with this codec.
        Assert.That(engine.NativeScratchBytes, Is.LessThanOrEqualTo((1 + Environment.ProcessorCount) * 24_000_000L), "scratch memory grows");
        // What is left is what is kept for later, each page counted once or more.
        HiggsAudioResponse last = await engine.GenerateAsync(NanoVoice.Say(Texts[0]), PrefixCacheTests.Greedy);
        Assert.That(last.Audio, Is.Not.Null);
        for (int i = 0; i < 2000 && engine.NativeKvCacheBytes > engine.PrefixCacheBytesInUse; i++)
            await Task.Delay(5);
        Assert.That(engine.NativeKvCacheBytes, Is.LessThanOrEqualTo(engine.PrefixCacheBytesInUse));
        engine.Dispose();
        Assert.That(engine.NativeKvCacheBytes, Is.Zero);
        Assert.That(engine.NativeScratchBytes, Is.Zero);
        Assert.That(engine.PrefixCacheBytesInUse, Is.Zero);
    }

    [Test]
    public async Task An_engine_that_is_disposed_anywhere_ends_all_and_frees_all()
    {
        var random = new Random(4);
        for (int round = 0; round < 40; round++)
        {
            HiggsAudioServeEngine engine = PrefixCacheTests.NewEngine();
            using var cancellation = new CancellationTokenSource();
            ChatSession session = engine.CreateChatSession(NanoVoice.Say("x").Messages[0]);
            Task[] work = [.. Enumerable.Range(0, 4).Select(_ => engine.GenerateAsync(Sample(engine, random), Options(random) with { MaxNewTokens = 200 }, cancellationToken: cancellation.Token)),
                session.SendAsync("yes.", PrefixCacheTests.Greedy)];
            for (int i = random.Next(30); i > 0; i--)
                await Task.Delay(1);
            engine.Dispose();
            await cancellation.CancelAsync();
            foreach (Task task in work)
                try
                {
                    await task;
                }
                catch (Exception problem) when (problem is ObjectDisposedException or OperationCanceledException)
                {
                }
            session.Dispose();
            Assert.That((engine.NativeKvCacheBytes, engine.NativeScratchBytes), Is.EqualTo((0L, 0L)), $"round {round}");
        }
    }

    private static async Task GiveUpAsync(HiggsAudioServeEngine engine, ChatMLSample sample, GenerationOptions options, int after, bool byToken)
    {
        using var cancellation = new CancellationTokenSource();
        try
        {
            if (after == 0)
                await cancellation.CancelAsync();
            await foreach (HiggsAudioStreamerDelta _ in engine.GenerateDeltaStreamAsync(sample, options, cancellationToken: cancellation.Token))
            {
                if (after-- > 0)
                    continue;
                if (!byToken)
                    break;
                await cancellation.CancelAsync();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    // Disposed while its second turn runs, or after it.
    private static async Task EndConversationAsync(HiggsAudioServeEngine engine, ChatMLSample sample, GenerationOptions options, int after)
    {
        using ChatSession session = engine.CreateChatSession(sample.Messages.SkipLast(1));
        await session.SendAsync(sample.Messages[^1], options);
        try
        {
            await foreach (HiggsAudioStreamerDelta _ in session.SendDeltaStreamAsync("it is ten.", options))
                if (after-- == 0)
                    session.Dispose();
        }
        catch (OperationCanceledException)
        {
        }
    }
}
