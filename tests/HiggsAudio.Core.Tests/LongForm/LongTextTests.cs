using HiggsAudio.Core.Tests.Serving;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.LongForm;

/// <summary>Very long texts, on a tiny model with random weights.</summary>
[Parallelizable(ParallelScope.None)]
internal sealed class LongTextTests
{
    private static readonly SpeakOptions Options = new()
    {
        Generation = new GenerationOptions { ForceAudioGeneration = true, StopAtAudioEnd = true, MaxNewTokens = 14, Seed = 1 },
        ChunkBufferSize = 1,
        Guards = SpeechGuards.None,
    };

    private static HiggsAudioServeEngine Engine => EndToEndFixture.Engine(Path.Combine(Golden.Repository, "tests", "golden", "e2e"));

    [Test]
    public async Task Ten_thousand_words_take_no_more_memory_than_two_thousand()
    {
        string text = string.Concat(Enumerable.Range(0, 1000).Select(i => "To be or not to be, that is it. "));
        int chunks = 0;
        long cache = 0, early = 0, late = 0;
        var progress = new Callback(p => chunks = p.Chunk);
        await foreach (HiggsAudioStreamerDelta _ in Engine.SpeakAsync(text, Options, progress))
        {
            cache = Math.Max(cache, Engine.KvCacheBytesInUse);
            if (chunks >= 20 && early == 0)
                early = GC.GetTotalMemory(forceFullCollection: true);
            if (chunks >= 90 && late == 0)
                late = GC.GetTotalMemory(forceFullCollection: true);
        }
        Assert.That(chunks, Is.GreaterThanOrEqualTo(90));
        Assert.That(late - early, Is.LessThan(1_000_000), "bytes of managed memory");
        Assert.That(cache, Is.InRange(1, 1_000_000), "bytes of keys and values");
    }

    [Test]
    public async Task A_context_that_is_full_forgets_its_oldest_chunks()
    {
        string folder = Path.Combine(Golden.Repository, "tests", "golden");
        using HiggsAudioServeEngine small = HiggsAudioServeEngine.Load(Path.Combine(folder, "lm_a"), Path.Combine(folder, "codec_b"),
            new EngineOptions { TokenizerFolder = Path.Combine(folder, "tokenizer"), MaxContextLength = 300, Threads = 1 });
        SpeakResponse spoken = await small.SpeakLongAsync(string.Concat(Enumerable.Repeat("To be or not to be. ", 12)),
            Options with { ChunkBufferSize = null, Chunking = new ChunkOptions { MaxWords = 6 } });
        Assert.That(spoken.Chunks, Has.Count.EqualTo(12));
        int[] prompts = [.. spoken.Chunks.Select(c => c.Usage.PromptTokens)];
        Assert.That(prompts[1], Is.GreaterThan(prompts[0]));
        Assert.That(prompts.Max(), Is.LessThanOrEqualTo(300 - 14).And.GreaterThan(150));
        Assert.That(() => small.SpeakLong(new string('a', 2000), Options), Throws.InstanceOf<ArgumentException>().With.Message.Contains("300"));
    }

    private sealed class Callback(Action<SpeakProgress> report) : IProgress<SpeakProgress>
    {
        public void Report(SpeakProgress value) => report(value);
    }
}
