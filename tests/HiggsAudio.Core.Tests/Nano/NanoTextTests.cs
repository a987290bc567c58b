using NUnit.Framework;

namespace HiggsAudio.Core.Tests.Nano;

/// <summary>How the nano voice reads.</summary>
internal sealed class NanoTextTests
{
    [TestCase("Hello World", "hello world.")]
    [TestCase("It's 3:45 pm!", "it's three forty five p m!")]
    [TestCase("Café; déjà vu: (OK?)", "cafe, deja vu, okay?")]
    [TestCase("Dr. Smith paid $3.50.", "doctor smith paid three dollars and fifty cents.")]
    [TestCase("“Well-known” — really…", "well known, really.")]
    public void It_reads_the_alphabet_it_was_taught(string text, string read) => Assert.That(NanoVoice.Normalize(text), Is.EqualTo(read));

    [TestCase(""), TestCase("  "), TestCase("...?!"), TestCase("你好"), TestCase("😀"), TestCase("''")]
    public void A_text_in_which_nothing_can_be_said_is_refused(string text) =>
        Assert.That(() => NanoVoice.Say(text), Throws.ArgumentException.With.Message.Contains("nothing in the text"));

    [Test]
    public void A_long_text_is_split_and_no_word_is_lost()
    {
        const string Text = "The first sentence is short. The second, which has a clause, is so much longer that it cannot be said at once and must be divided! " +
            "Is a sentence without any commas that goes on and on until it is longer than seventy characters cut between its words? Yes. So it is, on 22 November 2026.";
        IReadOnlyList<string> parts = NanoVoice.Split(Text);
        Assert.That(parts.Max(part => part.Length), Is.LessThanOrEqualTo(NanoVoice.LongestSentence));
        Assert.That(Words(string.Join(' ', parts)), Is.EqualTo(Words(NanoVoice.Normalize(Text))));
        Assert.That(parts.Select(part => part[^1]), Is.All.AnyOf('.', '?', '!'));
        Assert.That(parts[0], Is.EqualTo("the first sentence is short."));
    }

    [Test]
    public void A_word_without_end_is_cut_too() =>
        Assert.That(NanoVoice.Split(new string('a', 1000)), Is.All.Matches<string>(part => part.Length is > 0 and <= NanoVoice.LongestSentence));

    [Test]
    public void Loading_tells_what_it_does_and_can_be_cancelled()
    {
        var stages = new Stages();
        NanoVoice.Load(new EngineOptions { Threads = 1 }, stages).Dispose();
        Assert.That(stages.Seen.First(), Is.EqualTo("unpacking"));
        Assert.That(stages.Seen.Distinct(), Is.EquivalentTo(["unpacking", "tokenizer", "codec", "model"]));
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Assert.That(() => NanoVoice.Load(null, null, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(async () => await NanoVoice.LoadAsync(null, null, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void A_cache_folder_that_cannot_be_written_is_named()
    {
        string file = Path.GetTempFileName();
        try
        {
            Assert.That(() => NanoVoice.Unpack(file), Throws.InstanceOf<IOException>().With.Message.Contains(file));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public void The_checkpoint_is_small()
    {
        string[] names = typeof(NanoVoice).Assembly.GetManifestResourceNames();
        long bytes = names.Sum(name => typeof(NanoVoice).Assembly.GetManifestResourceStream(name)!.Length);
        Assert.That(bytes, Is.LessThanOrEqualTo(20_000_000));
    }

    private static string[] Words(string text) => text.Split([' ', ',', '.', '?', '!'], StringSplitOptions.RemoveEmptyEntries);

    private sealed class Stages : IProgress<LoadProgress>
    {
        public List<string> Seen { get; } = [];

        public void Report(LoadProgress value) => Seen.Add(value.Stage);
    }
}
