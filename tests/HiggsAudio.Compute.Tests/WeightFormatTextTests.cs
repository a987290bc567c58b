using NUnit.Framework;

namespace HiggsAudio.Compute.Tests;

public class WeightFormatTextTests
{
    [TestCase("float32", WeightFormat.Float32)]
    [TestCase("F32", WeightFormat.Float32)]
    [TestCase("BFloat16", WeightFormat.BFloat16)]
    [TestCase("bf16", WeightFormat.BFloat16)]
    [TestCase("Int8", WeightFormat.Int8)]
    [TestCase("int4", WeightFormat.Int4)]
    [TestCase("as-stored", WeightFormat.AsStored)]
    [TestCase("AsStored", WeightFormat.AsStored)]
    public void Words_in_any_case_are_formats(string text, WeightFormat expected)
    {
        Assert.That(WeightFormatText.TryParse(text, out WeightFormat format), Is.True);
        Assert.That(format, Is.EqualTo(expected));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("int")]
    [TestCase("3")]
    [TestCase("fp16")]
    [TestCase(" int4")]
    public void Other_words_are_not(string? text) => Assert.That(WeightFormatText.TryParse(text, out _), Is.False);

    [Test]
    public void The_words_of_messages_are_known()
    {
        foreach (string word in WeightFormatText.Words.Split([' ', ',', '(', ')'], StringSplitOptions.RemoveEmptyEntries).Where(word => word != "or"))
            Assert.That(WeightFormatText.TryParse(word, out _), Is.True, word);
        foreach (WeightFormat format in Enum.GetValues<WeightFormat>())
            Assert.That(WeightFormatText.TryParse($"{format}", out WeightFormat same) && same == format, Is.True);
    }
}
