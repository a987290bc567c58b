using System.Collections.Concurrent;
using HiggsAudio.Core.Tests.Serving;
using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Nano;

/// <summary>
/// The nano voice speaks, says what it was told, and in the voice it was told. A recogniser that knows nothing of this project is the judge. Where
/// it is not installed, its tests are inconclusive: unlike cases that are not enumerated, these are counted as skipped, with the reason.
/// </summary>
internal sealed class NanoSpeechTests
{
    private static readonly ConcurrentDictionary<string, Lazy<HiggsAudioResponse[]>> Described = new();

    // Word error rates are those of the report in training/nano, measured with the recipe's PyTorch implementation.
    private const double Tolerance = 0.05;

    // One of the 120 sentences is cut short when it is said without chance (the scottish voice, "these days a chicken leg is a rare dish").
    [TestCase("feminine"), TestCase("masculine"), TestCase("scottish")]
    public void Sentences_end_by_themselves_and_are_as_long_as_their_texts(string voice)
    {
        (string Text, HiggsAudioResponse Answer)[] spoken = [.. HeldOutSentences.All.Zip(Speak(voice))];
        string[] odd = [.. spoken.Where(s => s.Answer.Audio!.Duration.TotalSeconds is var seconds && (seconds < 0.3 + 0.03 * s.Text.Length || seconds > 0.8 + 0.09 * s.Text.Length)).Select(s => s.Text)];
        TestContext.Out.WriteLine($"{voice}: of an odd length: {odd.Length} of {spoken.Length} {string.Join(" | ", odd)}");
        Assert.That(spoken, Is.All.Matches<(string, HiggsAudioResponse Answer)>(s => s.Answer.FinishReason == FinishReason.Stop));
        Assert.That(odd, Has.Length.LessThanOrEqualTo(1));
    }

    [TestCase("feminine", 0.592), TestCase("masculine", 0.392), TestCase("scottish", 0.466)]
    public void A_recogniser_understands_it(string voice, double errorRate)
    {
        Assume.That(SpeechRecognizer.IsInstalled, SpeechRecognizer.NotInstalled);
        double found = SpeechRecognizer.WordErrorRate(HeldOutSentences.All, [.. Speak(voice).Select(answer => answer.Audio!)]);
        TestContext.Out.WriteLine(FormattableString.Invariant($"{voice}: word error rate {found:0.000}, reported {errorRate:0.000}"));
        Assert.That(found, Is.LessThanOrEqualTo(errorRate + Tolerance));
    }

    // The codec alone: flite's own sound, encoded and decoded.
    [TestCase("feminine", 0.223, 0.421), TestCase("masculine", 0.159, 0.294), TestCase("scottish", 0.191, 0.362)]
    public void A_recogniser_understands_what_the_codec_makes_of_speech(string voice, double floor, double errorRate)
    {
        Assume.That(SpeechRecognizer.IsInstalled, SpeechRecognizer.NotInstalled);
        Assume.That(Flite.IsInstalled, Flite.NotInstalled);
        string[] said = HeldOutSentences.All;
        Waveform[] spoken = [.. said.Select(text => Flite.Say(text, voice))];
        AudioCodec codec = NanoVoiceTests.Engine.Codec;
        double source = SpeechRecognizer.WordErrorRate(said, spoken);
        double found = SpeechRecognizer.WordErrorRate(said, [.. spoken.Select(sound => codec.Decode(codec.Encode(sound)))]);
        TestContext.Out.WriteLine(FormattableString.Invariant($"{voice}: word error rate of the source {source:0.000}, reported {floor:0.000}; of the codec {found:0.000}, reported {errorRate:0.000}"));
        Assert.That(source, Is.LessThanOrEqualTo(floor + Tolerance));
        Assert.That(found, Is.LessThanOrEqualTo(errorRate + Tolerance));
    }

    [TestCase("feminine", 173), TestCase("masculine", 98), TestCase("scottish", 130)]
    public void A_described_voice_has_the_pitch_of_the_voice_it_was_trained_on(string voice, double pitch)
    {
        double[] found = [.. Speak(voice)[..20].Select(answer => VoicePrint.Pitch(answer.Audio!)).Order()];
        TestContext.Out.WriteLine(FormattableString.Invariant($"{voice}: {found[10]:0} Hz, trained on {pitch:0} Hz"));
        Assert.That(found[10], Is.EqualTo(pitch).Within(10).Percent);
    }

    [Test]
    public void Described_and_cloned_speech_is_nearest_to_its_own_voice()
    {
        string[] names = [.. NanoVoice.Voices];
        double[][] centers = [.. names.Select(voice => Mean([.. Speak(voice)[..20].Select(answer => VoicePrint.Of(answer.Audio!))]))];
        (int right, int all) described = (0, 0), cloned = (0, 0);
        for (int own = 0; own < names.Length; own++)
        {
            HiggsAudioResponse[] spoken = Speak(names[own]);
            described = Count(described, own, spoken[20..].Select(answer => answer.Audio!));
            Waveform reference = spoken[35].Audio!;   // not among those that the centers were made of
            cloned = Count(cloned, own, Generate(HeldOutSentences.All[..10].Select(text => Clone(reference, HeldOutSentences.All[35], text))).Select(answer => answer.Audio!));
        }
        TestContext.Out.WriteLine($"nearest to its own voice: described {described.right} of {described.all}, cloned {cloned.right} of {cloned.all}; by chance a third");
        Assert.That((double)described.right / described.all, Is.GreaterThanOrEqualTo(0.9));
        Assert.That((double)cloned.right / cloned.all, Is.GreaterThanOrEqualTo(0.8));

        (int, int) Count((int Right, int All) sum, int own, IEnumerable<Waveform> sounds)
        {
            foreach (double[] print in sounds.Select(VoicePrint.Of))
                sum = (sum.Right + (Nearest(centers, print) == own ? 1 : 0), sum.All + 1);
            return sum;
        }
    }

    private static HiggsAudioResponse[] Speak(string voice) =>
        Described.GetOrAdd(voice, v => new(() => Generate(HeldOutSentences.All.Select(text => NanoVoice.Say(text, v))))).Value;

    private static HiggsAudioResponse[] Generate(IEnumerable<ChatMLSample> samples)
    {
        var options = new GenerationOptions { Temperature = 0, RasWinLen = null, ForceAudioGeneration = true, MaxNewTokens = 256 };
        return Task.WhenAll(samples.Select(sample => NanoVoiceTests.Engine.GenerateAsync(sample, options))).GetAwaiter().GetResult();
    }

    private static ChatMLSample Clone(Waveform reference, string said, string text) => new(
        new Message("system", "Generate audio following instruction.\n\n<|scene_desc_start|>\nAudio is recorded from a quiet room.\n<|scene_desc_end|>"),
        new Message("user", said), new Message("assistant", AudioContent.FromWaveform(reference)), new Message("user", text));

    private static double[] Mean(double[][] prints) => [.. Enumerable.Range(0, prints[0].Length).Select(i => prints.Average(print => print[i]))];

    private static int Nearest(double[][] centers, double[] print) =>
        Enumerable.Range(0, centers.Length).MinBy(i => VoicePrint.Distance(centers[i], print));
}
