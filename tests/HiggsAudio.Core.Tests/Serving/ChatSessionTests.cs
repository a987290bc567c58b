using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Conversations of several turns.</summary>
internal sealed class ChatSessionTests
{
    private static readonly GenerationOptions Greedy = PrefixCacheTests.Greedy with { MaxNewTokens = 150 };
    private static readonly string Recording = Path.Combine(Golden.Repository, "tests", "golden", "nano", "ref_2.wav");

    private static readonly Message Scene = NanoVoice.Say("x").Messages[0];

    private HiggsAudioServeEngine _engine = null!, _fresh = null!;

    [OneTimeSetUp]
    public void Load() => (_engine, _fresh) = (PrefixCacheTests.NewEngine(prefixBytes: 0), PrefixCacheTests.NewEngine(prefixBytes: 0));

    [OneTimeTearDown]
    public void Unload()
    {
        _engine.Dispose();
        _fresh.Dispose();
    }

    private static IEnumerable<GenerationOptions> Ways() =>
    [
        Greedy,
        Greedy with { MaxNewTokens = 20 },                                                             // cut inside the audio
        Greedy with { Temperature = 0.8f, RasWinLen = 7, Seed = 5, ForceAudioGeneration = false },
        Greedy with { Temperature = 1.5f, TopP = 1, Seed = 6, ForceAudioGeneration = false, MaxNewTokens = 60 },   // text and audio as it comes
        Greedy with { StopAtAudioEnd = true },
    ];

    [TestCaseSource(nameof(Ways))]
    public async Task Every_turn_is_what_a_request_with_the_same_history_makes(GenerationOptions options)
    {
        using ChatSession session = _engine.CreateChatSession(Scene);
        MessageContent[] turns = ["yes.", AudioContent.FromFile(Recording), "it is ten.", "good morning."];
        int known = 0;
        foreach (MessageContent turn in turns)
        {
            Message[] before = [.. session.History];
            HiggsAudioResponse actual = await session.SendAsync(turn, options);
            HiggsAudioResponse expected = _fresh.Generate(new ChatMLSample([.. before, new Message("user", turn)]), options);
            Assert.That(actual.GeneratedTextTokens, Is.EqualTo(expected.GeneratedTextTokens));
            Assert.That(actual.GeneratedAudioTokens, Is.EqualTo(expected.GeneratedAudioTokens));
            Assert.That(actual.Usage, Is.EqualTo(expected.Usage with { CachedTokens = actual.Usage.CachedTokens }));
            Assert.That(actual.Usage.CachedTokens, known == 0 ? Is.Zero : Is.InRange(known, actual.Usage.PromptTokens - 1));
            Assert.That(session.History, Has.Count.EqualTo(before.Length + 2));
            known = actual.Usage.PromptTokens;   // at the least: the answer's rows come on top
        }
    }

    [Test]
    public async Task Of_an_answer_only_the_column_that_never_ran_and_what_follows_is_computed_again()
    {
        using ChatSession session = _engine.CreateChatSession(Scene);
        HiggsAudioResponse first = await session.SendAsync("yes.", Greedy), second = await session.SendAsync("no.", Greedy);
        Assert.That(first.FinishReason, Is.EqualTo(FinishReason.Stop));
        // Steps: the columns, <|audio_eos|> made with the last of them, <|eot_id|>. All columns but the last have run.
        int columns = first.GeneratedAudioTokens[0].Frames;
        Assert.That(second.Usage.CachedTokens, Is.EqualTo(first.Usage.PromptTokens + columns - 1));
    }

    [Test]
    public async Task The_history_is_what_was_said()
    {
        using ChatSession session = _engine.CreateChatSession(Scene);
        HiggsAudioResponse answer = await session.SendAsync(new Message("user", "a sound: ", AudioContent.FromFile(Recording)), Greedy);
        Assert.That(session.History.Select(m => m.Role), Is.EqualTo(new[] { "system", "user", "assistant" }));
        Assert.That(session.History[1].Content[1], Is.InstanceOf<AudioContent>().With.Property("Codes").EqualTo(_engine.Codec.Encode(Waveform.Load(Recording))));
        Assert.That(session.History[2].Content.OfType<AudioContent>().Select(c => c.Codes), Is.EqualTo(new[] { answer.AudioCodes }));
    }

    [Test]
    public async Task A_streamed_turn_is_the_whole_turn()
    {
        using ChatSession whole = _engine.CreateChatSession(Scene), streamed = _engine.CreateChatSession(Scene);
        foreach (string text in new[] { "yes.", "it is ten." })
        {
            HiggsAudioResponse expected = await whole.SendAsync(text, Greedy);
            var sound = new List<float>();
            await foreach (HiggsAudioStreamerDelta delta in streamed.SendDeltaStreamAsync(text, Greedy))
                sound.AddRange(delta.Audio.Span);
            Assert.That(sound, Is.EqualTo(expected.Audio!.Samples.ToArray()));
        }
        Assert.That(streamed.History, Has.Count.EqualTo(5));
    }

    [Test]
    public async Task Disposing_frees_what_was_kept()
    {
        ChatSession session = _engine.CreateChatSession(Scene);
        await session.SendAsync("yes.", Greedy);
        await session.SendAsync("no.", Greedy);
        Assert.That(_engine.PrefixCacheBytesInUse, Is.GreaterThan(0));
        session.Dispose();
        session.Dispose();
        await Idle.AssertAsync(_engine);
        Assert.That(async () => await session.SendAsync("more."), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(session.History, Has.Count.EqualTo(5));
    }

    [Test]
    public async Task A_cancelled_turn_leaves_the_conversation_as_it_was()
    {
        using ChatSession session = _engine.CreateChatSession(Scene), undisturbed = _engine.CreateChatSession(Scene);
        foreach (ChatSession one in new[] { session, undisturbed })
            await one.SendAsync("yes.", Greedy);
        using var cancellation = new CancellationTokenSource();
        Assert.That(async () =>
        {
            int seen = 0;
            await foreach (HiggsAudioStreamerDelta _ in session.SendDeltaStreamAsync("thank you very much.", Greedy, cancellationToken: cancellation.Token))
                if (seen++ == 7)
                    await cancellation.CancelAsync();
        }, Throws.InstanceOf<OperationCanceledException>());
        await foreach (HiggsAudioStreamerDelta _ in session.SendDeltaStreamAsync("something else.", Greedy))
            break;
        Assert.That(session.History, Has.Count.EqualTo(3));
        Assert.That((await session.SendAsync("it is ten.", Greedy)).AudioCodes, Is.EqualTo((await undisturbed.SendAsync("it is ten.", Greedy)).AudioCodes));
    }

    [Test]
    public async Task One_turn_runs_at_a_time_and_ends_with_the_conversation()
    {
        ChatSession session = _engine.CreateChatSession(Scene);
        await using IAsyncEnumerator<HiggsAudioStreamerDelta> turn =
            session.SendDeltaStreamAsync("thank you very much.", Greedy, new StreamOptions { MaxUnreadSteps = 2 }).GetAsyncEnumerator();
        Assert.That(await turn.MoveNextAsync(), Is.True);
        Assert.That(async () => await session.SendAsync("no."), Throws.InvalidOperationException.With.Message.Contains("one turn"));
        session.Dispose();
        Assert.That(async () =>
        {
            while (await turn.MoveNextAsync())
            {
            }
        }, Throws.InstanceOf<OperationCanceledException>());
        await Idle.AssertAsync(_engine);
    }

    [Test]
    public async Task A_conversation_beyond_the_context_is_refused_and_stays()
    {
        using HiggsAudioServeEngine small = NanoVoice.Load(new EngineOptions { MaxContextLength = 150, Threads = 1 });
        using ChatSession session = small.CreateChatSession(Scene);
        await session.SendAsync("yes.", Greedy with { MaxNewTokens = 30 });
        ContextLengthException? problem = Assert.ThrowsAsync<ContextLengthException>(async () => await session.SendAsync(new string('a', 200)));
        Assert.That((problem!.MostRows, problem.Rows), Is.EqualTo((150, problem.Rows)));
        Assert.That(problem.Rows, Is.GreaterThan(150));
        Assert.That(problem.Message, Does.Contain("150").And.Contain($"{problem.Rows}"));
        Assert.That(session.History, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Conversations_that_others_take_the_room_of_go_on_all_the_same()
    {
        // Room for one turn at a time, and little beside.
        using HiggsAudioServeEngine probe = PrefixCacheTests.NewEngine(prefixBytes: 0);
        using ChatSession measured = probe.CreateChatSession(Scene);
        await measured.SendAsync("yes.", Greedy);
        long one = probe.PrefixCacheBytesInUse;
        using HiggsAudioServeEngine narrow = PrefixCacheTests.NewEngine(bytes: 3 * one);
        ChatSession[] sessions = [.. Enumerable.Range(0, 4).Select(_ => narrow.CreateChatSession(Scene))];
        ChatSession alone = _fresh.CreateChatSession(Scene);
        foreach (string text in new[] { "yes.", "it is ten." })
        {
            AudioCodes? expected = (await alone.SendAsync(text, Greedy with { MaxNewTokens = 40 })).AudioCodes;
            HiggsAudioResponse[] answers = await Task.WhenAll(sessions.Select(s => s.SendAsync(text, Greedy with { MaxNewTokens = 40 })));
            Assert.That(answers.Select(a => a.AudioCodes), Is.All.EqualTo(expected));
            Assert.That(narrow.PrefixCacheBytesInUse, Is.LessThanOrEqualTo(3 * one));
        }
        foreach (ChatSession session in sessions)
            session.Dispose();
        alone.Dispose();
    }

    [Test]
    public void The_assistant_s_turns_cannot_be_sent()
    {
        using ChatSession session = _engine.CreateChatSession();
        Assert.That(async () => await session.SendAsync(new Message("assistant", "hi")), Throws.ArgumentException);
        Assert.That(() => _engine.CreateChatSession(null!, Scene), Throws.ArgumentException);
    }
}
