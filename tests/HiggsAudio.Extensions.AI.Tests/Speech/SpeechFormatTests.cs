using HiggsAudio.Extensions.AI.Speech;
using NUnit.Framework;

namespace HiggsAudio.Extensions.AI.Tests.Speech;

/// <summary>Names of formats and media types.</summary>
internal sealed class SpeechFormatTests
{
    [TestCase("wav", true, "audio/wav"), TestCase("audio/WAV", true, "audio/wav"), TestCase("audio/x-wav", true, "audio/wav")]
    [TestCase("pcm", false, "audio/l16;rate=24000;channels=1"), TestCase("PCM16", false, "audio/l16;rate=24000;channels=1")]
    [TestCase("audio/L16; rate=16000", false, "audio/l16;rate=16000;channels=1"), TestCase("audio/pcm;rate=8000;channels=1", false, "audio/l16;rate=8000;channels=1")]
    public void A_name_or_a_media_type_is_understood(string text, bool isWav, string mediaType)
    {
        var format = SpeechFormat.Parse(text, streaming: true);
        Assert.That(format.IsWav, Is.EqualTo(isWav));
        Assert.That(format.MediaType(format.Rate ?? 24000), Is.EqualTo(mediaType));
    }

    [Test]
    public void By_default_a_whole_is_wav_and_pieces_are_samples()
    {
        Assert.That(SpeechFormat.Parse(null, streaming: false).IsWav, Is.True);
        Assert.That(SpeechFormat.Parse("", streaming: true).IsWav, Is.False);
    }

    [TestCase("mp3"), TestCase("audio/mpeg"), TestCase("audio/l16;rate=1"), TestCase("audio/l16;rate=-5"), TestCase("audio/l16;rate=99999999999"), TestCase("audio/l16;channels=2"), TestCase(";")]
    public void Another_is_refused_by_name(string text) =>
        Assert.That(() => SpeechFormat.Parse(text, streaming: false), Throws.TypeOf<NotSupportedException>().With.Message.Contains(text));

    [Test]
    public void Samples_survive_encoding()
    {
        float[] samples = [0, 0.5f, -0.5f, 1, -1, 2, -2, 1f / 32768];
        Assert.That(SpeechFormat.Decode(SpeechFormat.Encode(samples)), Is.EqualTo(new[] { 0, 0.5f, -0.5f, 32767f / 32768, -1, 32767f / 32768, -1, 1f / 32768 }));
    }
}
