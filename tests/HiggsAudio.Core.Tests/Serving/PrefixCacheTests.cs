using HiggsAudio.Compute;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Serving;

/// <summary>Requests with the same beginning share what was computed of it, and nobody can tell from the results.</summary>
internal sealed class PrefixCacheTests
{
    internal static readonly GenerationOptions Greedy = new() { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, MaxNewTokens = 24 };

    internal static HiggsAudioServeEngine NewEngine(long prefixBytes = 256 << 20, long bytes = 4L << 30, int prefillChunk = 128,
        WeightFormat format = WeightFormat.AsStored) =>
        NanoVoice.Load(new EngineOptions { Threads = 1, PrefixCacheBytes = prefixBytes, KvCacheBytes = bytes, PrefillChunk = prefillChunk, WeightFormat = format });

    /// <summary>A voice of random codes: what it sounds like does not matter here.</summary>
    internal static Voice RandomVoice(AudioCodec codec, int seed, int frames = 40)
    {
        var random = new Random(seed);
        return Voice.FromCodes(new AudioCodes(codec.Codebooks, [.. Enumerable.Range(0, codec.Codebooks * frames).Select(_ => random.Next(codec.CodebookSize))]),
            codec, "some words that are said here.", $"voice {seed}", "SPEAKER0: feminine");
    }

    private static void AssertSame(HiggsAudioResponse actual, HiggsAudioResponse expected)
    {
        Assert.That(actual.GeneratedTextTokens, Is.EqualTo(expected.GeneratedTextTokens));
        Assert.That(actual.GeneratedAudioTokens, Is.EqualTo(expected.GeneratedAudioTokens));
        Assert.That(actual.Audio?.Samples.ToArray(), Is.EqualTo(expected.Audio?.Samples.ToArray()));
    }

    [TestCase(1, WeightFormat.AsStored)]
    [TestCase(7, WeightFormat.AsStored)]
    [TestCase(512, WeightFormat.AsStored)]
    [TestCase(7, WeightFormat.Float32)]
    [TestCase(1, WeightFormat.Int8)]
    [TestCase(7, WeightFormat.Int8)]
    [TestCase(512, WeightFormat.Int8)]
    [TestCase(1, WeightFormat.Int4)]
    [TestCase(7, WeightFormat.Int4)]
    [TestCase(512, WeightFormat.Int4)]
    public void An_answer_from_a_kept_beginning_is_the_same_to_the_bit(int prefillChunk, WeightFormat format)
    {
        using HiggsAudioServeEngine with = NewEngine(prefillChunk: prefillChunk, format: format), without = NewEngine(prefixBytes: 0, format: format);
        GenerationOptions[] all = [Greedy, Greedy with { Temperature = 0.9f, RasWinLen = 7, Seed = 3 }, Greedy with { ForceAudioGeneration = false, Temperature = 1, Seed = 4 }];
        Voice[] voices = [RandomVoice(with.Codec, 1), RandomVoice(with.Codec, 2)];
        for (int i = 0; i < 12; i++)
        {
            ChatMLSample sample = voices[i % 2].Say($"sentence number {i}.");
            HiggsAudioResponse actual = with.Generate(sample, all[i % 3]), expected = without.Generate(sample, all[i % 3]);
            AssertSame(actual, expected);
            Assert.That(expected.Usage.CachedTokens, Is.Zero);
            // The voice's messages, and what the texts' beginnings have in common.
            int messages = with.Generate(new ChatMLSample([.. voices[i % 2].ToMessages(), new Message("user")]), Greedy with { MaxNewTokens = 1 }).Usage.CachedTokens;
            Assert.That(actual.Usage.CachedTokens, i < 2 ? Is.LessThan(messages) : Is.InRange(100, actual.Usage.PromptTokens - 1));
        }
    }

    [Test]
    public void A_beginning_is_shared_as_far_as_it_is_the_same()
    {
        using HiggsAudioServeEngine engine = NewEngine(), without = NewEngine(prefixBytes: 0);
        ChatMLSample Conversation(string last, params string[] turns) => new(
            [new Message("system", "A system message that is long enough."), .. turns.Select((turn, i) => new Message(i % 2 == 0 ? "user" : "assistant", turn)), new Message("user", last)]);
        engine.Generate(Conversation("next.", "hello.", "hello to you."), Greedy);
        ChatMLSample other = Conversation("next.", "hello.", "another answer.");
        HiggsAudioResponse actual = engine.Generate(other, Greedy), expected = without.Generate(other, Greedy);
        AssertSame(actual, expected);
        Assert.That(actual.Usage.CachedTokens, Is.InRange(30, actual.Usage.PromptTokens - 20));
        Assert.That(engine.Generate(Conversation("next.", "hello.", "hello to you."), Greedy).Usage.CachedTokens, Is.GreaterThan(actual.Usage.CachedTokens));
    }

    [Test]
    public async Task Requests_of_one_voice_at_once_compute_it_once()
    {
        using HiggsAudioServeEngine engine = NewEngine(), without = NewEngine(prefixBytes: 0);
        Voice voice = RandomVoice(engine.Codec, 1, frames: 200);
        ChatMLSample[] samples = [.. Enumerable.Range(0, 6).Select(i => voice.Say($"{i} is a number."))];
        HiggsAudioResponse[] together = await Task.WhenAll(samples.Select(sample => engine.GenerateAsync(sample, Greedy)));
        Assert.That(together.Select(r => r.AudioCodes), Is.EqualTo(samples.Select(sample => without.Generate(sample, Greedy).AudioCodes)));
        Assert.That(together.Count(r => r.Usage.CachedTokens > 200), Is.EqualTo(5));
    }

    [TestCase(WeightFormat.Int8)]
    [TestCase(WeightFormat.Int4)]
    public async Task Quantized_requests_together_and_from_kept_beginnings_answer_as_each_would_alone(WeightFormat format)
    {
        using HiggsAudioServeEngine together = NewEngine(format: format), alone = NewEngine(prefixBytes: 0, format: format);
        Voice[] voices = [RandomVoice(together.Codec, 1), RandomVoice(together.Codec, 2)];
        ChatMLSample[] samples = [.. Enumerable.Range(0, 8).Select(i => voices[i % 2].Say($"{i} is a number."))];
        HiggsAudioResponse[] answers = await Task.WhenAll(samples.Select(sample => together.GenerateAsync(sample, Greedy)));
        Assert.That(answers.Select(r => r.AudioCodes), Is.EqualTo(samples.Select(sample => alone.Generate(sample, Greedy).AudioCodes)));
        Assert.That(answers.Count(r => r.Usage.CachedTokens > 50), Is.AtLeast(6), "each voice is computed once");
    }

    [Test]
    public async Task A_prepared_voice_is_there_for_the_first_answer()
    {
        using HiggsAudioServeEngine engine = NewEngine();
        Voice voice = RandomVoice(engine.Codec, 1);
        await engine.PrepareVoiceAsync(voice);
        Assert.That(engine.Generate(voice.Say("hello."), Greedy).Usage.CachedTokens, Is.GreaterThan(50));
        Assert.That(engine.Generate(voice.Say("hello.", scene: "SPEAKER0: masculine"), Greedy).Usage.CachedTokens, Is.LessThan(70), "another scene is another beginning");
    }

    [Test]
    public void What_is_kept_stays_within_its_bytes_and_the_oldest_goes_first()
    {
        using HiggsAudioServeEngine probe = NewEngine();
        probe.Generate(RandomVoice(probe.Codec, 1).Say("hello."), Greedy);
        long one = probe.PrefixCacheBytesInUse;
        Assert.That(one, Is.GreaterThan(0));

        using HiggsAudioServeEngine engine = NewEngine(prefixBytes: 2 * one + 1);
        Voice[] voices = [.. Enumerable.Range(1, 3).Select(i => RandomVoice(engine.Codec, i))];
        int Cached(int voice) => engine.Generate(voices[voice].Say("hello."), Greedy).Usage.CachedTokens;
        Cached(0);
        Cached(1);
        int whole = Cached(0);
        Cached(2);   // voice 1 goes
        Assert.That(engine.PrefixCacheBytesInUse, Is.InRange(one + 1, 2 * one + 1));
        Assert.That(Cached(0), Is.EqualTo(whole));
        Assert.That(Cached(1), Is.LessThan(whole));
    }

    [Test]
    public void What_is_kept_gives_way_to_requests_that_need_the_room()
    {
        using HiggsAudioServeEngine probe = NewEngine();
        Voice voice = RandomVoice(probe.Codec, 1);
        int rows = probe.Generate(voice.Say("hello."), Greedy).Usage.PromptTokens + Greedy.MaxNewTokens;
        long one = probe.PrefixCacheBytesInUse, row = one / ((rows - Greedy.MaxNewTokens) / 64 * 64 + 64);

        using HiggsAudioServeEngine narrow = NewEngine(bytes: 2 * rows * row);
        AudioCodes? expected = probe.Generate(voice.Say("hello."), Greedy).AudioCodes;
        for (int i = 0; i < 6; i++)
        {
            Assert.That(narrow.Generate(RandomVoice(narrow.Codec, i % 3).Say("hello."), Greedy).Audio, Is.Not.Null);
            Assert.That(narrow.PrefixCacheBytesInUse + narrow.KvCacheBytesInUse, Is.LessThanOrEqualTo(2 * rows * row));
        }
        Assert.That(narrow.Generate(voice.Say("hello."), Greedy).AudioCodes, Is.EqualTo(expected));
    }

    [Test]
    public void Nothing_is_kept_where_it_is_switched_off()
    {
        using HiggsAudioServeEngine engine = NewEngine(prefixBytes: 0);
        Voice voice = RandomVoice(engine.Codec, 1);
        for (int i = 0; i < 2; i++)
            Assert.That(engine.Generate(voice.Say("hello."), Greedy).Usage.CachedTokens, Is.Zero);
        Assert.That(engine.PrefixCacheBytesInUse, Is.Zero);
        Assert.That(engine.NativeKvCacheBytes, Is.Zero);
        Assert.That(() => NewEngine(prefixBytes: -1), Throws.ArgumentException.With.Message.Contains("PrefixCacheBytes"));
    }
}
