using System.Text.Json;
using HiggsAudio.Compute.Checkpoints;
using HiggsAudio.Core.Tests.Serving;
using HiggsAudio.Generation;
using HiggsAudio.LongForm;
using HiggsAudio.Testing;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.LongForm;

/// <summary>Loops, silence and the expected duration.</summary>
internal sealed class SpeechGuardTests
{
    private const int Bos = 256, Eos = 257, Codebooks = 8;
    private static readonly GenerationTokens Tokens = new(300, 301, 302, Bos, Eos, Codebooks);

    // What a run that draws these columns (delayed, the first is the one of BOS) ends with, and after how many steps.
    private static (FinishReason? Reason, int Steps) Run(int? maxLoopFrames, int columns, Func<int, int, int> code)
    {
        var options = new GenerationOptions { Temperature = 0, RasWinLen = null, MaxNewTokens = 100_000, MaxLoopFrames = maxLoopFrames, StopAtAudioEnd = true };
        var state = new GenerationState(Tokens, options, new StopCondition([]), [1, 300]);
        state.Advance([]);
        var logits = new float[Codebooks * 258];
        for (int t = 1; t < columns && !state.IsFinished; t++)
        {
            Array.Clear(logits);
            for (int c = 0; c < Codebooks; c++)
                logits[c * 258 + code(t, c)] = 1;
            state.Advance(logits);
        }
        return (state.FinishReason, state.Steps);
    }

    private static int Noise(int t, int c) => (int)((uint)HashCode.Combine(3 * t, 7 * c) % 256);

    [TestCase(1, 40)]
    [TestCase(7, 40)]
    [TestCase(50, 150)]
    public void Frames_that_come_again_and_again_end_the_answer(int period, int run)
    {
        (FinishReason? reason, int steps) = Run(40, 1000, (t, c) => t < 100 ? Noise(t, c) : Noise(t % period, c));
        Assert.That(reason, Is.EqualTo(FinishReason.Loop));
        Assert.That(steps, Is.EqualTo(100 + period + run).Within(1));
        Assert.That(Run(null, 1000, (t, c) => Noise(t % period, c)).Reason, Is.Null);
    }

    [Test]
    public void A_loop_may_differ_a_little_but_not_much()
    {
        Assert.That(Run(40, 400, (t, c) => c < 2 ? Noise(t, c) : c).Reason, Is.EqualTo(FinishReason.Loop));
        Assert.That(Run(40, 400, (t, c) => c < 3 ? Noise(t, c) : c).Reason, Is.Null);
        Assert.That(Run(40, 400, Noise).Reason, Is.Null);
        Assert.That(Run(40, 400, (t, c) => t % 39 == 0 ? Noise(t, c) : c).Reason, Is.Null);
    }

    private static IEnumerable<TestCaseData> Recordings() =>
        Golden.TestCases("nano").Where(test => ((string)test.Arguments[0]!).StartsWith(Golden.Repository, StringComparison.Ordinal));

    [TestCaseSource(nameof(Recordings))]
    public void Recorded_speech_passes_every_guard(string folder, string name)
    {
        JsonElement json = Golden.Cases(folder).Single(c => c.Name == name).Case;
        using Checkpoint recorded = EndToEndFixture.Tensors(folder, name);
        AudioCodes codes = recorded.Codes("delayed_codes");
        var guards = new SpeechGuards();
        Assert.That(Run((int)(guards.MaxLoop!.Value.TotalSeconds * 25), codes.Frames, (t, c) => codes[c, t]).Reason, Is.EqualTo(FinishReason.AudioEnd));
        int budget = SpeechRate.FrameBudget(json.GetProperty("text").GetString()!, guards.FrameBudgetMargin!.Value, 25, Codebooks);
        Assert.That(codes.Frames, Is.LessThan(0.7 * budget));
        Assert.That(new SilenceWatch(24000, guards.MaxSilence!.Value, guards.SilenceLevel).Add(recorded.Floats("audio")), Is.False);
    }

    [TestCase("", 2)]
    [TestCase("Yes.", 2)]
    [TestCase("The quick brown fox jumps over the lazy dog.", 2.8)]
    [TestCase("In 1984, 25% of 3000 people paid $45.50.", 7.6)]
    [TestCase("大家好，欢迎收听本期的节目。", 3.4)]
    [TestCase("안녕하세요 여러분 만나서 반갑습니다.", 3.3)]
    [TestCase("Hello. <SE_s>[Music]</SE_s>", 30.8)]
    [TestCase("Hello. <SE>[Laughter]</SE> [SPEAKER1] There.", 5.5)]
    public void A_text_takes_as_long_as_its_characters(string text, double seconds) =>
        Assert.That(SpeechRate.Estimate(text).TotalSeconds, Is.EqualTo(seconds).Within(0.3));

    [Test]
    public void Silence_is_noticed_after_its_limit_and_sound_begins_it_anew()
    {
        var watch = new SilenceWatch(1000, TimeSpan.FromSeconds(1), -40);
        float[] sound = [.. Enumerable.Range(0, 500).Select(i => i % 2 == 0 ? 0.02f : -0.02f)], silence = new float[900];
        Assert.That(watch.Add(silence), Is.False);
        Assert.That(watch.Add(sound), Is.False);
        Assert.That(watch.Add(silence), Is.False);
        Assert.That(watch.Add(silence.AsSpan(0, 200)), Is.True);
        watch.Reset();
        Assert.That(watch.Add(silence), Is.False);
    }
}
