using HiggsAudio.Compute.Checkpoints;
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
        string text = string.Concat(Enumerable.Range(0, 1000).Select(i => "To be or not to be, that is my question. "));
        Assert.That(text.Split(' ', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(10_000));
        int chunks = 0;
        long cache = 0, early = 0, late = 0, native = 0;
        var progress = new Callback(p => chunks = p.Chunk);
        await foreach (HiggsAudioStreamerDelta _ in Engine.SpeakAsync(text, Options, progress))
        {
            cache = Math.Max(cache, Engine.KvCacheBytesInUse);
            if (chunks >= 20 && early == 0)
                (early, native) = (GC.GetTotalMemory(forceFullCollection: true), Engine.NativeScratchBytes);
            if (chunks >= 90 && late == 0)
                late = GC.GetTotalMemory(forceFullCollection: true);
        }
        Assert.That(chunks, Is.GreaterThanOrEqualTo(90));
        Assert.That(late - early, Is.LessThan(1_000_000), "bytes of managed memory");
        Assert.That(Engine.NativeScratchBytes, Is.LessThanOrEqualTo(native), "bytes of scratch memory");
        Assert.That(cache, Is.InRange(1, 1_000_000), "bytes of keys and values");
    }

    [Test]
    public async Task A_chunk_that_repeats_itself_ends_by_the_loop_guard()
    {
        string folder = Directory.CreateTempSubdirectory("higgs-audio-tests-").FullName;
        try
        {
            WriteStuckModel(folder);
            using HiggsAudioServeEngine stuck = HiggsAudioServeEngine.Load(folder, NanoVoice.Unpack().CodecFolder, new EngineOptions { Threads = 1 });
            SpeakOptions options = Options with
            {
                Generation = Options.Generation with { Temperature = 0, RasWinLen = null, MaxNewTokens = 150 },
                ChunkRewriter = NanoVoice.Normalize,
                Chunking = new ChunkOptions { MaxWords = 1 },
                Guards = SpeechGuards.None with { MaxLoop = TimeSpan.FromSeconds(2) },
            };
            SpeakResponse spoken = await stuck.SpeakLongAsync("Yes. No.", options), unguarded = await stuck.SpeakLongAsync("Yes. No.", options with { Guards = SpeechGuards.None });
            Assert.That(spoken.Chunks.Select(c => (c.FinishReason, c.AudioCodes!.Frames)), Is.All.EqualTo((FinishReason.Loop, spoken.Chunks[0].AudioCodes!.Frames)));
            Assert.That(spoken.Chunks[0].AudioCodes!.Frames, Is.InRange(40, 50), "two seconds less what the delay pattern holds back");
            Assert.That(spoken.FinishReason, Is.EqualTo(FinishReason.Loop));
            Assert.That(spoken.Chunks[1].Usage.PromptTokens, Is.LessThan(unguarded.Chunks[1].Usage.PromptTokens), "a chunk that loops is not context of the next");
            Assert.That(unguarded.Chunks.Select(c => c.FinishReason), Is.All.EqualTo(FinishReason.Length));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // The nano voice with an audio head of zeros: all codes are equally likely always, and the first of them is taken.
    private static void WriteStuckModel(string folder)
    {
        string nano = NanoVoice.Unpack().ModelFolder;
        foreach (string file in Directory.GetFiles(nano, "*.json"))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        using Checkpoint checkpoint = Checkpoint.Open(nano);
        using var writer = new SafeTensorsWriter(Path.Combine(folder, "model.safetensors"), checkpoint.Tensors.Values.Select(t => new TensorPlan(t.Name, t.Type, t.Shape.ToArray())));
        foreach (CheckpointTensor tensor in checkpoint.Tensors.Values)
            writer.Write(tensor.Name, tensor.Name.Contains("audio_lm_head", StringComparison.Ordinal) ? new byte[tensor.ByteLength] : tensor.Bytes(0, (int)tensor.ByteLength));
        writer.Complete();
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
