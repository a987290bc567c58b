using System.Text.Json;
using NUnit.Framework;

namespace HiggsAudio.Prompts.Tests;

public class MessageTests
{
    [Test]
    public void Messages_are_made_of_text_audio_and_both()
    {
        AudioContent audio = AudioContent.FromFile("ref.wav", TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        var sample = new ChatMLSample(
            new Message("system", "scene"),
            new Message("user", "listen: ", audio, " please"),
            new Message("assistant", audio),
            new Message("assistant", "call()") { Recipient = "tool" },
            new Message("user", ["one", "two"]));
        Assert.Multiple(() =>
        {
            Assert.That(sample.Messages.Select(m => m.Role), Is.EqualTo(new[] { "system", "user", "assistant", "assistant", "user" }));
            Assert.That(sample.Messages[1].Content, Has.Count.EqualTo(3));
            Assert.That(sample.Messages[1].Content[1], Is.SameAs(audio));
            Assert.That(sample.Messages[4].Content.Cast<TextContent>().Select(t => t.Text), Is.EqualTo(new[] { "one", "two" }));
            Assert.That(sample.Messages[3].Recipient, Is.EqualTo("tool"));
            Assert.That((audio.AudioUrl, audio.Offset, audio.Duration), Is.EqualTo(("ref.wav", TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2))));
        });
        Assert.That(new ChatMLSample(sample.Messages.ToList()).Messages, Is.EqualTo(sample.Messages));
    }

    [Test]
    public void Audio_is_a_file_its_bytes_a_waveform_or_codes()
    {
        (Waveform waveform, AudioCodes codes) = (new Waveform([0.5f], 24000), new AudioCodes(2, [1, 2]));
        AudioContent[] kinds = [AudioContent.FromFile("a.wav"), AudioContent.FromBytes(new byte[] { 7 }), AudioContent.FromBase64("Bw=="),
            AudioContent.FromWaveform(waveform), AudioContent.FromCodes(codes), AudioContent.Placeholder];
        Assert.Multiple(() =>
        {
            Assert.That(kinds.Select(kind => kind.AudioUrl), Is.EqualTo(new[] { "a.wav", null, null, null, null, null }));
            Assert.That(kinds.Select(kind => kind.RawAudio?.ToArray()), Is.EqualTo(new byte[]?[] { null, [7], [7], null, null, null }));
            Assert.That(kinds.Select(kind => kind.Waveform), Is.EqualTo(new[] { null, null, null, waveform, null, null }));
            Assert.That(kinds.Select(kind => kind.Codes), Is.EqualTo(new[] { null, null, null, null, codes, null }));
        });
    }

    [Test]
    public void What_cannot_be_said_is_refused()
    {
        AudioContent audio = AudioContent.Placeholder;
        Assert.Multiple(() =>
        {
            Assert.That(() => new Message("assitant", "x"), Throws.ArgumentException.With.Message.Contains("'assitant'"));
            Assert.That(() => new Message("", "x"), Throws.ArgumentException);
            Assert.That(() => new Message("ipython", audio), Throws.ArgumentException.With.Message.Contains("'ipython'"));
            Assert.That(() => new Message("user", "x") { Recipient = "tool" }, Throws.ArgumentException.With.Message.Contains("'user'"));
            Assert.That(() => new Message("user", (MessageContent)null!), Throws.ArgumentException);
            Assert.That(() => new Message("user", (string)null!), Throws.ArgumentNullException);
            Assert.That(() => new ChatMLSample(), Throws.ArgumentException);
            Assert.That(() => AudioContent.FromFile(""), Throws.ArgumentException);
            Assert.That(() => AudioContent.FromFile("x", TimeSpan.FromSeconds(-1)), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => AudioContent.FromFile("x", null, TimeSpan.Zero), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => AudioContent.FromBase64("?"), Throws.ArgumentException);
            Assert.That(() => AudioContent.FromBase64(""), Throws.ArgumentException);
            Assert.That(() => AudioContent.FromBytes(default), Throws.ArgumentException);
        });
    }

    [TestCase("""{"type":"audio","audio_url":"a.wav","offset":1.5,"duration":2}""", "a.wav", 0)]
    [TestCase("""{"type":"audio","audio_url":"a.wav","raw_audio":"AQID"}""", "a.wav", 0)]
    [TestCase("""{"type":"audio","audio_url":"placeholder","raw_audio":"AQID"}""", null, 3)]
    [TestCase("""{"audio_url":"","raw_audio":"AQID","row_id":7}""", null, 3)]
    [TestCase("""{"type":"audio","audio_url":"","raw_audio":null}""", null, 0)]
    public void Audio_is_read_from_json(string json, string? url, int bytes)
    {
        var audio = (AudioContent)Read($$"""{"messages":[{"role":"user","content":[{{json}}]}]}""").Messages[0].Content[0];
        Assert.That((audio.AudioUrl, audio.RawAudio?.Length ?? 0), Is.EqualTo((url, bytes)));
        Assert.That(audio.Offset, Is.EqualTo(json.Contains("offset", StringComparison.Ordinal) ? TimeSpan.FromSeconds(1.5) : null));
        Assert.That(ReferenceEquals(audio, AudioContent.Placeholder), Is.EqualTo(url is null && bytes == 0));
    }

    [Test]
    public void A_sample_is_read_from_json()
    {
        ChatMLSample sample = Read("""
            {"messages":[{"role":"user","content":{"text":"a"}},{"role":"assistant","content":["b",{"type":"text","text":"c"}],"recipient":"t","x":1}],
            "start_index":1,"misc":{"speaker":"misc","y":[]},"speaker":"own","z":{}}
            """);
        Assert.That((sample.StartIndex, sample.Speaker, sample.Messages[1].Recipient), Is.EqualTo((1, "own", "t")));
        Assert.That(sample.Messages.SelectMany(m => m.Content).Select(c => c.ToString()), Is.EqualTo(new[] { "a", "b", "c" }));
    }

    [TestCase("", "")]
    [TestCase("[]", "$")]
    [TestCase("{}", "$.messages")]
    [TestCase("""{"messages":[]}""", "$.messages")]
    [TestCase("""{"messages":{}}""", "$.messages")]
    [TestCase("""{"messages":[null]}""", "$.messages[0]")]
    [TestCase("""{"messages":[{}]}""", "$.messages[0].role")]
    [TestCase("""{"messages":[{"role":1,"content":"x"}]}""", "$.messages[0].role")]
    [TestCase("""{"messages":[{"role":"usr","content":"x"}]}""", "'usr'")]
    [TestCase("""{"messages":[{"role":"user"}]}""", "$.messages[0].content")]
    [TestCase("""{"messages":[{"role":"user","content":3}]}""", "$.messages[0].content")]
    [TestCase("""{"messages":[{"role":"user","content":["x",[]]}]}""", "$.messages[0].content[1]")]
    [TestCase("""{"messages":[{"role":"user","content":{"type":"image"}}]}""", "'image'")]
    [TestCase("""{"messages":[{"role":"user","content":{"type":"text"}}]}""", "$.messages[0].content.text")]
    [TestCase("""{"messages":[{"role":"user","content":{"type":"audio","raw_audio":"!"}}]}""", "$.messages[0].content")]
    [TestCase("""{"messages":[{"role":"user","content":{"type":"audio","audio_url":"a","duration":-1}}]}""", "duration")]
    [TestCase("""{"messages":[{"role":"user","content":{"type":"audio","audio_url":"a","offset":1e300}}]}""", "offset")]
    [TestCase("""{"messages":[{"role":"user","content":"\ud800"}]}""", "$.messages[0].content")]
    [TestCase("""{"messages":[{"role":"user","content":"x","recipient":"t"}]}""", "$.messages[0]")]
    [TestCase("""{"messages":[{"role":"user","content":"x"}],"start_index":"1"}""", "$.start_index")]
    public void Broken_json_is_refused_with_its_place(string json, string place) =>
        Assert.That(() => Read(json), Throws.InstanceOf<JsonException>().With.Message.Contains(place));

    private static ChatMLSample Read(string json) => ChatMLSample.FromJson(json);
}
