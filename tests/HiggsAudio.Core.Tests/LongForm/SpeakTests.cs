using HiggsAudio.Core.Tests.Serving;
using HiggsAudio.LongForm;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.LongForm;

/// <summary>Texts of any length, on the nano voice.</summary>
internal sealed class SpeakTests
{
    private const string Text = "Good morning. How are you today? [pause 0.25] It is ten.";

    private static readonly SpeakOptions Options = new()
    {
        Generation = new GenerationOptions { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, StopAtAudioEnd = true, MaxNewTokens = 60 },
        Speakers = [SpeakerPrompt.FromProfile("feminine")],
        Chunking = new ChunkOptions { MaxWords = 4 },
        ChunkBufferSize = 1,
        ChunkRewriter = NanoVoice.Normalize,
    };

    private static HiggsAudioServeEngine Engine => NanoVoiceTests.Engine;

    private static IEnumerable<TestCaseData> Variants() =>
    [
        Variant("plain", Options),
        Variant("small pieces", Options with { FadeMilliseconds = 0, Streaming = new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = 1, ChunkFrames = 3 }, MaxUnreadSteps = 2 } }),
        Variant("retry", Options with
        {
            Generation = Options.Generation with { Temperature = 0.9f, RasWinLen = 7, Seed = 4 },
            Retry = new RetryPolicy { Attempts = 2, Accept = chunk => chunk.Attempts == 2 },
        }),
        Variant("loudness", Options with { TargetLoudness = -20 }),
        Variant("separate", Options with { SeparateSpeakers = true, ChunkBufferSize = 0 }),
    ];

    private static TestCaseData Variant(string name, SpeakOptions options) => new TestCaseData(options).SetArgDisplayNames(name);

    [TestCaseSource(nameof(Variants))]
    public async Task Streamed_sound_joins_to_the_whole(SpeakOptions options)
    {
        SpeakResponse whole = await Engine.SpeakLongAsync(Text, options);
        var sound = new List<float>();
        var frames = new List<AudioCodes>();
        HiggsAudioStreamerDelta? last = null;
        await foreach (HiggsAudioStreamerDelta delta in Engine.SpeakAsync(Text, options))
        {
            Assert.That(last?.FinishReason, Is.Null);
            Assert.That(delta.StartTime.TotalSeconds, Is.EqualTo((double)sound.Count / Engine.SamplingRate).Within(1e-6));
            sound.AddRange(delta.Audio.Span);
            if (delta.AudioCodes is not null)
                frames.Add(delta.AudioCodes);
            last = delta;
        }
        using (Assert.EnterMultipleScope())
        {
            Assert.That(sound, Is.EqualTo(whole.Audio!.Samples.ToArray()));
            Assert.That(AudioCodes.Concat([.. frames]), Is.EqualTo(whole.AudioCodes));
            Assert.That(last!.FinishReason, Is.EqualTo(whole.FinishReason));
            Assert.That(last.Usage, Is.EqualTo(whole.Usage with { CachedTokens = last.Usage!.Value.CachedTokens }), "the later one finds more in the prefix cache");
            Assert.That(whole.Chunks.Select(c => c.Text), Is.EqualTo(new[] { "good morning.", "how are you today?", "it is ten." }));
            Assert.That(whole.Audio.Length, Is.EqualTo(whole.AudioCodes!.Frames * Engine.Codec.HopLength + Engine.SamplingRate / 4));
            Assert.That(whole.Usage.CompletionTokens, Is.EqualTo(whole.Chunks.Sum(c => c.Usage.CompletionTokens)));
        }
    }

    [Test]
    public async Task Chunks_without_a_pause_are_decoded_as_one_clip_and_pauses_are_silent()
    {
        SpeakResponse whole = await Engine.SpeakLongAsync(Text, Options with { FadeMilliseconds = 0 });
        AudioCodes[] codes = [.. whole.Chunks.Select(c => c.AudioCodes!)];
        float[] first = Engine.Codec.Decode(AudioCodes.Concat(codes[0], codes[1])).Samples.ToArray(), second = Engine.Codec.Decode(codes[2]).Samples.ToArray();
        Assert.That(whole.Audio!.Samples.ToArray(), Is.EqualTo(first.Concat(new float[Engine.SamplingRate / 4]).Concat(second)));
        Assert.That(whole.Chunks.Select(c => c.StartTime.TotalSeconds), Is.EqualTo(new[]
        {
            0, (double)codes[0].Frames / 25, (double)(codes[0].Frames + codes[1].Frames) / 25 + 0.25,
        }).Within(1e-6));
    }

    [Test]
    public async Task Sound_fades_at_its_ends_and_nowhere_else()
    {
        float[] plain = (await Engine.SpeakLongAsync("good morning.", Options with { FadeMilliseconds = 0 })).Audio!.Samples.ToArray();
        float[] faded = (await Engine.SpeakLongAsync("good morning.", Options with { FadeMilliseconds = 10 })).Audio!.Samples.ToArray();
        int fade = Engine.SamplingRate / 100;
        Assert.That(faded, Has.Length.EqualTo(plain.Length));
        Assert.That(faded[fade..^fade], Is.EqualTo(plain[fade..^fade]));
        for (int i = 0; i < fade; i++)
        {
            float weight = 0.5f - 0.5f * MathF.Cos(MathF.PI * (i + 1) / (fade + 1));
            Assert.That(faded[i], Is.EqualTo(plain[i] * weight).Within(1e-6f));
            Assert.That(faded[^(i + 1)], Is.EqualTo(plain[^(i + 1)] * weight).Within(1e-6f));
        }
    }

    [Test]
    public async Task Loudness_is_that_of_the_whole()
    {
        SpeakResponse spoken = await Engine.SpeakLongAsync(Text, Options with { TargetLoudness = -30 });
        Assert.That(LoudnessMeter.IntegratedLoudness(spoken.Audio!), Is.EqualTo(-30).Within(0.1));
    }

    [Test]
    public async Task A_chunk_that_is_not_accepted_is_made_again_with_another_seed()
    {
        SpeakOptions options = Options with { Generation = Options.Generation with { Temperature = 1, Seed = 9 } };
        SpeakResponse once = await Engine.SpeakLongAsync("good morning.", options);
        SpeakResponse thrice = await Engine.SpeakLongAsync("good morning.", options with { Retry = new RetryPolicy { Attempts = 3, Accept = _ => false } });
        Assert.That((once.Chunks[0].Attempts, thrice.Chunks[0].Attempts), Is.EqualTo((1, 3)));
        Assert.That(thrice.Chunks[0].Seed, Is.Not.EqualTo(once.Chunks[0].Seed));
        Assert.That(thrice.AudioCodes, Is.Not.EqualTo(once.AudioCodes));
        Assert.That(thrice.Audio!.Length, Is.EqualTo(thrice.AudioCodes!.Frames * Engine.Codec.HopLength));
        Assert.That(thrice.Usage.PromptTokens, Is.EqualTo(3 * once.Usage.PromptTokens));
    }

    [Test]
    public async Task A_chunk_that_takes_too_long_ends_by_its_budget_and_is_not_carried_on()
    {
        SpeakOptions options = Options with
        {
            Generation = Options.Generation with { MaxNewTokens = 3000 },
            ChunkRewriter = _ => new string('_', 150),   // no character of a word: nothing to say is expected, but the model speaks
            Guards = SpeechGuards.None with { FrameBudgetMargin = 1 },
        };
        SpeakResponse spoken = await Engine.SpeakLongAsync("Yes. No.", options with { Chunking = new ChunkOptions { MaxWords = 1 } });
        int budget = SpeechRate.FrameBudget(spoken.Chunks[0].Text, 1, Engine.Codec.FrameRate, 8);
        Assert.That(budget, Is.EqualTo(60));
        Assert.That(spoken.Chunks.Select(c => c.FinishReason), Is.All.EqualTo(FinishReason.FrameBudget));
        Assert.That(spoken.Chunks.Select(c => c.Usage.CompletionTokens), Is.All.EqualTo(budget));
        Assert.That(spoken.FinishReason, Is.EqualTo(FinishReason.FrameBudget));
        Assert.That(spoken.Chunks[1].Usage.PromptTokens, Is.EqualTo(spoken.Chunks[0].Usage.PromptTokens), "the first chunk is not context of the second");
    }

    [Test]
    public async Task A_chunk_without_sound_says_so()
    {
        // The model begins its answer with the token that begins audio, which ends it here.
        SpeakOptions options = Options with { Generation = Options.Generation with { ForceAudioGeneration = false, StopStrings = ["<|audio_out_bos|>"] } };
        SpeakResponse spoken = await Engine.SpeakLongAsync("Good morning. How are you?", options);
        Assert.That(spoken.Chunks.Select(c => c.FinishReason), Is.EqualTo(new[] { FinishReason.NoAudio, FinishReason.NoAudio }));
        Assert.That(spoken.FinishReason, Is.EqualTo(FinishReason.NoAudio));
        Assert.That((spoken.Audio, spoken.AudioCodes), Is.EqualTo(((Waveform?)null, (AudioCodes?)null)));
    }

    [TestCase(1, null)]
    [TestCase(1, -20)]
    [TestCase(2, null)]
    public async Task A_chunk_that_is_silent_for_too_long_ends(int attempts, double? loudness)
    {
        SpeechGuards guards = SpeechGuards.None with { MaxSilence = TimeSpan.FromSeconds(0.2), SilenceLevel = -0.001 };
        var streaming = new StreamOptions { Sound = new CodecStreamOptions { FirstChunkFrames = 1, ChunkFrames = 4 } };
        SpeakOptions options = Options with { Guards = guards, Streaming = streaming, TargetLoudness = loudness, Retry = new RetryPolicy { Attempts = attempts } };
        SpeakResponse spoken = await Engine.SpeakLongAsync("How are you today? Good morning.", options);
        Assert.That(spoken.Chunks.Select(c => (c.FinishReason, c.Attempts)), Is.All.EqualTo((FinishReason.Silence, attempts)));
        Assert.That(spoken.Audio!.Length, Is.EqualTo(spoken.AudioCodes!.Frames * Engine.Codec.HopLength));
        SpeakResponse heard = await Engine.SpeakLongAsync("How are you today? Good morning.", options with { Guards = guards with { MaxSilence = null } });
        Assert.That(heard.AudioCodes!.Frames, Is.GreaterThan(spoken.AudioCodes.Frames));
    }

    [Test]
    public async Task Speakers_can_have_conversations_of_their_own()
    {
        const string Dialogue = "[SPEAKER0] good morning.\n[SPEAKER1] how are you today?";
        SpeakerPrompt[] voices = [SpeakerPrompt.FromProfile("feminine"), SpeakerPrompt.FromProfile("masculine")];
        SpeakResponse both = await Engine.SpeakLongAsync(Dialogue, Options with { SeparateSpeakers = true, Speakers = voices });
        SpeakResponse first = await Engine.SpeakLongAsync("good morning.", Options with { Speakers = [voices[0]] });
        SpeakResponse second = await Engine.SpeakLongAsync("how are you today?", Options with { Speakers = [voices[1]] });
        Assert.That(both.Chunks.Select(c => c.Text), Is.EqualTo(new[] { "good morning.", "how are you today?" }));
        Assert.That(both.AudioCodes, Is.EqualTo(AudioCodes.Concat(first.AudioCodes!, second.AudioCodes!)));
    }

    [Test]
    public async Task A_recording_as_a_voice_is_heard_in_every_chunk()
    {
        AudioCodes voice = (await Engine.SpeakLongAsync("please open the window.", Options)).AudioCodes!;
        SpeakOptions options = Options with { Scene = "Audio is recorded from a quiet room.", ChunkBufferSize = 0 };
        SpeakResponse Speak(AudioContent audio) =>
            Engine.SpeakLong("Good morning. How are you today?", options with { Speakers = [SpeakerPrompt.FromAudio(audio, "please open the window.")] });
        SpeakResponse cloned = Speak(AudioContent.FromCodes(voice));
        Assert.That(cloned.Chunks.Select(c => c.Usage.PromptTokens), Is.All.GreaterThan(voice.Frames));
        Waveform sound = Engine.Codec.Decode(voice);
        Assert.That(Speak(AudioContent.FromWaveform(sound)).AudioCodes, Is.EqualTo(Speak(AudioContent.FromCodes(Engine.Codec.Encode(sound))).AudioCodes));
    }

    [Test]
    public void Cancelling_throws_or_keeps_what_there_is()
    {
        using var cancellation = new CancellationTokenSource();
        var progress = new Callback(p => { if (p.Frames == 20) cancellation.Cancel(); });
        SpeakOptions keep = Options with { Generation = Options.Generation with { KeepPartialAnswer = true } };
        SpeakResponse part = Engine.SpeakLong(Text, keep, progress, cancellation.Token);
        Assert.That(part.FinishReason, Is.EqualTo(FinishReason.Cancelled));
        Assert.That(part.AudioCodes!.Frames, Is.GreaterThanOrEqualTo(20));
        Assert.That(part.Audio!.Length, Is.EqualTo(part.AudioCodes.Frames * Engine.Codec.HopLength));
        Assert.That(() => Engine.SpeakLong(Text, Options, null, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void Progress_ends_with_all_done()
    {
        var seen = new List<SpeakProgress>();
        SpeakResponse spoken = Engine.SpeakLong(Text, Options, new Callback(seen.Add));
        Assert.That(seen[^1], Is.EqualTo(new SpeakProgress(3, 3, 1, spoken.AudioCodes!.Frames, spoken.Audio!.Duration, seen[^1].FramesPerSecond)));
        Assert.That(seen.Select(p => p.Frames), Is.Ordered);
        Assert.That(seen.Select(p => p.Part), Is.Ordered);
    }

    [TestCase(" ")]
    [TestCase("")]
    public void Nothing_to_say_is_refused(string text) => Assert.That(() => Engine.SpeakLong(text), Throws.ArgumentException);

    [Test]
    public void Pauses_alone_are_silence()
    {
        SpeakResponse spoken = Engine.SpeakLong("""<break time="100ms"/> . [pause 0.1]""", Options);
        Assert.That(spoken.Chunks, Is.Empty);
        Assert.That(spoken.Audio!.Samples.ToArray(), Is.EqualTo(new float[Engine.SamplingRate / 5]));
        Assert.That(spoken.FinishReason, Is.EqualTo(FinishReason.Stop));
    }

    private static IEnumerable<TestCaseData> WrongOptions() =>
    [
        Wrong(Options with { ChunkBufferSize = -1 }, "ChunkBufferSize"),
        Wrong(Options with { FadeMilliseconds = double.NaN }, "FadeMilliseconds"),
        Wrong(Options with { TargetLoudness = 1 }, "TargetLoudness"),
        Wrong(Options with { SeparateSpeakers = true, Chunking = new ChunkOptions { MaxTurns = 2 } }, "SeparateSpeakers"),
        Wrong(Options with { Retry = new RetryPolicy { Attempts = 0 } }, "Attempts"),
        Wrong(Options with { Guards = new SpeechGuards { FrameBudgetMargin = 0.5 } }, "FrameBudgetMargin"),
        Wrong(Options with { Guards = new SpeechGuards { MaxLoop = TimeSpan.Zero } }, "MaxLoop"),
        Wrong(Options with { Guards = new SpeechGuards { MaxSilence = TimeSpan.Zero } }, "MaxSilence"),
        Wrong(Options with { Guards = new SpeechGuards { SilenceLevel = 0 } }, "SilenceLevel"),
        Wrong(Options with { Chunking = new ChunkOptions { MaxCharacters = 0 } }, "MaxCharacters"),
        Wrong(Options with { Generation = new GenerationOptions { MaxLoopFrames = 9 } }, "MaxLoopFrames"),
    ];

    private static TestCaseData Wrong(SpeakOptions options, string name) => new TestCaseData(options, name).SetArgDisplayNames(name);

    [TestCaseSource(nameof(WrongOptions))]
    public void A_wrong_option_is_named(SpeakOptions options, string name) =>
        Assert.That(() => Engine.SpeakLong("yes.", options), Throws.InstanceOf<ArgumentException>().With.Message.Contains(name));

    private sealed class Callback(Action<SpeakProgress> report) : IProgress<SpeakProgress>
    {
        public void Report(SpeakProgress value) => report(value);
    }
}
